"""A study that moves while it is read: no reader sees an error; pins, inodes and what is cached stay as they are."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import boto3
import pytest

from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings
from datomfs.store.base import Store
from datomfs.store.local import LocalStore
from datomfs.store.s3 import S3Store
from tests.kernel.bad_days import AttestingStore, plain
from tests.mounts import PROJECT, Mount, StoredProject, eventually, kernel_test, mounted, s3_variables, sha256
from tests.portfolios import Governance, make_governance
from tests.s3_server import S3Server

pytestmark = [*kernel_test, pytest.mark.s3]

MIB = 1 << 20
TABLES = {name: plain(name, 6 * MIB) for name in ("ae", "dm", "lb", "vs")}
SELDOM = ("--refresh", "3600")
"""The mount is not told of the move, and does not look by itself."""

READER = """
import hashlib, os, random, sys
folder, stop, tables = sys.argv[1], sys.argv[2], dict(each.split("=") for each in sys.argv[3:])
count = 0
while not os.path.exists(stop) or not count:
    for table in random.sample(sorted(tables), len(tables)):
        digest = hashlib.sha256()
        with open(f"{folder}/{table}.parquet", "rb", buffering=0) as file:
            while piece := file.read(100_000):
                digest.update(piece)
            # What the kernel keeps would hide what happens: the next read is of the mount again.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert tables[table] == digest.hexdigest(), table
        os.listdir(f"{folder}/{table}")
        count += 1
