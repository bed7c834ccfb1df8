"""Where blocks lie: along the chunks of a parquet file, else every 4 MiB."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.cache.grid import (
    LARGEST_BLOCK,
    PLAIN_BLOCK,
    Block,
    Grid,
    footer_length,
    parquet_grid,
    plain_grid,
)
from tests.cache.parquet import NARROW, WRITERS, chunks_by_arrow, write


def blocks(grid: Grid) -> list[Block]:
    """All blocks."""
    return [grid.block(index) for index in range(len(grid))]


def check_covers(grid: Grid, size: int) -> None:
    """The blocks are the file, without gaps, in order, none too large; each is found at its first and last byte."""
    found = blocks(grid)
    assert size == grid.size
    assert [0, *(block.end for block in found[:-1])] == [block.start for block in found]
    assert size == found[-1].end
    for block in found:
        assert block.start < block.end
        assert [block, block] == [grid.at(block.start), grid.at(block.end - 1)]


def grid_of(body: bytes) -> Grid | None:
    """The grid of a file, from all of its footer."""
    length = footer_length(body)
    assert length is not None
    return parquet_grid(len(body), body[-length:])


# -- plain ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10 * PLAIN_BLOCK))
def test_plain_blocks_are_4_mib_and_a_rest(size: int) -> None:
    grid = plain_grid(size)
    check_covers(grid, size)
    assert {PLAIN_BLOCK} >= {block.end - block.start for block in blocks(grid)[:-1]}
    assert not grid.is_parquet


def test_an_empty_object_has_one_empty_block() -> None:
    assert [Block(0, 0, 0, None)] == blocks(plain_grid(0))


# -- parquet -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", sorted(WRITERS.keys() - {"no rows"}))  # its chunks all lie at 0, says pyarrow
def test_each_chunk_is_a_block_with_its_column(writer: str) -> None:
    body = WRITERS[writer]()
    grid = grid_of(body)
    assert grid is not None
    assert grid.is_parquet
    check_covers(grid, len(body))
    chunks = chunks_by_arrow(body)
    assert [(start, end, column) for start, end, column in chunks] == [
        (block.start, block.end, block.column) for block in blocks(grid) if block.column is not None
    ]


@pytest.mark.parametrize("writer", WRITERS)
def test_the_footer_is_a_block(writer: str) -> None:
    body = WRITERS[writer]()
    grid = grid_of(body)
    assert grid is not None
    last = blocks(grid)[-1]
    assert (footer_length(body), None) == (last.end - last.start, last.column)


def test_a_chunk_over_8_mib_is_split_and_only_its_beginning_has_the_column() -> None:
    values = np.random.default_rng(1).random(2_500_000)
    body = write(pa.table({"a": values, "b": values}), row_group_size=2_500_000, use_dictionary=False)
    grid = grid_of(body)
    assert grid is not None
    check_covers(grid, len(body))
    assert max(block.end - block.start for block in blocks(grid)) == LARGEST_BLOCK
    assert [0, None, None, 1, None, None] == [block.column for block in blocks(grid)[1:7]]


def test_the_next_chunk_of_a_column_is_in_the_next_row_group() -> None:
    grid = grid_of(write(NARROW, row_group_size=1000))
    assert grid is not None
    first = next(block for block in blocks(grid) if block.column == 2)
    second = grid.next_of_column(first)
    third = grid.next_of_column(second) if second else None
    assert [4, 4] == [second.index - first.index, third.index - second.index]
    assert grid.next_of_column(third) is None


# -- what is no footer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", [b"", b"PAR1", b"\0\0\0\0PAR", b"\0\0\0\0PARE", b"an ordinary text file"])
def test_other_files_have_no_footer(tail: bytes) -> None:
    assert footer_length(tail) is None


def test_the_length_of_a_footer_includes_what_says_it() -> None:
    assert 308 == footer_length(b"...." + (300).to_bytes(4, "little") + b"PAR1")
    assert (1 << 32) + 7 == footer_length(b"\xff\xff\xff\xffPAR1")


@given(st.binary(max_size=300), st.integers(0, 1 << 24))
def test_garbage_that_ends_like_a_footer_raises_nothing(garbage: bytes, before: int) -> None:
    footer = garbage + len(garbage).to_bytes(4, "little") + b"PAR1"
    grid = parquet_grid(len(footer) + before, footer)
    if grid is not None:
        check_covers(grid, len(footer) + before)


BODY = write(NARROW, write_page_index=True)


@given(st.data())
def test_a_damaged_footer_gives_no_grid_or_one_that_covers_the_file(data: st.DataObject) -> None:
    length = footer_length(BODY) or 0
    footer = bytearray(BODY[-length:])
    for place in data.draw(st.lists(st.integers(0, length - 9), min_size=1, max_size=4)):
        footer[place] = data.draw(st.integers(0, 255))
    grid = parquet_grid(len(BODY), bytes(footer))
    if grid is not None:
        check_covers(grid, len(BODY))


def test_chunks_outside_the_file_are_believed_nothing() -> None:
    """As where somebody cut bytes out of the middle of a file."""
    length = footer_length(BODY) or 0
    assert parquet_grid(len(BODY) - 1000, BODY[-length:]) is None


def test_a_footer_of_other_bytes_is_no_grid() -> None:
    # Not any bytes: one in some thousands of random footers can be read, and says nothing.
    assert parquet_grid(1 << 20, b"\xff" * 1000 + b"\xe8\x03\0\0PAR1") is None
    assert parquet_grid(1 << 20, b"PAR1" * 250 + b"\xe8\x03\0\0PAR1") is None
