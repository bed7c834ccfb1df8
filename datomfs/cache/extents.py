"""Sets of byte ranges: what of an object is there, and what is on its way.

Pure. Ranges are half-open, `[start, end)`, in bytes; touching ranges are one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple


class Range(NamedTuple):
    """The bytes from `start` up to, and without, `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.end - self.start


class Extents:
    """A set of bytes, kept as sorted ranges that neither overlap nor touch. Not safe to use from several threads."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __iter__(self) -> Iterator[Range]:
        return map(Range, self._starts, self._ends)

    @property
    def total(self) -> int:
        """How many bytes are in the set."""
        return sum(self._ends) - sum(self._starts)

    def add(self, start: int, end: int) -> None:
        """Put a range into the set; what is there already stays."""
        if start >= end:
            return
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def remove(self, start: int, end: int) -> None:
        """Take a range out of the set, whether it is there or not."""
        if start >= end:
            return
        first = bisect_right(self._ends, start)
        last = bisect_left(self._starts, end)
        kept = [
            piece
            for left, right in zip(self._starts[first:last], self._ends[first:last], strict=True)
            for piece in (Range(left, min(right, start)), Range(max(left, end), right))
            if piece.length > 0
        ]
        self._starts[first:last] = [piece.start for piece in kept]
        self._ends[first:last] = [piece.end for piece in kept]

    def clear(self) -> None:
        """Empty the set."""
        self._starts.clear()
        self._ends.clear()

    def covers(self, start: int, end: int) -> bool:
        """Whether all of a range is in the set; an empty range always is."""
        if start >= end:
            return True
        place = bisect_right(self._starts, start) - 1
        return place >= 0 and end <= self._ends[place]

    def missing(self, start: int, end: int) -> list[Range]:
        """The parts of a range that are not in the set, in order."""
        gaps = []
        place = bisect_right(self._ends, start)
        while start < end:
            if place == len(self._starts) or self._starts[place] >= end:
                gaps.append(Range(start, end))
                break
            if start < self._starts[place]:
                gaps.append(Range(start, self._starts[place]))
            start = self._ends[place]
            place += 1
        return gaps
