"""Mounts of locks: exactly what the file names, and nothing asked of anybody once the bytes are here."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import boto3
import pytest

from datomfs.layout import MANIFEST_KEY, history_key
from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings
from datomfs.store.s3 import S3Store
from tests.kernel.conftest import parquet
from tests.mounts import PROJECT, Desk, StoredProject, kernel_test, mounted, store_options, stored_in
from tests.s3_server import S3Server

pytestmark = kernel_test


@pytest.fixture
def stored(tmp_path: Path) -> StoredProject:
    """dm in two versions, ex in one."""
    made = stored_in(tmp_path / "store")
    made.put("dm", parquet(3), parquet(4))
    made.put("ex", parquet(2))
    return made


def write_lock(folder: Path, *arguments: str | Path) -> Path:
    """A lock in a folder, made by the command."""
    file = folder / "analysis.lock"
    done = Desk(folder / "desk").run("lock", "-o", file, *arguments)
    assert 0 == done.returncode, done.stderr
    return file


def tree_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by their relative names; what is reached through links included."""
    return {
        str(Path(place, name).relative_to(folder)): Path(place, name).read_bytes()
        for place, _, names in os.walk(folder)
        for name in names
    }


def test_a_locked_mount_shows_exactly_the_lock(tmp_path: Path, stored: StoredProject) -> None:
    one, two = stored.tables["dm"]
    lock = write_lock(tmp_path, f"{PROJECT}@20260301T000130Z", *store_options(stored))
    with mounted(tmp_path, "--lock", lock, "--allow-root", stored.store.url) as mount:
        assert [PROJECT] == os.listdir(mount.path)
        expected = {f"{PROJECT}/dm.parquet": one.body, f"{PROJECT}/dm/{one.name}": one.body}
        assert expected == tree_of(mount.path)
        assert f"dm/{one.name}" == os.readlink(mount.project / "dm.parquet")
        for absent in (f"dm/{two.name}", "ex", "ex.parquet", "@2026-03-01", ".datom"):
            assert not (mount.project / absent).exists(), absent


def test_a_locked_mount_stays_as_it_is_whatever_is_written(tmp_path: Path, stored: StoredProject) -> None:
    two = stored.tables["dm"][1]
    lock = write_lock(tmp_path, PROJECT, *store_options(stored))
    for key in (MANIFEST_KEY, history_key("dm"), history_key("ex")):
        stored.store.put(key, b"no document any more")
    with mounted(tmp_path, "--lock", lock, *store_options(stored), "--refresh", "0.1") as mount:
        before = tree_of(mount.path)
        assert two.body == before[f"{PROJECT}/dm.parquet"]
        (tmp_path / "analysis.lock").write_text("{}")
        assert before == tree_of(mount.path)


def test_a_locked_mount_tells_what_the_lock_has(tmp_path: Path, stored: StoredProject) -> None:
    two = stored.tables["dm"][1]
    lock = write_lock(tmp_path, PROJECT, *store_options(stored))
    with mounted(tmp_path, "--lock", lock, *store_options(stored)) as mount:
        link = mount.project / "dm.parquet"
        assert (b"lock", two.version.encode()) == (
            os.getxattr(link, "user.datom.source"),
            os.getxattr(link, "user.datom.version"),
        )


def test_bytes_that_are_not_the_locked_ones_are_not_served(tmp_path: Path, stored: StoredProject) -> None:
    two = stored.tables["dm"][1]
    lock = write_lock(tmp_path, PROJECT, *store_options(stored))
    stored.store.put(two.key, bytes(len(two.body)))
    with mounted(tmp_path, "--lock", lock, *store_options(stored), complaints=True) as mount:
        with pytest.raises(OSError, match="Input/output error"):
            (mount.project / "dm.parquet").read_bytes()
        assert stored.tables["ex"][0].body == (mount.project / "ex.parquet").read_bytes()


def test_a_project_that_is_not_in_the_lock_is_not_mounted(tmp_path: Path, stored: StoredProject) -> None:
    lock = write_lock(tmp_path, PROJECT, *store_options(stored))
    other = ["--store", stored.store.url, "--project", "OTHER", "--allow-root", stored.store.url]
    (tmp_path / "mnt").mkdir()
    done = Desk(tmp_path / "desk").run("mount", tmp_path / "mnt", "--lock", lock, *other)
    assert (3, True) == (done.returncode, "no project 'OTHER'" in done.stderr)


@pytest.mark.s3
def test_a_warmed_lock_is_mounted_without_any_network(tmp_path: Path, s3_environment: S3Server, s3_bucket: str) -> None:
    stored = StoredProject(S3Store(Location("s3", s3_bucket), S3Settings(), boto3.Session()))
    stored.put("dm", parquet(3), os.urandom(3 << 20))
    stored.put("ex", parquet(2))
    desk, lock = Desk(tmp_path / "desk"), tmp_path / "analysis.lock"
    assert 0 == desk.run("lock", PROJECT, "-o", lock, *store_options(stored)).returncode
    assert 0 == desk.run("cache", "warm", "--lock", lock).returncode
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{unused.getsockname()[1]}"}
        with mounted(tmp_path, "--lock", lock, variables=nowhere) as mount:
            bodies = {f"{PROJECT}/{table}.parquet": versions[-1].body for table, versions in stored.tables.items()}
            found = tree_of(mount.path)
            assert bodies == {name: found[name] for name in bodies}
            assert 4 == len(found)
