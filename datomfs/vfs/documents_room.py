"""`.datom`: the documents of a project as files, and all versions of each table and set as links with dates.

It resolves and is not listed by its project; what is in it is listed (docs/decisions/0015).
"""

from __future__ import annotations

from datomfs.errors import TableNotFound, VersionNotFound
from datomfs.layout import (
    PROJECT_FILES,
    SET_FILES,
    TABLE_FILES,
    VERSION_SUFFIX,
    VERSIONS_DIRECTORY,
    dated_name,
    parse_dated_name,
)
from datomfs.vfs.nodes import ArtifactDocumentsDir, DocumentFile, DocumentsDir, Node, VersionLink, VersionsDir
from datomfs.vfs.room import Entries, Listings
from datomfs.vfs.source import Source, TableView, VersionView


class DocumentsRoom:
    """`.datom` of projects."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def find(self, directory: DocumentsDir, name: str) -> Node | None:
        """A document that exists, or the directory of a table or a set."""
        if (await self._source.project(directory.project)).find(name) is not None:
            return ArtifactDocumentsDir(directory.project, name)
        return await _find_document(self._source, DocumentFile(directory.project, None, name), PROJECT_FILES)

    async def entries(self, directory: DocumentsDir) -> Entries:
        """The documents that exist, and a directory for each table and set."""
        project = directory.project
        view = await self._source.project(project)
        names = await self._source.documents.names(project)
        artifacts = sorted([*view.tables, *view.sets])
        return [
            *((name, DocumentFile(project, None, name)) for name in names),
            *((artifact, ArtifactDocumentsDir(project, artifact)) for artifact in artifacts),
        ]


class ArtifactDocumentsRoom:
    """The documents of tables and sets."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def find(self, directory: ArtifactDocumentsDir, name: str) -> Node | None:
        """A document, or the directory of all versions."""
        project, artifact = directory.project, directory.artifact
        if name == VERSIONS_DIRECTORY:
            return VersionsDir(project, artifact)
        return await _find_document(self._source, DocumentFile(project, artifact, name), await self._files(directory))

    async def entries(self, directory: ArtifactDocumentsDir) -> Entries:
        """The documents, none of which is read for that, and the directory of all versions."""
        project, artifact = directory.project, directory.artifact
        documents = [(name, DocumentFile(project, artifact, name)) for name in await self._files(directory)]
        return [*documents, (VERSIONS_DIRECTORY, VersionsDir(project, artifact))]

    async def _files(self, directory: ArtifactDocumentsDir) -> tuple[str, ...]:
        view = await self._source.project(directory.project)
        if view.find(directory.artifact) is None:
            raise TableNotFound(directory.project, directory.artifact)
        return SET_FILES if directory.artifact in view.sets else TABLE_FILES


class VersionsRoom:
    """All versions of tables and sets."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._listings: Listings[VersionsDir] = Listings()

    async def find(self, directory: VersionsDir, name: str) -> Node | None:
        """The version of a dated name, by any prefix of its digits. Raises VersionNotFound, VersionAmbiguous."""
        is_set = await self._is_set(directory)
        dated = name if is_set else name.removesuffix(VERSION_SUFFIX)
        prefix = parse_dated_name(dated)
        if prefix is None or (dated == name) != is_set:
            return None
        try:
            version = (await self._view(directory, is_set=is_set)).resolve(prefix)
        except VersionNotFound:  # it may have been written just now
            version = (await self._view(directory, is_set=is_set, fresh=True)).resolve(prefix)
        return _link(directory, version, is_set) if dated == dated_name(version.time_ns, prefix) else None

    async def entries(self, directory: VersionsDir) -> Entries:
        """Every version that one of its names resolves to, newest first."""
        is_set = await self._is_set(directory)
        view = await self._view(directory, is_set=is_set)
        return self._listings.of(directory, view, lambda: _list(directory, view, is_set))

    async def _is_set(self, directory: VersionsDir) -> bool:
        view = await self._source.project(directory.project)
        if view.find(directory.artifact) is None:
            raise TableNotFound(directory.project, directory.artifact)
        return directory.artifact in view.sets

    async def _view(self, directory: VersionsDir, *, is_set: bool, fresh: bool = False) -> TableView:
        read = self._source.sets.view if is_set else self._source.table
        return await read(directory.project, directory.artifact, fresh=fresh)


async def _find_document(source: Source, document: DocumentFile, names: tuple[str, ...]) -> Node | None:
    """A document, if it is one of `names` and exists; it is read, because its size is to be told."""
    return document if document.name in names and await source.documents.find(document) is not None else None


def _list(directory: VersionsDir, view: TableView, is_set: bool) -> Entries:
    suffix = "" if is_set else VERSION_SUFFIX
    return [
        (f"{dated_name(each.time_ns, view.short(each.version))}{suffix}", _link(directory, each, is_set))
        for each in view.versions
        if each.version not in view.ambiguous
    ]


def _link(directory: VersionsDir, version: VersionView, is_set: bool) -> VersionLink:
    return VersionLink(directory.project, directory.artifact, is_set, version.version, version.time_ns)
