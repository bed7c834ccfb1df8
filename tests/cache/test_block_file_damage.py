"""What crashes, power cuts and rot leave of a block file: fewer bytes, never other ones."""

from __future__ import annotations

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.cache.block_file import _HEAD, _RECORD, map_path
from datomfs.cache.extents import Range
from tests.cache.block_files import BODY, CUTS, SIZE, fill, flip, opened, put_back

pytestmark = pytest.mark.expected_warnings

MAP_SIZE = _HEAD.size + (len(CUTS) - 1) * _RECORD.size


@pytest.fixture
def path(tmp_path: Path) -> Path:
    fill(tmp_path / "object")
    return tmp_path / "object"


def test_a_map_cut_anywhere_names_the_whole_records_before_and_takes_new_ones(path: Path) -> None:
    """A process was killed in the middle of a record."""
    whole = map_path(path).read_bytes()
    for length in range(MAP_SIZE + 1):
        map_path(path).write_bytes(whole[:length])
        known = max(0, (length - _HEAD.size) // _RECORD.size)
        with opened(path) as file:
            assert CUTS[known] == file.stored_bytes
            assert BODY[: CUTS[known]] == file.read(0, CUTS[known])
        put_back(path)


@pytest.mark.parametrize("garbage", [b"x", b"\0" * 31, b"\xff" * 48, bytes(range(256)) * 9], ids=len)
def test_garbage_at_the_end_of_a_map_is_passed_over(path: Path, garbage: bytes) -> None:
    os.truncate(map_path(path), MAP_SIZE - _RECORD.size)
    with map_path(path).open("ab") as file:
        file.write(garbage)
    with opened(path) as opened_file:
        assert [Range(CUTS[-2], SIZE)] == opened_file.missing(0, SIZE)
    put_back(path)


def test_a_torn_record_of_another_process_does_not_hide_its_next_ones(path: Path) -> None:
    records = map_path(path).read_bytes()
    os.truncate(map_path(path), _HEAD.size)
    with opened(path) as file, map_path(path).open("ab", buffering=0) as other:
        other.write(records[_HEAD.size : _HEAD.size + 10])
        file.refresh()
        assert 0 == file.stored_bytes
        other.write(records[_HEAD.size :])
        file.refresh()
        assert BODY == file.read(0, SIZE)


@pytest.mark.parametrize("head", [b"", b"\0" * _HEAD.size, b"datomfs map 9\n\0\0" + b"\0" * _HEAD.size], ids=len)
def test_a_foreign_head_begins_the_map_anew(path: Path, head: bytes) -> None:
    map_path(path).write_bytes(head + map_path(path).read_bytes()[_HEAD.size :])
    with opened(path) as file:
        assert 0 == file.stored_bytes
    put_back(path)


def test_a_map_for_another_size_is_begun_anew(path: Path) -> None:
    with opened(path, SIZE + 1) as file:
        assert 0 == file.stored_bytes


def test_records_beyond_the_object_are_passed_over(path: Path) -> None:
    other = path.with_name("longer")
    fill(other, os.urandom(SIZE + 1))
    with map_path(path).open("ab") as file:
        file.write(map_path(other).read_bytes()[_HEAD.size :])
    with opened(path) as opened_file:
        assert BODY == opened_file.read(0, SIZE)


# -- power cuts ----------------------------------------------------------------------------------------------------


def test_bytes_that_a_power_cut_lost_are_missing_when_they_are_read(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(CUTS[2])
        file.truncate(SIZE)
    with opened(path) as opened_file:
        assert BODY[: CUTS[2]] == opened_file.read(0, CUTS[2])
        assert opened_file.read(CUTS[2], SIZE) is None
        assert opened_file.read(SIZE - 1, SIZE) is None
    with opened(path) as opened_file:
        assert not opened_file.check(lambda: None)
        assert [Range(CUTS[2], SIZE)] == opened_file.missing(0, SIZE)


def test_a_file_that_a_power_cut_took_is_begun_anew(path: Path) -> None:
    """Its map names bytes that nobody has any more: to find out by reading them would cost a miss for each piece."""
    path.unlink()
    with opened(path) as file:
        assert 0 == file.stored_bytes
    put_back(path)


# -- rot -----------------------------------------------------------------------------------------------------------


@given(st.data())
def test_one_bit_anywhere_costs_bytes_and_changes_none(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("rot")
    path = folder / "object"
    fill(path)
    rots = data.draw(st.sampled_from([path, map_path(path)]))
    is_open = data.draw(st.booleans())
    if is_open:
        with opened(path) as file:
            file.read(0, SIZE)
            flip(rots, data.draw(st.integers(0, rots.stat().st_size * 8 - 1)))
            _check_reads(file, data)
    else:
        flip(rots, data.draw(st.integers(0, rots.stat().st_size * 8 - 1)))
        with opened(path) as file:
            _check_reads(file, data)
    put_back(path)
    shutil.rmtree(folder)


def _check_reads(file: object, data: st.DataObject) -> None:
    for _ in range(3):
        start = data.draw(st.integers(0, SIZE))
        end = data.draw(st.integers(start, SIZE))
        assert file.read_nowait(start, end) in (BODY[start:end], None)
        assert file.read(start, end) in (BODY[start:end], None)


def test_only_the_piece_that_rotted_is_missing(path: Path) -> None:
    flip(path, CUTS[3] * 8)
    with opened(path) as file:
        assert not file.check(lambda: None)
        assert [Range(CUTS[3], CUTS[4])] == file.missing(0, SIZE)
        assert BODY[: CUTS[3]] == file.read(0, CUTS[3])


def test_a_good_piece_over_a_rotten_one_still_counts(path: Path) -> None:
    """Another process wrote some of the same bytes in other pieces."""
    with opened(path) as file:
        file.write(0, memoryview(BODY)[:5001])
        flip(path, 5000 * 8)
    with opened(path) as file:
        file.check(lambda: None)
        assert [Range(5000, 5001)] == file.missing(0, SIZE)
        assert BODY[:5000] == file.read(0, 5000)


def test_what_somebody_else_changed_is_hashed_before_it_is_given_again(path: Path) -> None:
    with opened(path) as file:
        assert BODY == file.read(0, SIZE)
        os.utime(path)
        assert file.read_nowait(0, SIZE) is None
        assert BODY == file.read(0, SIZE)
        assert BODY == file.read_nowait(0, SIZE)


# -- several threads -----------------------------------------------------------------------------------------------


def test_many_threads_fill_read_and_refresh_one_file(tmp_path: Path) -> None:
    together = threading.Barrier(8)
    with opened(tmp_path / "shared") as file:

        def work(number: int) -> None:
            together.wait(30)
            for start in range(0, SIZE, 1000):
                at = (start + number * 5000) % SIZE
                file.write(at, memoryview(BODY)[at : at + 1000])
                file.refresh()
                assert BODY[at : at + 1000] == file.read(at, at + 1000)
                assert file.read_nowait(0, SIZE) in (BODY, None)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert BODY == file.read(0, SIZE)
