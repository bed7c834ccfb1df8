"""The folder of the cache: who may read what, what is counted, and damage that costs nothing but bytes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from datomfs.cache.block_file import map_path
from datomfs.cache.folder import CacheFolder, Limits
from datomfs.cache.index import Index
from datomfs.errors import CacheUnusable
from tests.cache.processes import NOBODY, as_root, folder_for_all, run
from tests.cache.stores import sha256

SIZE = 10_000
BODY = os.urandom(SIZE)
SHA = sha256(BODY)
MINE = f"{os.geteuid()}/{SHA}"


@contextmanager
def opened(path: Path, *, quota: int = 1 << 20, group_readable: bool = False) -> Iterator[CacheFolder]:
    """The cache in a folder."""
    with closing(CacheFolder(path, Limits(quota, 0, group_readable))) as folder:
        yield folder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[CacheFolder]:
    with opened(tmp_path / "cache") as cache:
        yield cache


def bring(folder: CacheFolder, name: str = MINE, size: int = SIZE) -> None:
    """Put an object of that many bytes into the cache, and close it."""
    file = folder.open(name, size)
    assert folder.reserve(name, size)
    file.write(0, memoryview((BODY * (size // SIZE + 1))[:size]))
    file.close()
    folder.leave(name)


def publish(folder: CacheFolder) -> None:
    """Put a complete, proven object into the cache."""
    bring(folder)
    file = folder.open(MINE, SIZE)
    assert folder.publish(file, MINE, SHA)
    file.close()
    folder.leave(SHA)


def modes(path: Path) -> dict[str, int]:
    """The modes of what a cache holds, by path."""
    return {str(each.relative_to(path)): stat.S_IMODE(each.stat().st_mode) for each in [path, *path.rglob("*")]}


# -- modes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
@pytest.mark.parametrize("group_readable", [False, True])
def test_modes_are_what_the_settings_say_whatever_the_umask(tmp_path: Path, umask: int, group_readable: bool) -> None:
    shared, file, database = (0o2770, 0o640, 0o660) if group_readable else (0o700, 0o600, 0o600)
    before = os.umask(umask)
    try:
        with opened(tmp_path / "cache", group_readable=group_readable) as folder:
            publish(folder)
            bring(folder)
            found = modes(tmp_path / "cache")
    finally:
        os.umask(before)
    mine = f"partial/{os.geteuid()}"
    assert {
        ".": shared,
        "CACHEDIR.TAG": found["CACHEDIR.TAG"],
        "index.sqlite3": database,
        "index.sqlite3-wal": database,
        "index.sqlite3-shm": database,
        "objects": shared,
        f"objects/{SHA[:2]}": shared,
        f"objects/{SHA[:2]}/{SHA}": file,
        f"objects/{SHA[:2]}/{SHA}.map": file,
        "partial": shared,
        mine: 0o700,
        f"{mine}/{SHA}": 0o600,
        f"{mine}/{SHA}.map": 0o600,
    } == found


@as_root
@pytest.mark.expected_warnings
@pytest.mark.parametrize("whose", ["folder", "file", "map"])
def test_what_somebody_else_put_in_our_place_is_not_used(folder: CacheFolder, whose: str) -> None:
    bring(folder)
    place = folder.place(MINE)
    os.chown({"folder": place.parent, "file": place, "map": map_path(place)}[whose], NOBODY, NOBODY)
    assert folder.open(MINE, SIZE) is None
    if whose != "folder":
        assert not folder.holds(MINE, SIZE)


@as_root
def test_digests_of_another_user_are_not_believed_but_the_bytes_can_be_read(folder: CacheFolder) -> None:
    publish(folder)
    for path in (folder.place(SHA), map_path(folder.place(SHA))):
        os.chown(path, NOBODY, NOBODY)
    assert not folder.holds(SHA, SIZE)


@as_root
def test_another_user_makes_room_without_what_we_are_bringing() -> None:
    """Nobody else can remove it, and it is the oldest."""
    code = """
import os, sys
from pathlib import Path
from datomfs.cache.folder import CacheFolder, Limits
os.setegid(os.stat(sys.argv[1]).st_gid)
os.seteuid(int(sys.argv[2]))
folder = CacheFolder(Path(sys.argv[1]), Limits(50_000, 0, True))
for number in range(6):
    file = folder.open(f"{os.geteuid()}/{number}", 10_000)
    print(folder.reserve(f"{os.geteuid()}/{number}", 10_000))
    file.close()
    folder.leave(f"{os.geteuid()}/{number}")
