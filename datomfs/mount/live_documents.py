"""Documents as files, in a running mount: behind the clock, as their store or git has them, or made from them.

Every road of the documents is read through its catalog, so that what a file shows is what the mount itself reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from datomfs.catalog.catalog import Catalog
from datomfs.catalog.lineage import Lineage, Place
from datomfs.catalog.portfolio import Portfolio
from datomfs.errors import DatomfsError, NotFound, ObjectMissing, TableNotFound
from datomfs.layout import (
    GOVERNANCE_FILE,
    GOVERNANCE_KEY,
    HISTORY_CSV_FILE,
    HISTORY_FILE,
    LINEAGE_FILE,
    MANIFEST_FILE,
    MANIFEST_KEY,
    METADATA_FILE,
    PROJECT_FILES,
    SET_FILE,
    history_key,
    metadata_key,
)
from datomfs.model.history_csv import render_history_csv
from datomfs.mount.live_sets import LiveSets
from datomfs.mount.open_payloads import OpenPayloads
from datomfs.mount.views import Views
from datomfs.mount.work import Work
from datomfs.vfs.nodes import DocumentFile
from datomfs.vfs.source import Current, Handle, ProjectView

_MOST_BYTES = 32 << 20
"""How many bytes of documents, those looked at last, are kept for the next look."""
_NO_SNAPSHOT = "nobody kept the metadata of this version: this is what the current metadata tells"
_KEYS = {MANIFEST_FILE: MANIFEST_KEY, GOVERNANCE_FILE: GOVERNANCE_KEY}


class Shown(Protocol):
    """What is needed of the mount's source: what it knows of projects decides which documents there are."""

    sets: LiveSets

    async def projects(self) -> Sequence[str]: ...

    async def project(self, project: str) -> ProjectView: ...


class LiveDocuments:
    """Implements `vfs.document_source.DocumentSource`. All methods run in the trio thread."""

    def __init__(
        self, portfolio: Portfolio, work: Work, shown: Shown, files: OpenPayloads, *, refresh_s: float
    ) -> None:
        self._portfolio = portfolio
        self._work = work
        self._shown = shown
        self._files = files
        self._lineage = Lineage(portfolio.catalog)
        self._documents: Views[DocumentFile, bytes | None] = Views(
            work, refresh_s=refresh_s, limit=_MOST_BYTES, weight=_weight
        )

    async def names(self, project: str) -> Sequence[str]:
        """The project's own documents; one that cannot be read is among them, and who reads it is told why."""
        found: set[str] = set()

        async def look(name: str) -> None:
            try:
                exists = await self.find(DocumentFile(project, None, name)) is not None
            except DatomfsError:
                exists = True
            if exists:
                found.add(name)

        async with trio.open_nursery() as nursery:
            for name in PROJECT_FILES:
                nursery.start_soon(look, name)
        return [name for name in PROJECT_FILES if name in found]

    async def find(self, document: DocumentFile) -> bytes | None:
        """A document at most `refresh_s` old. Raises TableNotFound, RecordedMissing, DocumentError, AccessError."""
        what = "/".join(part for part in (document.project, document.artifact, document.name) if part)
        return await self._documents.get(document, lambda: self._read(document), what)

    def expire(self) -> None:
        """Have every document be read again the next time it is asked for."""
        self._documents.expire_all()

    def known_size(self, document: DocumentFile) -> int:
        """The bytes of a document as last read."""
        return len(self._documents.known(document) or b"")

    async def open(self, document: DocumentFile) -> Handle:
        """A document as it is now. Raises what `find` raises, and NotFound where there is none any more."""
        content = await self.find(document)
        if content is None:
            raise NotFound
        return self._files.open_snapshot(content, document.name)

    async def _read(self, document: DocumentFile) -> bytes | None:
        """The document. What else the mount knows is brought up to date first: along git that moves all of them."""
        if document.artifact is None and document.name not in _KEYS:
            await self._shown.projects()
            return await self._work.in_thread(self._read_governed, document.project, document.name)
        view = await self._shown.project(document.project)
        if document.artifact is None:
            return await self._work.in_thread(self._read_own, document.project, _KEYS[document.name])
        current = view.find(document.artifact)
        if current is None:
            raise TableNotFound(document.project, document.artifact)
        if document.name == SET_FILE:
            return await self._shown.sets.payload(document.project, document.artifact, current.version)
        return await self._work.in_thread(self._read_of_artifact, document, document.artifact, current)

    def _read_governed(self, project: str, name: str) -> bytes | None:
        governance = self._portfolio.governance
        try:
            return governance.get(project, name) if governance else None
        except ObjectMissing:
            return None

    def _read_own(self, project: str, key: str) -> bytes | None:
        try:
            return self._portfolio.catalog(project).documents.get(key)
        except ObjectMissing:
            return None

    def _read_of_artifact(self, document: DocumentFile, artifact: str, current: Current) -> bytes:
        catalog = self._portfolio.catalog(document.project)
        readers: dict[str, Callable[[], bytes]] = {
            METADATA_FILE: lambda: catalog.get_recorded(metadata_key(artifact)),
            HISTORY_FILE: lambda: catalog.get_recorded(history_key(artifact)),
            HISTORY_CSV_FILE: lambda: render_history_csv(catalog.read_history(artifact)),
            LINEAGE_FILE: lambda: self._walk(catalog, artifact, current.version),
        }
        return readers[document.name]()

    def _walk(self, catalog: Catalog, table: str, version: str) -> bytes:
        """The lineage of the current version; where nothing else tells of it, its metadata is the current one."""
        place = Place(catalog.project, table, version)
        metadata = catalog.find_metadata(table, version)
        if metadata is None:
            return self._lineage.walk(place, catalog.read_metadata(table), _NO_SNAPSHOT)
        return self._lineage.walk(place, metadata)


def _weight(content: bytes | None) -> int:
    return 1024 + len(content or b"")  # what is not there is remembered, too
