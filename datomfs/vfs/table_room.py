"""A table: its versions. Every one has its name; what is listed is the current one, unless all are asked for."""

from __future__ import annotations

from collections.abc import Sequence

from datomfs.errors import RecordedMissing, TableNotFound, VersionNotFound
from datomfs.layout import parse_version_file_name, version_file_name
from datomfs.vfs.nodes import Node, PayloadFile, TableDir
from datomfs.vfs.room import Entries, Listings
from datomfs.vfs.source import Source, TableView, VersionView


class TableRoom:
    """Tables. With `list_versions` all versions are listed, which tools that read a directory would unite."""

    def __init__(self, source: Source, *, list_versions: bool) -> None:
        self._source = source
        self._list_versions = list_versions
        self._listings: Listings[TableDir] = Listings()

    async def find(self, directory: TableDir, name: str) -> Node | None:
        """A version, under either spelling of its name. Raises VersionNotFound, VersionAmbiguous, RecordedMissing."""
        prefix = parse_version_file_name(directory.table, name)
        return None if prefix is None else _payload(directory, await self._resolve(directory, prefix))

    async def entries(self, directory: TableDir) -> Entries:
        """The current version, or all whose bytes the store has."""
        project, table = directory.project, directory.table
        if self._list_versions:
            view = await self._source.table(project, table)
            stored = [version for version in view.versions if version.size is not None]
            return self._listings.of(directory, view, lambda: _list(directory, view, stored))
        tables = (await self._source.project(project)).tables
        if table not in tables:
            raise TableNotFound(project, table)
        listed = [await self._resolve(directory, tables[table].version)]
        return _list(directory, await self._source.table(project, table), listed)

    async def _resolve(self, directory: TableDir, prefix: str) -> VersionView:
        """The version of a prefix; one that is not known yet is looked for again: it may have been written just now."""
        project, table = directory.project, directory.table
        try:
            return (await self._source.table(project, table)).resolve(prefix)
        except VersionNotFound:
            return (await self._source.table(project, table, fresh=True)).resolve(prefix)


def _list(directory: TableDir, view: TableView, versions: Sequence[VersionView]) -> Entries:
    return [(version_file_name(view.short(each.version)), _payload(directory, each)) for each in versions]


def _payload(directory: TableDir, version: VersionView) -> PayloadFile:
    project, table = directory.project, directory.table
    if version.size is None:
        raise RecordedMissing(f"the payload of {project}/{table}@{version.version[:8]}")
    return PayloadFile(project, table, version.version, version.size, version.time_ns)
