"""Where the blocks of an object lie: along the chunks of a parquet file, else every 4 MiB (design.md §3).

Pure, apart from importing pyarrow when a footer is parsed, or before: it takes 0.1 s and 37 MiB, and a daemon that only
serves folders never needs it. Nothing else of pyarrow is used in the daemon.
"""

from __future__ import annotations

import logging
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow.parquet as pq

log = logging.getLogger(__name__)

PLAIN_BLOCK = 4 << 20
LARGEST_BLOCK = 8 << 20
_MOST_CHUNKS = 200_000
"""Above this a footer takes seconds of pure Python to walk; such a file is served along the plain grid."""

_MAGIC = b"PAR1"
_TRAILER = 8  # the footer's length in four bytes, little-endian, and the magic (parquet-format, "File format")
_NO_COLUMN = -1


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its bytes `[start, end)`, its place in the grid, and the column it begins a chunk of, if any."""

    index: int
    start: int
    end: int
    column: int | None


class Grid:
    """The blocks of an object of `size` bytes, without gaps. `is_parquet` says that they follow a footer."""

    def __init__(self, size: int, starts: array[int], columns: array[int], *, is_parquet: bool) -> None:
        self.size = size
        self.is_parquet = is_parquet
        self._starts = starts
        self._columns = columns

    def __len__(self) -> int:
        return len(self._starts)

    def block(self, index: int) -> Block:
        """The block at a place of the grid."""
        end = self._starts[index + 1] if index + 1 < len(self._starts) else self.size
        column = self._columns[index]
        return Block(index, self._starts[index], end, None if column == _NO_COLUMN else column)

    def at(self, offset: int) -> Block:
        """The block that holds the byte at `offset`, which lies in the object."""
        return self.block(bisect_right(self._starts, offset) - 1)

    def next_of_column(self, block: Block) -> Block | None:
        """The block that begins the same column in the next row group, or None."""
        try:
            return self.block(self._columns.index(self._columns[block.index], block.index + 1))
        except ValueError:
            return None


def prepare() -> None:
    """Import what footers are parsed with, where there is time for it before the first one comes."""
    import pyarrow.parquet  # noqa: F401


def plain_grid(size: int) -> Grid:
    """Blocks of 4 MiB, the last one shorter."""
    starts = array("q", range(0, size, PLAIN_BLOCK) or [0])
    return Grid(size, starts, array("l", [_NO_COLUMN]) * len(starts), is_parquet=False)


def footer_length(tail: bytes) -> int | None:
    """How many bytes at the end of a parquet file are its footer, the trailer included; None for other files.

    `tail` is the end of the file, 8 bytes at least.
    """
    if len(tail) < _TRAILER or not tail.endswith(_MAGIC):
        return None
    return int.from_bytes(tail[-_TRAILER:-4], "little") + _TRAILER


def parquet_grid(size: int, footer: bytes) -> Grid | None:
    """The grid of a parquet file of `size` bytes that ends in `footer`; None where the footer cannot be used.

    The footer is a block, and so is each column chunk, in pieces of 8 MiB where it is larger. What lies between chunks
    (page indexes, bloom filters) is cut in the same way.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(pa.BufferReader(footer))
    except (pa.ArrowException, OSError) as error:
        log.debug("a footer of %d bytes cannot be parsed: %s", len(footer), error)
        return None
    if metadata.num_row_groups * metadata.num_columns > _MOST_CHUNKS:
        return None
    cuts = {0: _NO_COLUMN, size - len(footer): _NO_COLUMN}
    for start, end, column in _chunks(metadata):
        if not 0 <= start < end <= size - len(footer):
            return None
        cuts[start] = column
        cuts.setdefault(end, _NO_COLUMN)
    starts, columns = array("q"), array("l")
    ordered = sorted(cuts)
    for start, end in zip(ordered, [*ordered[1:], size], strict=True):
        pieces = range(start, end, LARGEST_BLOCK)
        starts.extend(pieces)
        columns.extend([cuts[start], *[_NO_COLUMN] * (len(pieces) - 1)])
    return Grid(size, starts, columns, is_parquet=True)


def _chunks(metadata: pq.FileMetaData) -> list[tuple[int, int, int]]:
    """Start, end and column of each column chunk."""
    chunks = []
    for group_index in range(metadata.num_row_groups):
        group = metadata.row_group(group_index)
        for column in range(metadata.num_columns):
            chunk = group.column(column)
            pages = [chunk.data_page_offset]
            if chunk.dictionary_page_offset is not None:
                pages.append(chunk.dictionary_page_offset)
            chunks.append((min(pages), min(pages) + chunk.total_compressed_size, column))
    return chunks
