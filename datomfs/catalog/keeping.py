"""Documents and listings that are kept as they are read, and read as they were kept while their store is away.

A catalog asks a store and keeps what it says; its `recalled` twin asks nobody. Which of the two is believed, and until
when, is the portfolio's to say: never both at a time, so that what is shown of a project is of about one moment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from datomfs.catalog.catalog import Catalog
from datomfs.catalog.documents import Documents
from datomfs.catalog.governance import Governance, Recalled
from datomfs.catalog.kept import Shelf
from datomfs.errors import AccessError, ObjectMissing, RefForbidden, StoreUnreachable
from datomfs.layout import MANIFEST_KEY
from datomfs.store.base import ObjectInfo, ReadableStore

_PROJECTS = "projects"


class KeepingDocuments:
    """Implements `catalog.documents.Documents`: those of a store, kept as they are read."""

    source = "storage"
    commit = None

    def __init__(self, documents: Documents, shelf: Shelf) -> None:
        self._documents = documents
        self._shelf = shelf

    @property
    def url(self) -> str:
        """The store's."""
        return self._documents.url

    def where(self, key: str) -> str:
        """As the store's."""
        return self._documents.where(key)

    def refresh(self) -> None:
        """As the store's."""
        self._documents.refresh()

    def get(self, key: str) -> bytes:
        """The document, kept from now on. Raises ObjectMissing."""
        body = self._documents.get(key)
        self._shelf.put(key, body)
        return body

    def find_commit(self, table: str, version: str) -> str | None:
        """As the store's."""
        return self._documents.find_commit(table, version)

    def at(self, time_ns: int) -> Documents | None:
        """As the store's."""
        return self._documents.at(time_ns)


class KeptDocuments(KeepingDocuments):
    """Implements `catalog.documents.Documents`: what was kept of a store's, and nothing else."""

    def refresh(self) -> None:
        """Nobody is asked."""

    def get(self, key: str) -> bytes:
        """The document as it was. Raises StoreUnreachable where it was never read: that it is missing, nobody knows."""
        found = self._shelf.find(key)
        if found is None:
            raise StoreUnreachable(self.where(key), key, "nothing was kept of it")
        return found.body


class KeepingCatalog(Catalog):
    """A catalog whose listings are kept, and its documents where a store tells them: git keeps its own."""

    def __init__(self, project: str, store: ReadableStore, documents: Documents, shelf: Shelf) -> None:
        self._is_mirrored = documents.source == KeepingDocuments.source
        super().__init__(project, store, KeepingDocuments(documents, shelf) if self._is_mirrored else documents)
        self._shelf = shelf

    def list_payloads(self, table: str) -> Mapping[str, ObjectInfo]:
        """Every payload of a table or a set by key; as was listed last, while the store is away.

        What a listing lacks counts as lost, never as unknown, so an old one hides nothing.
        """
        try:
            found = super().list_payloads(table)
        except RefForbidden:
            raise
        except AccessError:
            kept = self._shelf.find(_listing(table))
            if kept is None:
                raise
            return _parse(kept.body)
        self._shelf.put(_listing(table), _render(found))
        return found

    def list_all_payloads(self) -> Mapping[str, Mapping[str, ObjectInfo]]:
        """The same for all tables at once, by table."""
        found = super().list_all_payloads()
        for table, payloads in found.items():
            self._shelf.put(_listing(table), _render(payloads))
        return found

    def recall(self) -> RecalledCatalog | None:
        """The project as it was last read from its store, or None where nothing of it was kept."""
        manifest = self._shelf.find(MANIFEST_KEY) if self._is_mirrored else None
        if manifest is None:
            return None
        return RecalledCatalog(self.project, self.store, self.documents, self._shelf, manifest.checked_ns)


class RecalledCatalog(Catalog):
    """A catalog that asks nobody: for payloads that are in the cache, and for looking at what there was.

    `checked_ns` is when its manifest was last read from the store, nanoseconds since 1970.
    """

    def __init__(self, project: str, store: ReadableStore, documents: Documents, shelf: Shelf, checked_ns: int) -> None:
        super().__init__(project, store, KeptDocuments(documents, shelf))
        self._shelf = shelf
        self.checked_ns = checked_ns

    def list_payloads(self, table: str) -> Mapping[str, ObjectInfo]:
        """What was listed last. Raises StoreUnreachable where nothing was."""
        found = self._shelf.find(_listing(table))
        if found is None:
            raise StoreUnreachable(self.store.url, f"{table}/", f"no listing of {table} was kept")
        return _parse(found.body)

    def list_all_payloads(self) -> Mapping[str, Mapping[str, ObjectInfo]]:
        """Nobody kept which tables there are to list. Raises StoreUnreachable."""
        raise StoreUnreachable(self.store.url, "", "no listing of it was kept")


class KeepingGovernance:
    """Implements `catalog.governance.Governance` for gov storage: refs and the list of projects are kept.

    A ref that is kept is used while the storage is away, and no longer.
    """

    def __init__(self, governance: Governance, shelf: Shelf) -> None:
        self._governance = governance
        self._shelf = shelf

    @property
    def url(self) -> str:
        """The storage's."""
        return self._governance.url

    def refresh(self) -> None:
        """As the storage's."""
        self._governance.refresh()

    def projects(self) -> Sequence[str]:
        """Those of the storage, kept from now on."""
        found = self._governance.projects()
        self._shelf.put(_PROJECTS, json.dumps(list(found)).encode())
        return found

    def get(self, project: str, file_name: str) -> bytes:
        """The document, kept from now on; as it was while the storage is away. Raises ObjectMissing."""
        try:
            found = self._governance.get(project, file_name)
        except ObjectMissing:
            raise
        except AccessError:
            kept = self.recall(project, file_name)
            if kept is None:
                raise
            return kept
        self._shelf.put(f"{project}/{file_name}", found)
        return found

    def where(self, project: str, file_name: str) -> str:
        """As the storage's."""
        return self._governance.where(project, file_name)

    def recall(self, project: str, file_name: str) -> bytes | None:
        """The document as it was kept."""
        found = self._shelf.find(f"{project}/{file_name}")
        return found.body if found else None

    def recall_projects(self) -> Recalled | None:
        """The projects as they were kept."""
        found = self._shelf.find(_PROJECTS)
        return Recalled(json.loads(found.body), found.checked_ns) if found else None


def _listing(table: str) -> str:
    return f"listing of {table}"


def _render(payloads: Mapping[str, ObjectInfo]) -> bytes:
    return json.dumps([[info.key, info.size, info.etag] for info in payloads.values()]).encode()


def _parse(data: bytes) -> Mapping[str, ObjectInfo]:
    return {key: ObjectInfo(key, size, etag) for key, size, etag in json.loads(data)}
