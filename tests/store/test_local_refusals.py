"""What the operating system refuses a folder store becomes one of our errors, and leaves the folder as it was."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from datomfs.errors import DatomfsError, NoSpace, ObjectMissing, StoreDenied, StoreUnreachable
from datomfs.model.location import Location
from datomfs.store.local import LocalStore
from tests.store.contract import KEY, sha256

NOBODY = 65534


def open_store(root: Path) -> LocalStore:
    return LocalStore(Location("local", str(root)))


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class Killed(BaseException):
    """Ends everything, as SIGKILL does."""


def die(*arguments: object, **options: object) -> None:
    raise Killed


@contextmanager
def without_rights() -> Iterator[None]:
    """This thread's file accesses as user nobody's, where we are root, whom nothing is denied."""
    libc = ctypes.CDLL(None)
    if os.geteuid() == 0:
        libc.setfsuid(NOBODY)
    try:
        yield
    finally:
        libc.setfsuid(os.geteuid())


@contextmanager
def mounted(options: str) -> Iterator[Path]:
    """A file system of its own in memory."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        if subprocess.run(command, capture_output=True).returncode != 0:
            pytest.skip("mounting is not allowed here")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


@pytest.fixture
def shared_root() -> Iterator[Path]:
    """A folder that other users reach; pytest's own folders they do not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_folder_without_write_permission_is_denied(shared_root: Path) -> None:
    store = open_store(shared_root)
    etag = store.put(KEY, b"one").etag
    (shared_root / "datom" / "dm").chmod(0o555)
    with without_rights():
        assert b"one" == store.get(KEY)
        for condition in ({}, {"if_absent": True}, {"if_match": etag}):
            with pytest.raises(StoreDenied) as raised:
                store.put(KEY, b"two", **condition)
            assert "Permission denied" == raised.value.reason
        with pytest.raises(StoreDenied):
            store.delete(KEY)
    (shared_root / "datom" / "dm").chmod(0o755)
    assert b"one" == store.get(KEY)


def test_unreadable_object_is_denied(shared_root: Path) -> None:
    store = open_store(shared_root)
    store.put(KEY, b"one")
    store.local_path(KEY).chmod(0o200)
    with without_rights(), pytest.raises(StoreDenied):
        store.get(KEY)


@pytest.mark.parametrize("closed", [".", "datom"])
def test_closed_folder_is_denied_by_check_and_list(shared_root: Path, closed: str) -> None:
    store = open_store(shared_root)
    store.put(KEY, b"one")
    (shared_root / closed).chmod(0o000)
    with without_rights():
        with pytest.raises(StoreDenied):
            store.check()
        with pytest.raises(StoreDenied):
            list(store.list())
    (shared_root / closed).chmod(0o755)


def test_lock_file_that_a_killed_process_left_bars_nobody(shared_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(shared_root)
    etag = store.put(KEY, b"one").etag
    folder = shared_root / "datom" / "dm"
    folder.chmod(0o777)
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", die)
        patch.setattr(Path, "unlink", die)
        with pytest.raises(Killed):
            store.put(KEY, b"two", if_match=etag)
    assert (folder / ".datomfs-lock").exists()
    with without_rights():
        store.put(KEY, b"three", if_match=etag)
    assert b"three" == store.get(KEY)
    assert not (folder / ".datomfs-lock").exists()


def test_who_waited_for_a_lock_file_that_is_gone_waits_for_the_next(
    shared_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(shared_root)
    etag = store.put(KEY, b"one").etag
    lock = shared_root / "datom" / "dm" / ".datomfs-lock"
    waits = [threading.Event(), threading.Event()]
    arrivals, flock = iter(waits), fcntl.flock

    def announce(descriptor: int, operation: int) -> None:
        next(arrivals).set()
        flock(descriptor, operation)

    with lock.open("w") as first, ThreadPoolExecutor(1) as pool:
        flock(first, fcntl.LOCK_EX)
        monkeypatch.setattr(fcntl, "flock", announce)
        writer = pool.submit(store.put, KEY, b"two", if_match=etag)
        assert waits[0].wait(10)
        lock.unlink()
        with lock.open("w") as second:
            flock(second, fcntl.LOCK_EX)
            flock(first, fcntl.LOCK_UN)
            assert waits[1].wait(10)
            assert b"one" == store.get(KEY)
        assert 3 == writer.result(10).size
    assert b"two" == store.get(KEY)


def test_object_cannot_lie_below_another(shared_root: Path) -> None:
    store = open_store(shared_root)
    store.put("dm", b"one")
    with pytest.raises(StoreDenied) as raised:
        store.put("dm/x", b"two")
    assert "File exists" == raised.value.reason
    assert ["datom/dm"] == files_below(shared_root)


def test_read_only_file_system_is_denied() -> None:
    with mounted("size=1m") as folder:
        open_store(folder).put(KEY, b"one")
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        assert b"one" == open_store(folder).get(KEY)
        with pytest.raises(StoreDenied) as raised:
            open_store(folder).put(KEY, b"two")
        assert "Read-only file system" == raised.value.reason


def test_full_disk_is_told_and_left_as_it_was(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(2 << 20))
    with mounted("size=1m") as folder:
        store = open_store(folder)
        store.put(KEY, b"one")
        with pytest.raises(NoSpace):
            store.put(KEY, bytes(2 << 20))
        with pytest.raises(NoSpace) as raised:
            store.upload("dm/other", source, sha256=sha256(bytes(2 << 20)))
        assert str(folder) == raised.value.path
        assert [f"datom/{KEY}"] == files_below(folder)
        assert b"one" == store.get(KEY)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOENT, ObjectMissing),
        (errno.ENOTDIR, ObjectMissing),
        (errno.EACCES, StoreDenied),
        (errno.EPERM, StoreDenied),
        (errno.EROFS, StoreDenied),
        (errno.ENOSPC, NoSpace),
        (errno.EDQUOT, NoSpace),
        (errno.EIO, StoreUnreachable),
        (errno.ESTALE, StoreUnreachable),
        (errno.EMFILE, StoreUnreachable),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else value.__name__,
)
def test_errors_of_the_system(
    shared_root: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[DatomfsError]
) -> None:
    store = open_store(shared_root)
    store.put(KEY, b"one")

    def fail(*arguments: object) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(expected):
        store.get(KEY)