print(count)
"""


class Places:
    """Buckets and folders that a study lies in, one after another."""

    def __init__(self, folder: Path, buckets: tuple[str, str]) -> None:
        self.folder = folder
        self.locations = {
            "first": Location("s3", buckets[0]),
            "other bucket and prefix": Location("s3", buckets[1], "trial/two", "us-east-1"),
            "folder": Location("local", str(folder / "data" / "moved")),
        }
        (folder / "data" / "moved").mkdir(parents=True)

    def store(self, place: str) -> Store:
        location = self.locations[place]
        if location.backend == "local":
            return LocalStore(location)
        return S3Store(location, S3Settings(), boto3.Session())

    def copy(self, start: str, end: str) -> None:
        """Every object, byte for byte, attested by nobody."""
        source, target = self.store(start), self.store(end)
        for info in list(source.list()):
            target.put(info.key, source.get(info.key))

    def empty(self, place: str) -> None:
        """Nothing is left there."""
        store = self.store(place)
        for info in list(store.list()):
            store.delete(info.key)


@pytest.fixture
def places(tmp_path: Path, s3_environment: S3Server, s3_bucket: str) -> Iterator[Places]:
    second = s3_environment.create_bucket(f"{s3_bucket}-two")
    yield Places(tmp_path, (s3_bucket, second))
    s3_environment.delete_bucket(second)


def begin(places: Places, place: str, *, attested: bool) -> tuple[StoredProject, Governance]:
    """The study at its first place, and governance that says so."""
    store = places.store(place)
    if attested:
        assert isinstance(store, S3Store)
    stored = StoredProject(AttestingStore(store, places.folder) if attested else store)  # type: ignore[arg-type]
    for table, body in TABLES.items():
        stored.put(table, f"an older {table}".encode(), body)
    governance = make_governance(places.folder)
    governance.register(PROJECT, places.locations[place])
    return stored, governance


def options(places: Places, governance: Governance) -> list[str]:
    return [*governance.by_repo, "--allow-root", str(places.folder / "data")]


def start_readers(mount: Mount, stop: Path, count: int) -> list[subprocess.Popen[str]]:
    told = [f"{table}={sha256(body)}" for table, body in TABLES.items()]
    command = [sys.executable, "-c", READER, str(mount.project), str(stop), *told]
    pipe = subprocess.PIPE
    return [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(count)]


def finish(readers: Sequence[subprocess.Popen[str]]) -> list[int]:
    """How often each has read a table; none has seen an error."""
    counts = []
    for reader in readers:
        out, err = reader.communicate(timeout=120)
        assert (0, "") == (reader.returncode, err)
        counts.append(int(out))
    return counts


@pytest.mark.parametrize("attested", [True, False], ids=["attested", "unattested"])
@pytest.mark.parametrize(
    "way",
    [
        ("first", "other bucket and prefix", "first"),
        ("first", "folder", "other bucket and prefix"),
    ],
    ids=["buckets", "folder"],
)
def test_a_study_moves_under_its_readers_and_none_sees_an_error(
    tmp_path: Path, places: Places, s3_server: S3Server, way: tuple[str, ...], attested: bool
) -> None:
    stored, governance = begin(places, way[0], attested=attested)
    # A cache that holds less than half of what is read: readers come back to the store all the time.
    small = ("--cache-size", "10MiB")
    with mounted(
        tmp_path, *options(places, governance), *SELDOM, *small, variables=s3_variables(s3_server, tmp_path)
    ) as mount:
        before = {path: path.stat() for path in mount.project.rglob("@*.parquet")}
        with (mount.project / "dm.parquet").open("rb", buffering=0) as half_done:
            begun = half_done.read(MIB)
            readers = start_readers(mount, tmp_path / "stop", 4)
            try:
                for start, end in itertools.pairwise(way):
                    places.copy(start, end)
                    governance.move(PROJECT, places.locations[end])
                    places.empty(start)
                    url = places.locations[end].url
                    eventually(lambda url=url: f"has moved to {url}" in mount.log)  # type: ignore[misc]
                (tmp_path / "stop").touch()
                assert min(finish(readers)) >= len(TABLES)
            finally:
                for reader in readers:
                    reader.kill()
            assert TABLES["dm"] == begun + half_done.readall()
        assert {path: (status.st_ino, status.st_size, status.st_mtime_ns) for path, status in before.items()} == {
            path: (path.stat().st_ino, path.stat().st_size, path.stat().st_mtime_ns) for path in before
        }
        (older, _) = stored.tables["vs"]
        assert b"an older vs" == (mount.project / "vs" / older.name).read_bytes()


def test_what_is_cached_is_served_at_the_new_place_without_being_fetched(
    tmp_path: Path, places: Places, s3_server: S3Server
) -> None:
    stored, governance = begin(places, "first", attested=False)
    with mounted(tmp_path, *options(places, governance), *SELDOM, variables=s3_variables(s3_server, tmp_path)) as mount:
        assert TABLES["dm"] == (mount.project / "dm.parquet").read_bytes()
        places.copy("first", "other bucket and prefix")
        governance.move(PROJECT, places.locations["other bucket and prefix"])
        places.empty("first")
        new = places.store("other bucket and prefix")
        (_, current) = stored.tables["dm"]
        new.put(current.key, TABLES["ae"])  # whoever fetched it would be told
        assert 0 == mount.desk.run("refresh", mount.path).returncode
        with (mount.project / "dm.parquet").open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert TABLES["dm"] == (mount.project / "dm.parquet").read_bytes()
        assert TABLES["vs"] == (mount.project / "vs.parquet").read_bytes()


def test_a_place_that_denies_and_a_bucket_that_is_gone_are_left_at_once(
    tmp_path: Path, places: Places, s3_server: S3Server
) -> None:
    _, governance = begin(places, "first", attested=True)
    with mounted(tmp_path, *options(places, governance), *SELDOM, variables=s3_variables(s3_server, tmp_path)) as mount:
        assert os.listdir(mount.project)
        places.copy("first", "other bucket and prefix")
        governance.move(PROJECT, places.locations["other bucket and prefix"])
        s3_server.delete_bucket(places.locations["first"].root)
        began_s = time.monotonic()
        assert TABLES["lb"] == (mount.project / "lb.parquet").read_bytes()
        assert time.monotonic() - began_s < 20
        s3_server.create_bucket(places.locations["first"].root)
