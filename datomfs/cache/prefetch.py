"""What to fetch when the kernel asks for a range: how much of which block, and what ahead of it (design.md §3).

Pure: it sees one payload's requests and answers with ranges; whoever asks leaves out what is there or on its way. The
kernel asks for 128 KiB at most, begins at a page, and reads ahead for up to 128 KiB on its own, so most requests say
little about what the program wants. The rules:

1. a jump to the start of a block is for a column chunk: the whole block, with what the kernel adds on both sides of
   it: up to 8 KiB before, the page that the block begins in, and the 128 KiB of its read-ahead behind
2. a jump into a block is a look-up: what was asked for, or 512 KiB where that was as much as the kernel asks at once,
   and then more and more as reading goes on
3. reading that goes on past a block's end: exactly what is asked for, until it is deeper in the next block than
   read-ahead would be; then as for a look-up
4. reading that has gone on for 2 MiB, or that begins with the file: in sequence, a window that doubles up to 64 MiB
5. a column asked for in two row groups in a row: its chunks in the next row groups
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from datomfs.cache.extents import Range
from datomfs.cache.grid import LARGEST_BLOCK, Block, Grid

_REQUEST = 128 << 10
"""The most that the kernel asks for at once, and how far its read-ahead goes."""

_PAGE = 4 << 10
_PAGE_SPILL = 8 << 10
_SPILL = 256 << 10
_LOOK_UP = 512 << 10
_SEQUENCE = 2 << 20
_NEAR = 512 << 10
"""How far from where a stream stands a request may lie and still go on with it: two are under way at once, and they
may arrive in either order."""

_FIRST_WINDOW = 8 << 20
_WINDOW_OF_BEGINNING = 32 << 20
LARGEST_WINDOW = 64 << 20
_SEQUENTIAL_START = 64 << 10
"""How much a request at the start of a file must ask for to be the start of reading all of it."""

_STREAMS = 1024
_ROW_GROUPS_AHEAD = 4


_DEMANDED_GET = 2 << 20
_LARGEST_GET = 8 << 20
"""What somebody waits for comes over several connections at once; what lies far ahead costs fewer requests."""


@dataclass(slots=True)
class Plan:
    """What a request needs now, and what is worth having soon, in the order it will be wanted; bytes in one GET."""

    needed: list[Range]
    ahead: list[Range] = field(default_factory=list)
    get_size: int = _DEMANDED_GET


@dataclass(slots=True)
class _Stream:
    """One place where somebody reads on: from where it jumped to, to what it asked for last."""

    start: int
    reached: int
    chunk_end: int
    """The end of the column chunk it was begun for; its start, if it was for none."""
    fetched: int
    """Up to where its bytes have been asked for from the store."""
    window: int = 0


class Planner:
    """The plans of one payload. `largest_window` bounds what is ahead of a reader, in bytes. Not thread-safe."""

    def __init__(self, grid: Grid, *, largest_window: int = LARGEST_WINDOW) -> None:
        self._grid = grid
        self._largest_window = largest_window
        self._streams: OrderedDict[int, _Stream] = OrderedDict()
        """By where they stand, in steps of `_NEAR`; of two that have come to the same place one is enough."""
        self._footer_read = False
        self._columns: dict[int, int] = {}
        """For each column the block at which it was last asked for."""

    def plan(self, offset: int, end: int) -> Plan:
        """What the request for `[offset, end)` is worth. `end` is within the object, and beyond `offset`."""
        self._footer_read = self._footer_read or (self._grid.is_parquet and end == self._grid.size)
        stream = self._find_stream(offset)
        return self._jump(offset, end) if stream is None else self._go_on(stream, offset, end)

    # -- jumps -----------------------------------------------------------------------------------------------------

    def _jump(self, offset: int, end: int) -> Plan:
        if self._begins_sequence(offset, end):
            stream = _Stream(offset, end, end, end)
            self._put_stream(stream)
            return self._open_window(stream, [Range(offset, end)], _WINDOW_OF_BEGINNING)
        block, is_chunk = self._grid.at(offset), self._begins_block(offset)
        if is_chunk:
            if offset > block.start or self._is_gap(block):
                block = self._grid.at(block.end)
            wanted = Range(offset, max(end, self._as_read(block).end))
            ahead = self._column_ahead(block)
        else:
            wanted = Range(
                offset, max(end, min(offset + _LOOK_UP, self._grid.size)) if end - offset >= _REQUEST else end
            )
            ahead = []
        self._put_stream(_Stream(offset, end, block.end if is_chunk else offset, wanted.end))
        return Plan([wanted], ahead)

    def _begins_sequence(self, offset: int, end: int) -> bool:
        """A file read from its very start, by much at once, and not through its footer: by cp, or to be hashed."""
        return offset == 0 and end >= min(_SEQUENTIAL_START, self._grid.size) and not self._footer_read

    def _column_ahead(self, block: Block) -> list[Range]:
        """The chunks of the column in the next row groups, if the last one asked for was in the row group before."""
        if block.column is None:
            return []
        last = self._columns.get(block.column)
        self._columns[block.column] = block.index
        if last is None or self._grid.next_of_column(self._grid.block(last)) != block:
            return []
        return self._following(block)

    def _following(self, block: Block) -> list[Range]:
        ahead: list[Range] = []
        room = min(4 * LARGEST_BLOCK, self._largest_window)
        following: Block | None = block
        for _ in range(_ROW_GROUPS_AHEAD):
            following = self._grid.next_of_column(following) if following is not None else None
            if following is None or following.end - following.start > room:
                break
            room -= following.end - following.start
            ahead.append(self._as_read(following))
        return ahead

    def _as_read(self, block: Block) -> Range:
        """A chunk as the kernel reads it: from the page it begins in, and with read-ahead from the page it ends in.

        Planned as it will be asked for, each chunk is one GET, and not three.
        """
        read_ahead = -(-block.end // _PAGE) * _PAGE + _REQUEST
        return Range(block.start // _PAGE * _PAGE, min(read_ahead, self._grid.size))

    # -- going on --------------------------------------------------------------------------------------------------

    def _find_stream(self, offset: int) -> _Stream | None:
        """The stream that a request goes on with, which is taken out to be put back where it then stands."""
        begins_block = self._begins_block(offset)
        ahead = 0 if begins_block else _NEAR
        for place in (offset // _NEAR, offset // _NEAR + 1, offset // _NEAR - 1):
            stream = self._streams.get(place)
            if stream is None or not stream.reached - _NEAR <= offset <= stream.reached + ahead:
                continue
            if begins_block and not stream.window and offset != stream.reached:
                continue  # the column beside the one that read-ahead went past
            return self._streams.pop(place)
        return None

    def _begins_block(self, offset: int) -> bool:
        """Whether a request at `offset` is one for a column chunk: a near one is no less a jump than a far one."""
        if not self._grid.is_parquet:
            return False
        block = self._grid.at(offset)
        return offset == block.start or (block.end - offset <= _PAGE_SPILL and block.end < self._grid.size)

    def _is_gap(self, block: Block) -> bool:
        """Whether a block is the few bytes before a chunk that belong to none, as at the beginning of a file."""
        return block.column is None and block.end - block.start <= _PAGE_SPILL and block.end < self._grid.size

    def _put_stream(self, stream: _Stream) -> None:
        self._streams[stream.reached // _NEAR] = stream
        if len(self._streams) > _STREAMS:
            self._streams.popitem(last=False)

    def _go_on(self, stream: _Stream, offset: int, end: int) -> Plan:
        stream.reached = max(stream.reached, end)
        self._put_stream(stream)
        needed = [Range(offset, end)]
        if stream.window:
            if stream.reached <= stream.fetched - stream.window // 2:
                return Plan(needed)
            stream.window = min(2 * stream.window, self._largest_window)
            return self._advance(stream, needed, stream.window)
        beyond = stream.reached - stream.chunk_end
        if stream.chunk_end > stream.start and beyond <= _SPILL:
            return Plan(needed)
        return self._open_window(stream, needed, _FIRST_WINDOW) if beyond > _SEQUENCE else self._deeper(stream, needed)

    def _deeper(self, stream: _Stream, needed: list[Range]) -> Plan:
        """As much again as was read in a row so far, when half of what was fetched is used up."""
        run = stream.reached - max(stream.start, stream.chunk_end)
        if stream.reached < stream.fetched - _SPILL:
            return Plan(needed)
        return self._advance(stream, needed, max(_LOOK_UP, run))

    def _open_window(self, stream: _Stream, needed: list[Range], length: int) -> Plan:
        stream.window = min(length, self._largest_window)
        return self._advance(stream, needed, stream.window)

    def _advance(self, stream: _Stream, needed: list[Range], length: int) -> Plan:
        """What has not been asked for of the next `length` bytes of a stream; sixteen GETs fill a large window."""
        begin, upto = max(stream.fetched, stream.reached), min(stream.reached + length, self._grid.size)
        stream.fetched = max(begin, upto)
        ahead = [Range(begin, upto)] if begin < upto else []
        return Plan(needed, ahead, min(max(length // 16, _DEMANDED_GET), _LARGEST_GET))


def split(whole: Range, largest: int) -> list[Range]:
    """A range in as few parts of about the same length as it takes."""
    count = -(-whole.length // largest)
    bounds = [whole.start + whole.length * part // count for part in range(count + 1)] if count else []
    return list(map(Range, bounds, bounds[1:]))
