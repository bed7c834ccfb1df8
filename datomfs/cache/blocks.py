"""Where the pieces of one object are put and found: on disk as long as the disk takes them, else in memory.

Whoever reads sees one object and need not know which piece lies where.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from datomfs.cache.block_file import PIECE, BlockFile
from datomfs.cache.block_memory import BlockMemory
from datomfs.cache.extents import Range
from datomfs.cache.folder import CacheFolder

log = logging.getLogger(__name__)

Bytes = bytes | bytearray
"""Bytes on their way to a reader. Copying them once more would cost as much as fetching them from the page cache."""


@dataclass(slots=True)
class Room:
    """Room on disk for a range that is on its way: bytes reserved and not yet written. None of it: memory."""

    bytes: int


class Blocks:
    """The pieces of one object of `size` bytes; `name` is its name in the cache folder, in use until it is closed."""

    def __init__(self, folder: CacheFolder, memory: BlockMemory, name: str, size: int) -> None:
        self.size = size
        self.name = name
        self.is_spilled = False
        """Whether the disk did not take something that came."""
        self._folder = folder
        self._file: BlockFile | None = folder.open(name, size)
        self._memory = memory.blocks()

    def close(self) -> None:
        """Give file and memory back."""
        self._memory.close()
        if self._file is not None:
            self._file.close()
            self._folder.leave(self.name)

    @property
    def is_believed(self) -> bool:
        """Whether its bytes are taken for those of the SHA-256 in its name; else that says whence they come, too."""
        return "-" not in self.name

    @property
    def window(self) -> int:
        """How many bytes may be on their way ahead of a reader: in memory, more would push out what comes first."""
        return self._memory.budget // 2

    @property
    def stored_bytes(self) -> int:
        """How many bytes are on disk."""
        return self._file.stored_bytes if self._file is not None else 0

    @property
    def is_on_disk(self) -> bool:
        """Whether all of it is."""
        return self._file is not None and self._file.is_complete

    def missing(self, start: int, end: int) -> list[Range]:
        """The parts of a range that are neither on disk nor in memory."""
        gaps = self._file.missing(start, end) if self._file is not None else [Range(start, end)]
        return [part for gap in gaps for part in self._memory.missing(*gap)]

    def refresh(self) -> None:
        """See what other processes have brought."""
        if self._file is not None:
            self._file.refresh()

    def reserve(self, count: int) -> Room:
        """Room for that many bytes, on disk if it can be."""
        fits = self._file is not None and not self._file.is_gone and self._folder.reserve(self.name, count)
        return Room(count if fits else 0)

    def release(self, room: Room) -> None:
        """Give back what of a room was not used."""
        if room.bytes and self._file is not None and not self._file.is_gone:  # what is counted went with its file
            self._folder.release(self.name, room.bytes)
        room.bytes = 0

    def write(self, start: int, piece: memoryview, room: Room) -> None:
        """Keep a piece of a range that has this room."""
        if self._file is not None and room.bytes >= len(piece):
            try:
                self._file.write(start, piece)
                room.bytes -= len(piece)
                return
            except OSError as error:
                log.warning("the cached copy %s takes no more: %s", self._file.path, error.strerror)
                self.release(room)
        self.is_spilled = True
        self._memory.write(start, piece)

    def read_nowait(self, start: int, end: int) -> Bytes | None:
        """A range that is in memory, else None; never waits for a disk."""
        data = self._file.read_nowait(start, end) if self._file is not None else None
        return self._memory.read(start, end) if data is None else data

    def read(self, start: int, end: int) -> bytes | None:
        """A range, or None where something of it is missing."""
        parts: list[bytes | None] = []
        gaps = self._file.missing(start, end) if self._file is not None else [Range(start, end)]
        for gap in [*gaps, Range(end, end)]:
            if start < gap.start and self._file is not None:
                parts.append(self._file.read(start, gap.start))
            if gap.length:
                parts.append(self._memory.read(*gap))
            start = gap.end
        found = [part for part in parts if part is not None]
        return b"".join(found) if len(found) == len(parts) else None

    def check(self) -> bool:
        """Whether every piece on disk has its digest; those that have not are dropped."""
        return self._file is None or self._file.check(lambda: None)

    def forget(self) -> None:
        """Drop what is in memory alone."""
        self._memory.close()

    def keep(self) -> None:
        """Put on disk what is in memory alone: it is proven now."""
        for gap in self._file.missing(0, self.size) if self._file is not None else []:
            for start in range(gap.start, gap.end, PIECE):
                piece = self._memory.read(start, min(start + PIECE, gap.end))
                if piece is not None:
                    room = self.reserve(len(piece))
                    self.write(start, memoryview(piece), room)
                    self.release(room)
        if self.is_on_disk:
            self.forget()
            self.is_spilled = False

    def publish(self, sha256: str) -> bool:
        """Give a complete, proven object its place for everybody; whether it has it now."""
        if self._file is None or not self.is_on_disk or self._file.is_gone:
            return False
        if self.name == sha256:
            return True
        if not self._folder.publish(self._file, self.name, sha256):
            return False
        self.name = sha256
        return True

    def remove(self) -> None:
        """Take it out of the folder: its bytes are not what they should be."""
        self._folder.remove(self.name)
        self._memory.close()
