"""A project as of a moment: `@2026-03-31` and `@20260331T235959Z` in its directory, which resolve and are not listed.

Such a directory holds a link for each table that existed then, and nothing else, so that it is a SAS library and a data
set directory as it stands (design.md §2). A moment that is not over has no directory: what it showed could change.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from cachetools import LRUCache

from datomfs.errors import TableNotFound
from datomfs.layout import parse_as_of_name, parse_table_link_name, table_link_name
from datomfs.vfs.nodes import AsOfDir, AsOfLink, Node
from datomfs.vfs.room import Entries
from datomfs.vfs.source import Current, Source

log = logging.getLogger(__name__)

_TOLD = 1_000


class AsOfRoom:
    """The moments of all projects. `clock` gives nanoseconds since 1970."""

    def __init__(self, source: Source, clock: Callable[[], int] = time.time_ns) -> None:
        self._source = source
        self._clock = clock
        self._told: LRUCache[tuple[str, str], None] = LRUCache(_TOLD)

    def find_directory(self, project: str, name: str) -> AsOfDir | None:
        """The directory of that name in a project; None for what is no date, or not over yet. Asks nobody."""
        when = parse_as_of_name(name)
        if when is None:
            return None
        if when.time_ns >= self._clock():
            if (project, name) not in self._told:  # programs ask again and again
                self._told[project, name] = None
                log.info("%s/%s does not exist yet: that moment is not over (days end at midnight UTC)", project, name)
            return None
        return AsOfDir(project, when.text, when.time_ns)

    async def find(self, directory: AsOfDir, name: str) -> Node | None:
        """The link of a table that existed then. Raises what is wrong with the table where nobody can say."""
        table = parse_table_link_name(name)
        if table is None:
            return None
        view = await self._source.moment(directory.project, directory.time_ns)
        if table in view.broken:
            raise view.broken[table]
        return _link(directory, table, view.tables[table]) if table in view.tables else None

    async def renew(self, link: AsOfLink) -> AsOfLink:
        """A link that was found before, as it is now. Raises TableNotFound where the table has no version there now."""
        view = await self._source.moment(link.project, link.directory.time_ns)
        if link.table not in view.tables:
            raise TableNotFound(link.project, link.table)
        return _link(link.directory, link.table, view.tables[link.table])

    async def entries(self, directory: AsOfDir) -> Entries:
        """All tables that existed then; an error where it cannot be said of one: it must not look as if it was not."""
        view = await self._source.moment(directory.project, directory.time_ns)
        for error in view.broken.values():
            raise error
        return [(table_link_name(table), _link(directory, table, view.tables[table])) for table in sorted(view.tables)]


def _link(directory: AsOfDir, table: str, then: Current) -> AsOfLink:
    return AsOfLink(directory, table, then.version, then.time_ns)
