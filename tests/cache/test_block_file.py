"""One object on disk: what was written is there, and given as it was written or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.cache.block_file import PIECE, BlockFile, map_path
from datomfs.cache.extents import Range
from tests.cache.block_files import BODY, SIZE, fill, opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "object"


def test_what_was_written_is_there_also_when_opened_again(path: Path) -> None:
    with opened(path) as file:
        file.write(5000, memoryview(BODY)[5000:9000])
    with opened(path) as file:
        assert [Range(0, 5000), Range(9000, SIZE)] == file.missing(0, SIZE)
        assert (4000, False) == (file.stored_bytes, file.is_complete)
        assert BODY[5001:8999] == file.read(5001, 8999)
        assert file.read(4999, 5001) is None
        assert file.read(8999, 9001) is None


@given(st.integers(0, SIZE), st.integers(0, SIZE))
def test_ranges_are_those_of_the_bytes_whatever_the_pieces(
    tmp_path_factory: pytest.TempPathFactory, start: int, end: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "ranges"
    if not path.exists():
        fill(path)
    start, end = min(start, end), max(start, end)
    with opened(path) as file:
        assert BODY[start:end] == file.read(start, end)
        assert file.read_nowait(start, end) in (BODY[start:end], None)


def test_bytes_are_hashed_where_they_are_in_memory_and_given_at_once(path: Path) -> None:
    fill(path)
    with opened(path) as file:
        assert BODY == file.read_nowait(0, SIZE)


def test_bytes_in_memory_without_their_digest_are_not_given(path: Path) -> None:
    fill(path)
    with path.open("r+b") as other:
        other.write(bytes([BODY[0] ^ 1]))
    with opened(path) as file:
        assert file.read_nowait(0, SIZE) is None


def test_bytes_just_written_are_given_from_memory(path: Path) -> None:
    with opened(path) as file:
        file.write(0, memoryview(BODY)[:100])
        assert BODY[:100] == file.read_nowait(0, 100)


@pytest.mark.parametrize("folder", [Path("/dev/shm"), None], ids=["tmpfs", "disk"])  # noqa: S108 - a file system
def test_where_nothing_tells_what_is_in_memory_bytes_come_all_the_same(
    tmp_path: Path, folder: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tmpfs knows no RWF_NOWAIT; a disk is made to refuse it."""
    real = os.preadv

    def refuse(fd: int, buffers: list[bytearray], offset: int, flags: int = 0) -> int:
        if flags & os.RWF_NOWAIT:
            raise OSError(95, "Operation not supported")
        return real(fd, buffers, offset, flags)

    if folder is None:
        monkeypatch.setattr(os, "preadv", refuse)
    elif not os.path.ismount(folder):
        pytest.skip(f"{folder} is no file system of its own")
    path = (folder or tmp_path) / f"datomfs-{os.getpid()}"
    try:
        fill(path)
        with opened(path) as file:
            assert BODY == file.read(0, SIZE)
            assert file.read_nowait(0, SIZE) is None
            assert BODY == file.read(0, SIZE)
    finally:
        for each in (path, map_path(path)):
            each.unlink()


def test_an_object_of_no_bytes_is_complete(path: Path) -> None:
    with opened(path, 0) as file:
        assert file.is_complete
        assert b"" == file.read(0, 0)


def test_a_file_takes_no_room_before_it_is_filled(path: Path) -> None:
    with opened(path, 1 << 40):
        assert 1 << 40 == path.stat().st_size
        assert path.stat().st_blocks < 100


def test_the_mode_is_private(path: Path) -> None:
    before = os.umask(0)
    try:
        fill(path)
    finally:
        os.umask(before)
    assert [0o600, 0o600] == [stat.S_IMODE(each.stat().st_mode) for each in (path, map_path(path))]


# -- names ---------------------------------------------------------------------------------------------------------


def test_a_renamed_file_goes_on_for_everybody_who_has_it_open(path: Path) -> None:
    with opened(path) as ours, opened(path) as theirs:
        ours.write(0, memoryview(BODY)[:20_000])
        ours.rename(path.with_name("proven"), mode=0o640)
        theirs.write(20_000, memoryview(BODY)[20_000:])
        ours.refresh()
        assert BODY == ours.read(0, SIZE)
        theirs.rename(path.with_name("proven"), mode=0o640)
        assert not ours.is_gone
    assert ["proven", "proven.map"] == sorted(os.listdir(path.parent))
    assert 0o640 == stat.S_IMODE(path.with_name("proven").stat().st_mode)
    with opened(path.with_name("proven")) as file:
        assert BODY == file.read(0, SIZE)


def test_a_file_that_is_not_there_any_more_cannot_be_renamed(path: Path) -> None:
    with opened(path) as file:
        path.unlink()
        with pytest.raises(FileNotFoundError):
            file.rename(path.with_name("proven"), mode=0o600)


def test_another_file_in_its_place_is_not_taken_for_it(path: Path) -> None:
    fill(path.with_name("proven"))
    with opened(path) as file:
        path.unlink()
        with pytest.raises(FileNotFoundError):
            file.rename(path.with_name("proven"), mode=0o600)


def test_a_deleted_file_serves_who_has_it_open(path: Path) -> None:
    fill(path)
    with opened(path) as file:
        assert not file.is_gone
        for each in (path, map_path(path)):
            each.unlink()
        assert file.is_gone
        assert BODY == file.read(0, SIZE)


@pytest.mark.parametrize("which", [lambda path: path, map_path], ids=["file", "map"])
def test_a_link_in_its_place_is_refused(path: Path, which: Callable[[Path], Path]) -> None:
    target = path.with_name("elsewhere")
    target.write_bytes(b"precious")
    which(path).symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        BlockFile(path, SIZE)
    assert b"precious" == target.read_bytes()


@pytest.mark.parametrize("which", [lambda path: path, map_path], ids=["file", "map"])
def test_a_folder_in_its_place_is_refused(path: Path, which: Callable[[Path], Path]) -> None:
    which(path).mkdir()
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(IsADirectoryError):
        BlockFile(path, SIZE)
    assert before == set(os.listdir("/proc/self/fd"))


def test_the_longest_piece_is_read_from_within(path: Path) -> None:
    body = os.urandom(2 * PIECE)
    fill(path, body)
    with opened(path, len(body)) as file:
        assert body[PIECE - 1 : PIECE + 1] == file.read(PIECE - 1, PIECE + 1)
