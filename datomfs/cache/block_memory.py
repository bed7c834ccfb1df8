"""Pieces of objects kept in memory, for when the cache's disk takes none: as many as a budget allows.

The least recently used go first. A piece that went is missing again, and is fetched again when somebody wants it.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from datomfs.cache.extents import Extents, Range


class BlockMemory:
    """The pieces of all objects of a process, within `budget` bytes. Safe to use from several threads."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._lock = Lock()
        self._pieces: OrderedDict[tuple[int, int], tuple[MemoryBlocks, bytes]] = OrderedDict()
        self._total = 0

    def blocks(self) -> MemoryBlocks:
        """A place for the pieces of one more object."""
        return MemoryBlocks(self)

    def keep(self, owner: MemoryBlocks, start: int, data: bytes) -> None:
        """Keep a piece, and drop the oldest ones that no longer fit."""
        with self._lock:
            self._forget((id(owner), start))
            while self._pieces and self._total + len(data) > self.budget:
                self._forget(next(iter(self._pieces)))
            self._pieces[id(owner), start] = owner, data
            self._total += len(data)
            owner.starts.add(start)
            owner.extents.add(start, start + len(data))

    def find(self, owner: MemoryBlocks, start: int, end: int) -> bytes | None:
        """A range of an object's pieces, which count as used now; None where something of it is not there."""
        with self._lock:
            if not owner.extents.covers(start, end):
                return None
            parts: list[bytes] = []
            for at in sorted(owner.starts):
                data = self._pieces[id(owner), at][1]
                if at < end and at + len(data) > start:
                    self._pieces.move_to_end((id(owner), at))
                    parts.append(data[max(start - at, 0) : end - at])
                    start = at + len(data)
            return b"".join(parts)

    def missing(self, owner: MemoryBlocks, start: int, end: int) -> list[Range]:
        """The parts of a range that are not among an object's pieces."""
        with self._lock:
            return owner.extents.missing(start, end)

    def drop(self, owner: MemoryBlocks) -> None:
        """Forget all pieces of an object."""
        with self._lock:
            for start in list(owner.starts):
                self._forget((id(owner), start))

    def _forget(self, key: tuple[int, int]) -> None:
        if key not in self._pieces:
            return
        owner, data = self._pieces.pop(key)
        self._total -= len(data)
        owner.starts.remove(key[1])
        owner.extents.remove(key[1], key[1] + len(data))


class MemoryBlocks:
    """The pieces of one object. Its fields are the memory's to change; they never overlap."""

    def __init__(self, memory: BlockMemory) -> None:
        self._memory = memory
        self.budget = memory.budget
        self.starts: set[int] = set()
        self.extents = Extents()

    def write(self, start: int, data: memoryview) -> None:
        """Keep a piece."""
        self._memory.keep(self, start, bytes(data))

    def read(self, start: int, end: int) -> bytes | None:
        """A range, or None where something of it is not there."""
        return self._memory.find(self, start, end)

    def missing(self, start: int, end: int) -> list[Range]:
        """The parts of a range that are not there."""
        return self._memory.missing(self, start, end)

    def close(self) -> None:
        """Forget all of it."""
        self._memory.drop(self)
