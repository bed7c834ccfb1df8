"""Caches that are too small, disks that are full: reading goes on, and nothing is taken that must stay free."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from datomfs.cache.block_memory import BlockMemory
from datomfs.cache.blocks import Blocks
from datomfs.cache.folder import CacheFolder, Limits
from datomfs.store.base import ObjectInfo
from tests.cache.disks import mounted
from tests.cache.stores import KEY, RemoteStore, make_reader, nothing, put, recorded

MIB = 1 << 20
BODY = os.urandom(3 * MIB + 5)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    with mounted(tmp_path / "disk", "4m") as folder:
        yield folder


@pytest.fixture
def store() -> RemoteStore:
    return RemoteStore()


def read_twice(path: Path, store: RemoteStore, info: ObjectInfo, **options: int) -> list[bytes]:
    """All bytes of an object, read in two halves by a reader over a cache, and again by another one."""
    found = []
    for _ in range(2):
        with (
            closing(make_reader(path, **options)) as reader,
            closing(reader.open(store, info, recorded(BODY), nothing)) as payload,
        ):
            found.append(payload.read(0, 2 * MIB, nothing) + payload.read(2 * MIB, 2 * MIB, nothing))
    return found


def used(path: Path) -> int:
    """The bytes that files of a cache take on its disk."""
    folders = [path / "objects", path / "partial"]
    return sum(each.stat().st_blocks * 512 for folder in folders for each in folder.rglob("*") if each.is_file())


@pytest.mark.parametrize("quota", [0, 1, MIB, 3 * MIB])
def test_a_quota_smaller_than_one_object_is_kept_and_reading_is_right(
    tmp_path: Path, store: RemoteStore, quota: int
) -> None:
    info = put(store, BODY)
    assert [BODY, BODY] == read_twice(tmp_path, store, info, quota=quota)
    assert used(tmp_path) <= quota + 64 * 1024


def test_the_quota_makes_the_oldest_object_go(tmp_path: Path, store: RemoteStore) -> None:
    bodies = [os.urandom(300_000) for _ in range(5)]
    with closing(make_reader(tmp_path, quota=MIB)) as reader:
        for body in bodies:
            with closing(reader.open(store, put(store, body), recorded(body), nothing)) as payload:
                assert body == payload.read(0, len(body), nothing)
    with closing(CacheFolder(tmp_path, Limits(MIB, 0))) as folder:
        assert [recorded(body).sha256 for body in bodies[2:]] == [entry.name for entry in folder.entries()]
    assert used(tmp_path) <= MIB


@pytest.mark.expected_warnings
@pytest.mark.parametrize("min_free", [MIB, 3 * MIB, 100 * MIB])
def test_what_must_stay_free_on_the_disk_stays_free(disk: Path, store: RemoteStore, min_free: int) -> None:
    info = put(store, BODY)
    assert [BODY, BODY] == read_twice(disk / "cache", store, info, min_free=min_free)
    status = os.statvfs(disk)
    assert status.f_bavail * status.f_frsize >= min(min_free, 3.5 * MIB)


def test_older_objects_make_room_on_a_full_disk(disk: Path, store: RemoteStore) -> None:
    with closing(make_reader(disk / "cache", min_free=MIB)) as reader:
        for _ in range(6):
            body = os.urandom(MIB)
            with closing(reader.open(store, put(store, body), recorded(body), nothing)) as payload:
                assert body == payload.read(0, len(body), nothing)
                assert len(body) == payload.cached


@pytest.mark.expected_warnings
def test_a_disk_that_fills_up_while_a_piece_is_written_costs_no_bytes(disk: Path) -> None:
    with closing(CacheFolder(disk / "cache", Limits(1 << 30, 0))) as folder:
        blocks = Blocks(folder, BlockMemory(64 * MIB), f"{os.geteuid()}/{KEY.replace('/', '-')}", len(BODY))
        room = blocks.reserve(len(BODY))
        assert len(BODY) == room.bytes
        (disk / "somebody-elses").write_bytes(b"x" * (2 * MIB))
        for start in range(0, len(BODY), MIB):
            blocks.write(start, memoryview(BODY)[start : start + MIB], room)
        blocks.release(room)
        assert 0 < blocks.stored_bytes < len(BODY)
        assert BODY == blocks.read(0, len(BODY))
        assert [] == blocks.missing(0, len(BODY))
        blocks.close()


@pytest.mark.expected_warnings
def test_a_disk_that_is_full_from_the_beginning_is_read_past(disk: Path, store: RemoteStore) -> None:
    status = os.statvfs(disk)
    (disk / "somebody-elses").write_bytes(b"x" * (status.f_bavail * status.f_frsize))
    assert [BODY, BODY] == read_twice(disk / "cache", store, put(store, BODY))


@pytest.mark.expected_warnings
def test_a_disk_that_becomes_readonly_is_read_from(tmp_path: Path, store: RemoteStore) -> None:
    with mounted(tmp_path / "disk", "8m") as disk:
        info = put(store, BODY)
        read_twice(disk / "cache", store, info)
        os.system(f"mount -o remount,ro {disk}")  # noqa: S605 - as an administrator would
        assert [BODY, BODY] == read_twice(disk / "cache", store, info)


@pytest.mark.expected_warnings
@pytest.mark.parametrize("memory", [2 * MIB, 8 * MIB])
def test_bytes_held_stay_within_the_memory_when_the_cache_takes_nothing(
    tmp_path: Path, store: RemoteStore, memory: int
) -> None:
    body = os.urandom(20 * MIB)
    most = [0]
    with closing(make_reader(tmp_path, quota=0, memory=memory)) as reader:
        kept = reader._memory
        store.answer = lambda start, data: most.append(kept._total) or data
        with closing(reader.open(store, put(store, body), recorded(body), nothing)) as payload:
            for start in range(0, len(body), 128 << 10):
                assert body[start : start + (128 << 10)] == payload.read(start, 128 << 10, nothing)
                most.append(kept._total)
        assert 0 < max(most) <= memory
        assert 0 == kept._total
