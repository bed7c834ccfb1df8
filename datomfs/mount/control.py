"""The one thing a mount can be told: to read everything that moves again, now.

It is told by reading an extended attribute of its root, which is not listed: the mount is read-only for the kernel, so
nothing can be written to it, and there is no socket. The value says what was found.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from datomfs.errors import DatomfsError
from datomfs.layout import CONTROL_REFRESH
from datomfs.mount.live_source import LiveSource
from datomfs.vfs.nodes import ROOT_INODE
from datomfs.vfs.source import ProjectView

_PAUSE_S = 1.0
"""From the beginning of one refresh to that of the next: who may look at the mount may ask, and asking costs stores."""
_SAME_S = 5.0
"""How long a process that asks again is told the same: programs ask for the length of a value first."""
_MOST_LINES = 100
_DIGITS = 8


class Control:
    """Refreshes of one mount, one at a time. All methods run in the trio thread."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        self._lock = trio.Lock()
        self._began_s = float("-inf")
        self._told: tuple[int, float, str] = (0, float("-inf"), "")

    async def ask(self, inode: int, name: str, pid: int) -> bytes | None:
        """What reading an extended attribute brings about, or None for one that brings about nothing."""
        if inode != ROOT_INODE or name != CONTROL_REFRESH:
            return None
        told_pid, told_s, told = self._told
        if pid != told_pid or trio.current_time() > told_s + _SAME_S:
            told = await self.refresh()
            self._told = (pid, trio.current_time(), told)
        return told.encode()

    async def refresh(self) -> str:
        """Read again what is known of projects, and say what has changed, a line each. Raises nothing."""
        async with self._lock:
            await trio.sleep_until(self._began_s + _PAUSE_S)
            self._began_s = trio.current_time()
            return "\n".join(_shortened(await self._refresh()))

    async def _refresh(self) -> list[str]:
        known = {project: view for project in self._source.looked_at if (view := self._source.known_project(project))}
        names = self._source.known_projects
        self._source.expire()
        lines: list[str] = []
        try:
            now = await self._source.projects()
            names = names or now  # the first time nothing is new
        except DatomfsError as error:
            return [f"the list of projects could not be read: {error.what}"]
        lines += [f"{project} is new" for project in now if project not in names]
        lines += [f"{project} has gone" for project in names if project not in now]
        found: dict[str, list[str]] = {}
        async with trio.open_nursery() as nursery:
            for project in known.keys() & set(now):
                nursery.start_soon(self._look_at, project, known[project], found)
        for project in sorted(found):
            lines += found[project]
        return lines or ["nothing has changed"]

    async def _look_at(self, project: str, before: ProjectView, found: dict[str, list[str]]) -> None:
        try:
            after = await self._source.project(project)
        except DatomfsError as error:
            found[project] = [f"{project}: {error.what}"]
            return
        lines = [f"{project} is served as it was: its store did not answer"] if self._source.is_away(project) else []
        found[project] = [*lines, *_differences(project, before, after)]


def _differences(project: str, before: ProjectView, after: ProjectView) -> Sequence[str]:
    def version(view: ProjectView, table: str) -> str:
        return view.tables[table].version[:_DIGITS]

    lines = []
    for table in sorted({*before.tables, *after.tables}):
        if table not in before.tables:
            lines.append(f"{project}/{table} is new: {version(after, table)}")
        elif table not in after.tables:
            lines.append(f"{project}/{table} has gone")
        elif before.tables[table].version != after.tables[table].version:
            lines.append(f"{project}/{table}: {version(before, table)} -> {version(after, table)}")
    return lines


def _shortened(lines: Sequence[str]) -> Sequence[str]:
    """As many lines as an attribute holds."""
    left = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], f"and {left} more"] if left > 0 else lines
