"""The names of files and links that the kernel was told, so that it can be made to forget those nobody asks for.

The kernel forgets a name only when it runs short of memory itself, and as long as it remembers, the daemon has to:
`ls -lR` of a portfolio with all versions listed would take 700 bytes for each of 1.5 million files. Directories
are never taken back. There are few, and a shell that stands in one would find that it has lost its place.

Pure bookkeeping: `mount.operations` tells it of names, and hands those it gives back to the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

MOST_NAMES = 1 << 16
"""At 0.6 kB a name with its node, 40 MB of the daemon; far more than any directory that people list has."""

Name = tuple[int, bytes]
"""The inode of a directory, and a name in it."""


class ToldNames:
    """Names in the order in which they were told last. All methods run in the trio thread."""

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        self._told: dict[Name, None] = {}

    def tell(self, name: Name) -> Sequence[Name]:
        """A name was told; those told longest ago, a quarter of all, when there are too many. They count no more."""
        self._told.pop(name, None)
        self._told[name] = None
        if len(self._told) <= self._most:
            return ()
        oldest = list(islice(self._told, self._most // 4 + 1))
        for each in oldest:
            del self._told[each]
        return oldest