"""
    with folder_for_all() as place:
        with opened(place / "cache", quota=50_000, group_readable=True) as folder:
            bring(folder)
        assert "True\n" * 6 == run(code, place / "cache", NOBODY)
        with opened(place / "cache", quota=50_000) as folder:
            assert [MINE, *(f"{NOBODY}/{number}" for number in range(2, 6))] == [
                entry.name for entry in folder.entries()
            ]
            assert folder.place(MINE).exists()


# -- what is counted -----------------------------------------------------------------------------------------------


def test_an_object_is_counted_from_when_its_room_is_taken(folder: CacheFolder) -> None:
    file = folder.open(MINE, SIZE)
    assert folder.reserve(MINE, SIZE)
    assert SIZE == folder.total() == folder.counted(MINE)
    folder.release(MINE, 4000)
    assert 6000 == folder.total()
    file.close()
    folder.leave(MINE)


def test_room_of_one_that_died_is_counted_until_its_object_is_opened(folder: CacheFolder) -> None:
    folder.open(MINE, SIZE).close()
    folder.leave(MINE)
    folder.reserve(MINE, SIZE)
    assert SIZE == folder.total()
    folder.open(MINE, SIZE).close()
    assert 0 == folder.total()


def test_room_of_one_that_lives_stays_counted_when_another_opens_the_object(folder: CacheFolder) -> None:
    with opened(folder.path) as other:
        theirs = other.open(MINE, SIZE)
        assert other.reserve(MINE, SIZE)
        folder.open(MINE, SIZE).close()
        assert SIZE == folder.total()
        theirs.close()
        folder.open(MINE, SIZE).close()
        assert 0 == folder.total()


def test_an_object_that_two_brought_is_counted_once(folder: CacheFolder) -> None:
    with opened(folder.path) as other:
        files = [(cache, cache.open(MINE, SIZE)) for cache in (folder, other)]
        for cache, file in files:
            assert cache.reserve(MINE, SIZE)
            file.write(0, memoryview(BODY))
        for cache, file in files:
            assert cache.publish(file, MINE, SHA)
            assert [(SHA, SIZE)] == [(entry.name, entry.bytes) for entry in folder.entries()]
            file.close()


def test_what_is_open_here_is_not_evicted(folder: CacheFolder) -> None:
    file = folder.open(MINE, SIZE)
    folder.reserve(MINE, SIZE)
    assert 0 == folder.evict(SIZE)
    file.close()
    folder.leave(MINE)
    assert SIZE == folder.evict(SIZE)
    assert not folder.place(MINE).exists()


def test_clearing_leaves_nothing_but_the_notes_of_pins(folder: CacheFolder) -> None:
    publish(folder)
    bring(folder, f"{os.geteuid()}/other")
    folder.pin(SHA, "STUDY_001/dm")
    folder.clear()
    assert [(SHA, 0, "STUDY_001/dm")] == [(entry.name, entry.bytes, entry.pin) for entry in folder.entries()]
    assert ["CACHEDIR.TAG"] == [each.name for each in folder.path.iterdir() if "index" not in each.name]


# -- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.expected_warnings
@pytest.mark.parametrize("garbage", [b"no database", b"SQLite format 3\0" + b"\xff" * 5000], ids=len)
def test_a_garbage_index_is_begun_anew(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "index.sqlite3").write_bytes(garbage)
    with opened(tmp_path / "cache") as folder:
        assert not folder.reserve(MINE, SIZE)
        bring(folder)
        assert SIZE == folder.total()


def test_an_index_closed_by_another_thread_is_opened_anew(folder: CacheFolder) -> None:
    bring(folder)
    closed: list[None] = []

    def ask(index: Index) -> int:
        if not closed:
            closed.append(folder.close())
        return index.total()

    assert SIZE == folder._ask(ask)


@pytest.mark.expected_warnings
def test_a_locked_index_is_no_damaged_one(folder: CacheFolder) -> None:
    bring(folder)

    def fail(index: Index) -> int:
        raise sqlite3.OperationalError("database is locked")

    assert folder._ask(fail) is None
    assert SIZE == folder.total()


def test_an_emptied_folder_is_used_again(folder: CacheFolder) -> None:
    bring(folder)
    shutil.rmtree(folder.path)
    bring(folder)
    assert SIZE == folder.total()


def test_a_folder_that_somebody_else_emptied_and_filled_has_one_index(folder: CacheFolder) -> None:
    bring(folder)
    shutil.rmtree(folder.path)
    with opened(folder.path) as other:
        bring(other, f"{os.geteuid()}/other")
        bring(folder)
        assert 2 * SIZE == folder.total() == other.total()


@pytest.mark.expected_warnings
def test_people_are_told_when_there_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "cache" / "index.sqlite3").mkdir(parents=True)
    with opened(tmp_path / "cache") as folder, pytest.raises(CacheUnusable):
        folder.total()
