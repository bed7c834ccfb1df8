"""Where the blocks of an object lie: along the chunks of a parquet file, else every 4 MiB (design.md §3).

Pure.
"""

from __future__ import annotations

import logging
from array import array
from bisect import bisect_right
from dataclasses import dataclass

from datomfs.cache.footer import find_chunks

log = logging.getLogger(__name__)

PLAIN_BLOCK = 4 << 20
LARGEST_BLOCK = 8 << 20
_MOST_CHUNKS = 200_000
"""Above this a footer takes seconds to walk; such a file is served along the plain grid."""

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
    chunks = find_chunks(footer[:-_TRAILER], most=_MOST_CHUNKS)
    if chunks is None:
        log.debug("a footer of %d bytes is of no use", len(footer))
        return None
    cuts = {0: _NO_COLUMN, size - len(footer): _NO_COLUMN}
    for start, end, column in chunks:
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
