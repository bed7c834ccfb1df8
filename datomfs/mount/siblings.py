"""Which tables of a project will be opened next, going by those that were: somebody who opens one after another.

Pure. `mount.live_source` tells it what is opened at its current version, and brings what it answers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

_ROW = 3
"""How many in a row make a habit."""
_AHEAD = 64


@dataclass(slots=True)
class _Walk:
    """Somebody's way through a project: the table opened last, how many in a row, and up to which more were named."""

    place: int
    run: int = 1
    named: int = 0


class Siblings:
    """The walks through all projects, one for each."""

    def __init__(self) -> None:
        self._walks: dict[str, _Walk] = {}

    def opened(self, project: str, table: str, tables: Sequence[str]) -> Sequence[str]:
        """What is worth bringing now that one of the sorted `tables` of a project is opened; mostly nothing."""
        place = bisect_left(tables, table)
        walk = self._walks.get(project)
        if walk is None or not walk.place <= place <= walk.place + 1:
            self._walks[project] = _Walk(place)
            return ()
        walk.run += place - walk.place
        walk.place = place
        # Half of those ahead are left when the next are named, so that they never run out.
        if walk.run < _ROW or walk.named - place > _AHEAD // 2:
            return ()
        begin = max(walk.named, place + 1)
        walk.named = place + 1 + _AHEAD
        return tables[begin : walk.named]
