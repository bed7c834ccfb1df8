"""Fetching whole objects: in parts, all or nothing, proven before they have a name."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from datomfs.cache.download import _PART, fetch_proven
from datomfs.cache.proof import Recorded
from datomfs.errors import (
    DatomfsError,
    FileUnwritable,
    NoSpace,
    ObjectChanged,
    ObjectMissing,
    PayloadMismatch,
    StoreDenied,
    StoreUnreachable,
)
from datomfs.store.base import ObjectInfo
from tests.cache.stores import KEY, RemoteStore, put, recorded, sha256

LARGE = os.urandom(1 << 16) * ((3 * _PART + (1 << 16)) >> 16)
"""Three parts and a piece."""


@pytest.fixture
def store() -> RemoteStore:
    return RemoteStore()


def names(folder: Path) -> list[str]:
    """What a folder holds, hidden files too."""
    return sorted(os.listdir(folder))


def check_failure(
    store: RemoteStore, info: ObjectInfo, body: bytes, tmp_path: Path, kind: type[DatomfsError]
) -> DatomfsError:
    """The error of a fetch that leaves a file as it was, and nothing beside it."""
    target = tmp_path / "dm.parquet"
    target.write_bytes(b"before")
    with pytest.raises(kind) as caught:
        fetch_proven(store, info, recorded(body), target)
    assert ["dm.parquet"] == names(tmp_path)
    assert b"before" == target.read_bytes()
    return caught.value


@pytest.mark.parametrize(
    "body",
    [b"", b"x", LARGE[:_PART], LARGE[: _PART + 1], LARGE],
    ids=["nothing", "one byte", "one part", "one part and a byte", "several parts"],
)
def test_an_object_arrives_whole_and_alone(store: RemoteStore, tmp_path: Path, body: bytes) -> None:
    target = tmp_path / "dm.parquet"
    assert fetch_proven(store, put(store, body), recorded(body), target)
    assert body == target.read_bytes()
    assert ["dm.parquet"] == names(tmp_path)


def test_a_file_that_was_there_is_replaced(store: RemoteStore, tmp_path: Path) -> None:
    target = tmp_path / "dm.parquet"
    target.write_bytes(b"something longer than the object")
    assert fetch_proven(store, put(store, b"new"), recorded(b"new"), target)
    assert b"new" == target.read_bytes()


def test_parts_are_fetched_side_by_side_each_once(store: RemoteStore, tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def wait_for_the_others(start: int, data: bytes) -> bytes:
        together.wait(30)
        return data

    store.answer = wait_for_the_others
    assert fetch_proven(store, put(store, LARGE), recorded(LARGE), tmp_path / "x")
    assert 4 == store.most_at_once
    assert [(0, _PART), (_PART, _PART), (2 * _PART, _PART), (3 * _PART, 1 << 16)] == sorted(store.ranges)


def test_progress_is_told_as_parts_arrive(store: RemoteStore, tmp_path: Path) -> None:
    told: list[None] = []
    fetch_proven(store, put(store, LARGE), recorded(LARGE), tmp_path / "x", lambda: told.append(None))
    assert len(told) > 4


def test_a_short_part_is_a_fault_of_the_store(store: RemoteStore, tmp_path: Path) -> None:
    store.answer = lambda start, data: data[:-1] if start == _PART else data
    check_failure(store, put(store, LARGE), LARGE, tmp_path, StoreUnreachable)


def test_other_bytes_are_a_mismatch_with_both_hashes(store: RemoteStore, tmp_path: Path) -> None:
    store.answer = lambda start, data: data.replace(data[:1], b"?") if start == 2 * _PART else data
    error = check_failure(store, put(store, LARGE), LARGE, tmp_path, PayloadMismatch)
    assert isinstance(error, PayloadMismatch)
    assert sha256(LARGE) == error.expected
    assert error.expected != error.actual
    assert f"{KEY} in memory:remote" == error.where


def test_an_object_that_changes_on_the_way_is_never_mixed(store: RemoteStore, tmp_path: Path) -> None:
    changed = threading.Event()

    def change(start: int, data: bytes) -> bytes:
        if start == 0:
            store.put(KEY, LARGE[::-1])
            changed.set()
        return data

    store.ask = lambda start: start == 0 or changed.wait(30)
    store.answer = change
    check_failure(store, put(store, LARGE), LARGE, tmp_path, ObjectChanged)


def test_an_object_that_goes_away_is_missing(store: RemoteStore, tmp_path: Path) -> None:
    info = put(store, LARGE)
    store.delete(KEY)
    check_failure(store, info, LARGE, tmp_path, ObjectMissing)


def test_after_a_failure_no_more_parts_are_asked_for(store: RemoteStore, tmp_path: Path) -> None:
    def refuse(start: int, data: bytes) -> bytes:
        raise StoreDenied(store.url, KEY, "expired")

    store.answer = refuse
    body = b"ab" * (20 * _PART // 2)
    check_failure(store, put(store, body), body, tmp_path, StoreDenied)
    assert len(store.ranges) <= 8


def test_an_unforeseen_fault_in_a_part_leaves_nothing(store: RemoteStore, tmp_path: Path) -> None:
    def fail(start: int, data: bytes) -> bytes:
        raise RuntimeError("a fault of ours")

    store.answer = fail
    info = put(store, LARGE)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        fetch_proven(store, info, recorded(LARGE), tmp_path / "x")
    assert [] == names(tmp_path)


def test_data_sha_proves_what_was_written_before_cv1(store: RemoteStore, tmp_path: Path) -> None:
    assert fetch_proven(store, put(store, b"old"), Recorded(None, sha256(b"old")), tmp_path / "x")


def test_what_nothing_can_prove_is_fetched_and_said_so(store: RemoteStore, tmp_path: Path) -> None:
    assert not fetch_proven(store, put(store, b"old"), Recorded(None, sha256(b"values")), tmp_path / "x")
    assert b"old" == (tmp_path / "x").read_bytes()


def test_modes_follow_the_umask(store: RemoteStore, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        fetch_proven(store, put(store, b"x"), recorded(b"x"), tmp_path / "x")
    finally:
        os.umask(before)
    assert 0o640 == (tmp_path / "x").stat().st_mode & 0o777


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_folder_that_cannot_take_the_file_is_named(store: RemoteStore, tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileUnwritable) as caught:
        fetch_proven(store, put(store, b"x"), recorded(b"x"), tmp_path / folder / "x")
    assert str(tmp_path / folder) == caught.value.path


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        pytest.skip(f"no disk of its own can be made here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_so_and_left_as_it_was(store: RemoteStore, tiny_disk: Path) -> None:
    body = os.urandom(2 << 20)
    with pytest.raises(NoSpace) as caught:
        fetch_proven(store, put(store, body), recorded(body), tiny_disk / "x")
    assert str(tiny_disk) == caught.value.path
    assert [] == names(tiny_disk)
