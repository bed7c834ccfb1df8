"""Footers of parquet files: read as Arrow reads them, and no bytes whatever are a danger."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datomfs.cache.footer import find_chunks
from tests.cache.parquet import NARROW, WRITERS, chunks_by_arrow, write

MOST = 10_000
BODY = write(NARROW, write_page_index=True)


def footer_of(body: bytes) -> bytes:
    """The metadata of a file, without length and magic."""
    return body[-8 - int.from_bytes(body[-8:-4], "little") : -8]


@pytest.mark.parametrize("writer", WRITERS)
def test_chunks_are_those_that_arrow_sees(writer: str) -> None:
    body = WRITERS[writer]()
    assert chunks_by_arrow(body) == find_chunks(footer_of(body), most=MOST)


def test_a_dictionary_at_0_is_none() -> None:
    """Some writers say so where there is no dictionary."""
    body = write(NARROW.select(["USUBJID"]), row_group_size=len(NARROW))
    (chunk,) = chunks_by_arrow(body)
    dictionary_at_4, dictionary_at_0 = bytes([0x26, 8]), bytes([0x26, 0])
    at = body.index(dictionary_at_4, len(body) - len(footer_of(body)) - 8)
    changed = body[:at] + dictionary_at_0 + body[at + 2 :]
    metadata = pq.read_metadata(pa.BufferReader(changed)).row_group(0).column(0)
    assert 0 == metadata.dictionary_page_offset
    start = metadata.data_page_offset
    assert [(start, start + chunk[1] - chunk[0], 0)] == find_chunks(footer_of(changed), most=MOST)


def test_a_file_of_more_chunks_than_are_wanted_is_left_alone() -> None:
    footer = footer_of(write(NARROW, row_group_size=100))
    assert 120 == len(find_chunks(footer, most=120) or [])
    assert find_chunks(footer, most=119) is None


def test_a_footer_cut_short_anywhere_says_nothing() -> None:
    footer = footer_of(write(NARROW, row_group_size=1500))
    assert [None] * len(footer) == [find_chunks(footer[:length], most=MOST) for length in range(len(footer))]


@given(st.binary(max_size=200))
@example(b"")
@example(b"\x19\xfc" + b"\xff" * 8)
@example(b"\x1c" * 5000)
@example(b"\x1b\x7f\xcc" + b"\x00" * 500)
def test_any_bytes_can_be_looked_at(footer: bytes) -> None:
    find_chunks(footer, most=MOST)


@given(st.lists(st.tuples(st.integers(0, len(footer_of(BODY)) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_footer_can_be_looked_at(damage: list[tuple[int, int]]) -> None:
    """Arrow ends the process for some of these."""
    footer = bytearray(footer_of(BODY))
    for place, byte in damage:
        footer[place] = byte
    find_chunks(bytes(footer), most=MOST)


def test_an_encrypted_column_hides_the_layout() -> None:
    """Its chunk has no metadata in the clear: a chunk of a file offset alone."""
    file_metadata = bytes([0x49, 0x1C, 0x19, 0x1C, 0x26, 8, 0, 0, 0])
    assert find_chunks(file_metadata, most=MOST) is None
