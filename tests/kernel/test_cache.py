"""The cache beside a mount: a large one is not scanned, and what people do to it never reaches who reads."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from datomfs.cache.folder import CacheFolder, Limits
from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings
from datomfs.store.s3 import S3Store
from tests.mounts import Mount, StoredProject, kernel_test, mounted, s3_variables, sha256, store_options
from tests.s3_server import S3Server

pytestmark = [*kernel_test, pytest.mark.s3]

BODY = os.urandom(3 << 20)
MANY = 100_000

WATCH = """
import os, sys

def note(event, arguments, log=os.open(os.environ["WATCH_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)):
    if event in ("open", "os.scandir", "os.listdir") and os.environ["WATCH_FOLDER"] in str(arguments[0]):
        os.write(log, f"{event} {arguments[0]}\\n".encode())

sys.addaudithook(note)
"""
"""For a `sitecustomize.py`: every interpreter that finds it writes down what it opens and lists in a folder."""


def payloads_in(log: Path) -> set[str]:
    """What was opened and listed of the cache, apart from the documents that are kept in it as well."""
    return {line for line in log.read_text(encoding="utf-8").splitlines() if "documents-" not in line}


@pytest.fixture
def stored(s3_environment: S3Server, s3_bucket: str) -> StoredProject:
    """A project with one version of dm, of BODY."""
    project = StoredProject(S3Store(Location("s3", s3_bucket), S3Settings(), boto3.Session()))
    project.put("dm", BODY)
    return project


@pytest.fixture
def mount(s3_server: S3Server, stored: StoredProject, tmp_path: Path) -> Iterator[Mount]:
    with mounted(tmp_path, *store_options(stored), variables=s3_variables(s3_server, tmp_path)) as made:
        yield made


def test_a_mount_is_ready_without_a_look_at_what_is_cached(
    s3_server: S3Server, stored: StoredProject, tmp_path: Path
) -> None:
    cache, log = tmp_path / "cache", tmp_path / "opened"
    folder = CacheFolder(cache, Limits(1 << 40, 0))
    folder.total()
    folder.close()
    database = sqlite3.connect(cache / "index.sqlite3")
    with database:
        rows = ((sha256(str(number).encode()), 1000, number + 1) for number in range(MANY))
        database.executemany("INSERT INTO objects VALUES (?, ?, ?)", rows)
    database.close()
    other = folder.place(sha256(b"0"))
    other.parent.mkdir(parents=True)
    other.write_bytes(bytes(1000))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    variables = s3_variables(s3_server, tmp_path) | {
        "PYTHONPATH": str(tmp_path / "site"), "WATCH_LOG": str(log), "WATCH_FOLDER": str(cache),
    }  # fmt: skip
    with mounted(tmp_path, *store_options(stored), "--cache-dir", cache, variables=variables) as mount:
        assert ["dm", "dm.parquet"] == sorted(path.name for path in mount.project.iterdir())
        # The index alone may be asked, which the folder is the lock of: reports tell how many bytes it counts.
        assert {f"open {cache}"} >= payloads_in(log)
        assert BODY == (mount.project / "dm.parquet").read_bytes()
    opened = payloads_in(log)
    ours = (folder.path / "index.sqlite3", folder.place(sha256(BODY)), *(cache / "partial").rglob("*"))
    assert set() != opened
    assert [] == [line for line in opened if "scandir" in line or "listdir" in line or other.name in line]
    assert [] == [line for line in opened if "objects" in line and not any(str(path) in line for path in ours)]


def test_what_is_warm_is_read_though_the_store_has_lost_it(mount: Mount, stored: StoredProject) -> None:
    done = mount.desk.run("cache", "warm", "STUDY_001", *store_options(stored))
    assert (0, "") == (done.returncode, done.stderr)
    assert "brought" in done.stdout
    listed = (mount.project / "dm.parquet").stat().st_size
    stored.store.delete(stored.tables["dm"][0].key)
    assert (len(BODY), BODY) == (listed, (mount.project / "dm.parquet").read_bytes())


@pytest.mark.parametrize(
    "words", [["evict", "--to", "0"], ["clear", "--yes"], ["verify"], ["verify", "--quick"], ["status"]]
)
def test_who_reads_goes_on_whatever_is_done_to_the_cache(mount: Mount, words: list[str]) -> None:
    path = mount.project / "dm.parquet"
    with path.open("rb", buffering=0) as file:
        begun = file.read(4096)
        done = mount.desk.run("cache", *words)
        assert (0, "") == (done.returncode, done.stderr)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        rest = b"".join(iter(lambda: file.read(1 << 20), b""))
    assert BODY == begun + rest
    assert BODY == path.read_bytes()
    assert 0 == mount.desk.run("cache", "verify").returncode
