"""Projects as a lock has them: documents and sizes out of the lock, payloads from where the project lies.

So whatever works on a project works on a locked one, and asks nobody but for bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from datomfs.errors import ObjectMissing
from datomfs.layout import MANIFEST_KEY, check_key, history_key, metadata_key, payload_key
from datomfs.model.fields import SUPPORTED_SCHEMA
from datomfs.model.jsonlite import Json
from datomfs.model.lock import LockedProject, LockedTable
from datomfs.store.base import ObjectInfo, RangeBody, ReadableStore, check_prefix

_ANY = ""
"""The etag of a payload nobody has looked at."""


class LockedDocuments:
    """Implements `catalog.documents.Documents`: a manifest of the locked tables, and histories of one version each.

    `url` names the lock.
    """

    source = "lock"
    commit = None

    def __init__(self, project: LockedProject, url: str) -> None:
        self.url = url
        self._documents = {key: json.dumps(document).encode() for key, document in _documents(project).items()}

    def where(self, key: str) -> str:
        """The lock, whatever the key."""
        return f"{key} in the lock {self.url}"

    def refresh(self) -> None:
        """A lock never changes."""

    def get(self, key: str) -> bytes:
        """What the lock says in the form of a document. Raises ObjectMissing."""
        if key not in self._documents:
            raise ObjectMissing(self.url, key)
        return self._documents[key]

    def find_commit(self, table: str, version: str) -> None:
        """Not recorded."""

    def at(self, time_ns: int) -> None:
        """A lock has no past."""


class LockedStore:
    """Implements `store.base.ReadableStore`: lists the locked payloads by itself, and reads them from a store."""

    def __init__(self, store: ReadableStore, project: LockedProject) -> None:
        self._store = store
        keys = {payload_key(table.name, table.data_sha): table.size_bytes for table in project.tables}
        self._payloads = [ObjectInfo(key, keys[key], _ANY) for key in sorted(keys)]

    @property
    def url(self) -> str:
        """The store's."""
        return self._store.url

    def check(self) -> None:
        """Raise unless payloads can be read."""
        self._store.check()

    def head(self, key: str) -> ObjectInfo:
        """What the store says of the object."""
        return self._store.head(key)

    def get(self, key: str) -> bytes:
        """The whole object."""
        return self._store.get(key)

    def get_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        """The whole object and what the store says of these bytes."""
        return self._store.get_with_info(key)

    def get_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> bytes:
        """Part of an object."""
        return self._store.get_range(key, start, length, if_match=if_match or None)

    def open_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> RangeBody:
        """The same as a stream."""
        return self._store.open_range(key, start, length, if_match=if_match or None)

    def list(self, prefix: str = "", *, recursive: bool = True, after: str = "") -> Iterator[ObjectInfo]:
        """The locked payloads, with the sizes that the lock has. Asks nobody."""
        check_prefix(prefix)
        for info in self._payloads:
            is_below = recursive or "/" not in info.key.removeprefix(prefix)
            if info.key.startswith(prefix) and is_below and info.key > after:
                yield info

    def local_path(self, key: str) -> Path | None:
        """The file that holds the object, where the store is a folder."""
        return self._store.local_path(check_key(key))


def _documents(project: LockedProject) -> dict[str, Json]:
    updated_at = max((table.timestamp for table in project.tables if table.timestamp), default=None)
    manifest: dict[str, Json] = {
        "schema_version": SUPPORTED_SCHEMA,
        "project_name": project.name,
        "artifacts": {table.name: _row(table) for table in project.tables},
        "updated_at": updated_at,
    }
    documents: dict[str, Json] = {MANIFEST_KEY: manifest}
    for table in project.tables:
        documents[history_key(table.name)] = [_entry(table)]
        documents[metadata_key(table.name)] = {
            "schema_version": SUPPORTED_SCHEMA,
            "kind": "table",
            "project": project.name,
            "created_at": table.timestamp,
            **_shas(table),
        }
    return documents


def _row(table: LockedTable) -> Json:
    return {
        "kind": "table",
        "current_version": table.version,
        "current_data_sha": table.data_sha,
        "last_updated": table.timestamp,
        "size_bytes": table.size_bytes,
        "version_count": 1,
    }


def _entry(table: LockedTable) -> Json:
    return {"version": table.version, "timestamp": table.timestamp, **_shas(table)}


def _shas(table: LockedTable) -> dict[str, Json]:
    return {"data_sha": table.data_sha, "parquet_sha": table.parquet_sha}
