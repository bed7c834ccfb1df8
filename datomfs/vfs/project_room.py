"""The mountpoint, which lists projects, and a project: its tables, each a link and a directory, and its sets."""

from __future__ import annotations

from operator import itemgetter

from datomfs.errors import ProjectNotFound, TableNotFound
from datomfs.layout import (
    DOCUMENTS_DIRECTORY,
    SHORT_VERSION_DIGITS,
    parse_table_link_name,
    table_link_name,
    version_file_name,
)
from datomfs.vfs.as_of_room import AsOfRoom
from datomfs.vfs.nodes import DocumentsDir, Node, ProjectDir, Root, SetDir, TableDir, TableLink
from datomfs.vfs.room import Entries, Listings
from datomfs.vfs.source import Current, ProjectView, Source


class PortfolioRoom:
    """The root."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def find(self, directory: Root, name: str) -> Node | None:
        """The project of that name."""
        return ProjectDir(name) if name in await self._source.projects() else None

    async def entries(self, directory: Root) -> Entries:
        """All projects."""
        return [(name, ProjectDir(name)) for name in await self._source.projects()]


class ProjectRoom:
    """Projects. Those that are locked have only what the lock names: no moments, and no documents."""

    def __init__(self, source: Source, moments: AsOfRoom, *, is_locked: bool) -> None:
        self._source = source
        self._is_locked = is_locked
        self._moments = moments
        self._listings: Listings[ProjectDir] = Listings()

    async def find(self, directory: ProjectDir, name: str) -> Node | None:
        """A table, as directory or link, a set, the documents, or the project as of a moment."""
        if name.startswith("@") and not self._is_locked:
            return self._moments.find_directory(directory.project, name)
        view = await self._source.project(directory.project)
        if name in view.tables:
            return TableDir(directory.project, name)
        if name in view.sets:
            return SetDir(directory.project, name)
        if name == DOCUMENTS_DIRECTORY and not self._is_locked:
            return DocumentsDir(directory.project)
        table = parse_table_link_name(name)
        return TableLink(directory.project, table) if table is not None and table in view.tables else None

    async def entries(self, directory: ProjectDir) -> Entries:
        """All tables, twice each, and all sets."""
        view = await self._source.project(directory.project)
        return self._listings.of(directory, view, lambda: _list(directory.project, view))

    def current(self, project: str, name: str) -> Current:
        """The current version of a table or a set, as was last read; a node of one exists only after that.

        Raises TableNotFound for one that has gone since.
        """
        view = self._source.known_project(project)
        if view is None:
            raise ProjectNotFound(project, "it is not known yet")
        current = view.find(name)
        if current is None:
            raise TableNotFound(project, name)
        return current

    def target(self, link: TableLink) -> str:
        """The link's text, `TABLE/@VERSION.parquet`, with as many digits as tell the version.

        A table that was never looked into gets the usual 8 digits: to list a thousand tables must not read a thousand
        histories. Should 8 not be enough, following the link reads the history and says so, and from then on the link
        has more (docs/decisions/0005).
        """
        current = self.current(link.project, link.table).version
        known = self._source.known_table(link.project, link.table)
        digits = known.short(current) if known else current[:SHORT_VERSION_DIGITS]
        return f"{link.table}/{version_file_name(digits)}"


def _list(project: str, view: ProjectView) -> Entries:
    tables = [
        entry
        for table in view.tables
        for entry in ((table, TableDir(project, table)), (table_link_name(table), TableLink(project, table)))
    ]
    return sorted([*tables, *((name, SetDir(project, name)) for name in view.sets)], key=itemgetter(0))
