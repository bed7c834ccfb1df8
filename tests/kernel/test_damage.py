"""A payload that is not what was recorded is never served, whatever store it lies in: EIO, and a line that says why."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import boto3
import pytest

from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings
from datomfs.store.s3 import S3Store
from tests.mounts import StoredProject, eventually, kernel_test, mounted, sha256, store_options, stored_in

pytestmark = kernel_test

GOOD = bytes(range(256)) * 4000
BAD = GOOD[:1000] + b"?" + GOOD[1001:]


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> StoredProject:
    """An empty project in a folder, and in a bucket."""
    return stored_in(tmp_path / "store") if request.param == "folder" else request.getfixturevalue("stored_in_s3")


@pytest.fixture
def stored_in_s3(s3_environment: object, s3_bucket: str) -> StoredProject:
    """An empty project in a bucket."""
    return StoredProject(S3Store(Location("s3", s3_bucket), S3Settings(), boto3.Session()))


def check_eio(path: Path) -> None:
    """Reading the file fails with EIO and gives nothing."""
    with pytest.raises(OSError) as caught:  # noqa: PT011
        path.read_bytes()
    assert errno.EIO == caught.value.errno


@pytest.mark.parametrize("bad", [BAD, GOOD[:-1], GOOD + b"x", b""], ids=["changed", "shorter", "longer", "empty"])
def test_a_damaged_payload_is_eio_and_the_log_has_both_hashes(
    tmp_path: Path, stored: StoredProject, bad: bytes
) -> None:
    damaged, _ = stored.put("dm", GOOD, b"another version")
    stored.store.put(damaged.key, bad)
    with mounted(tmp_path, *store_options(stored), complaints=True) as mount:
        path = mount.project / "dm" / damaged.name
        assert len(bad) == path.stat().st_size
        for _ in range(2):
            check_eio(path)
        (first, second) = mount.complaints
        assert f"expected sha256 {sha256(GOOD)}, found {sha256(bad)}" in first
        assert f"{damaged.key} in {stored.store.url} is not what was recorded" in second
        assert b"another version" == (mount.project / "dm.parquet").read_bytes()


def test_a_payload_that_is_restored_is_served_again(tmp_path: Path, stored: StoredProject) -> None:
    (version,) = stored.put("dm", GOOD)
    stored.store.put(version.key, BAD)
    with mounted(tmp_path, *store_options(stored), "--refresh", "0.2", complaints=True) as mount:
        path = mount.project / "dm" / version.name
        check_eio(path)
        stored.store.put(version.key, GOOD)

        def is_served() -> bool:
            try:
                return path.read_bytes() == GOOD
            except OSError as error:
                assert errno.EIO == error.errno  # noqa: PT017
                return False

        eventually(is_served)


def test_a_lost_payload_is_eio(tmp_path: Path, stored: StoredProject) -> None:
    (version,) = stored.put("dm", GOOD)
    with mounted(tmp_path, *store_options(stored), complaints=True) as mount:
        path = mount.project / "dm" / version.name
        path.stat()
        stored.store.delete(version.key)
        check_eio(path)
        assert 1 == len(mount.complaints)


def test_what_changes_under_an_open_file_is_never_mixed_in(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    (version,) = stored.put("dm", GOOD)
    with mounted(tmp_path, *store_options(stored), complaints=True) as mount:
        with (mount.project / "dm" / version.name).open("rb", buffering=0) as file:
            assert GOOD[:10] == file.read(10)
            local = stored.store.local_path(version.key)
            assert local is not None
            with local.open("r+b") as other:
                other.seek(len(GOOD) - 10)
                other.write(b"0123456789")
            file.seek(len(GOOD) - 10)
            with pytest.raises(OSError) as caught:  # noqa: PT011
                file.read(10)
            assert errno.EIO == caught.value.errno
        # The kernel asks again, for less, when a read-ahead fails.
        assert mount.complaints
        assert all("was changed while it was being read" in complaint for complaint in mount.complaints)


def test_a_backup_that_links_an_open_payload_disturbs_nobody(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    (version,) = stored.put("dm", GOOD)
    local = stored.store.local_path(version.key)
    assert local is not None
    with (
        mounted(tmp_path, *store_options(stored)) as mount,
        (mount.project / "dm" / version.name).open("rb", buffering=0) as file,
    ):
        file.read(10)
        os.link(local, tmp_path / "backup")
        file.seek(len(GOOD) - 10)
        assert GOOD[-10:] == file.read(10)


@pytest.mark.s3
def test_a_cached_copy_that_rots_is_fetched_again(tmp_path: Path, stored_in_s3: StoredProject) -> None:
    stored_in_s3.put("dm", GOOD)
    with mounted(tmp_path, *store_options(stored_in_s3)) as mount:
        assert GOOD == (mount.project / "dm.parquet").read_bytes()
        (copy,) = (mount.desk.folder / "cache").rglob(sha256(GOOD))
    copy.write_bytes(BAD)
    with mounted(tmp_path, *store_options(stored_in_s3), complaints=True) as mount:
        assert GOOD == (mount.project / "dm.parquet").read_bytes()
        (complaint,) = mount.complaints
        assert "WARNING" in complaint
        assert f"bytes 0 to 262144 of {copy} have rotted; they are fetched again" in complaint
    assert GOOD == copy.read_bytes()


@pytest.mark.s3
def test_a_fetched_payload_needs_no_store_any_more(tmp_path: Path, stored_in_s3: StoredProject) -> None:
    (version,) = stored_in_s3.put("dm", GOOD)
    with (
        mounted(tmp_path, *store_options(stored_in_s3)) as mount,
        (mount.project / "dm" / version.name).open("rb", buffering=0) as file,
    ):
        assert GOOD[:10] == file.read(10)
        stored_in_s3.store.put(version.key, BAD)
        file.seek(len(GOOD) - 10)
        assert GOOD[-10:] == file.read(10)


@pytest.mark.s3
def test_what_is_fetched_lies_where_the_command_says(
    tmp_path: Path, stored_in_s3: StoredProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_in_s3.put("dm", GOOD)
    monkeypatch.chdir(tmp_path)
    with mounted(tmp_path, *store_options(stored_in_s3), "--cache-dir", "fetched") as mount:
        assert GOOD == (mount.project / "dm.parquet").read_bytes()
        assert len(GOOD) <= sum(path.stat().st_size for path in (tmp_path / "fetched").rglob("*") if path.is_file())
        assert not (mount.desk.folder / "cache").exists()
