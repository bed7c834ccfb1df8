"""Studies put into a bucket by hand: payloads with their SHA-256 attested, and the documents that name them.

What `datomfs write` leaves behind, without git and without hashing values, so that a thousand versions take seconds.
The documents are those of format.md §4; `remote` decides what is put. Nothing here measures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from datomfs.identity.files import file_sha256
from datomfs.identity.metadata import metadata_sha
from datomfs.layout import MANIFEST_KEY, history_key, metadata_key, payload_key, snapshot_key
from datomfs.model.jsonlite import Json
from datomfs.store.base import Store

_FIRST = datetime(2026, 3, 1, tzinfo=UTC)
_THREADS = 8


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version in a store: its sha, its payload's key in the namespace, and its metadata document."""

    version: str
    key: str
    document: Mapping[str, Json]

    @property
    def file_name(self) -> str:
        """Its name in a mount, in the directory of its table."""
        return f"@{self.version[:8]}.parquet"


def put_study(store: Store, project: str, tables: Mapping[str, Sequence[Path]]) -> dict[str, list[StoredVersion]]:
    """Put a project whose tables have a version for each of these files, oldest first; the versions in this order."""
    stored = put_tables(store, project, tables)
    put_manifest(store, project, stored)
    return stored


def put_tables(store: Store, project: str, tables: Mapping[str, Sequence[Path]]) -> dict[str, list[StoredVersion]]:
    """The same without the manifest, which makes a project of them."""
    with ThreadPoolExecutor(_THREADS) as pool:
        uploads = {
            table: [pool.submit(_put_version, store, project, table, number, file) for number, file in enumerate(files)]
            for table, files in tables.items()
        }
        stored = {table: [upload.result() for upload in queue] for table, queue in uploads.items()}
        list(pool.map(lambda table: _put_documents(store, table, stored[table]), stored))
    return stored


def put_manifest(store: Store, project: str, stored: Mapping[str, Sequence[StoredVersion]]) -> None:
    """Put the manifest of a project that has these tables."""
    rows = {table: _manifest_row(versions) for table, versions in stored.items()}
    newest = max(row["last_updated"] for row in rows.values())
    manifest = {"schema_version": 2, "project_name": project, "artifacts": rows, "updated_at": newest}
    store.put(MANIFEST_KEY, _json(manifest))


def data_sha_of(project: str, table: str, number: int) -> str:
    """What stands for the hash of the values of a version: a sha nobody else has."""
    return hashlib.sha256(f"the values of {project}/{table}, {number}".encode()).hexdigest()


def _put_version(store: Store, project: str, table: str, number: int, file: Path) -> StoredVersion:
    sha256, data_sha = file_sha256(file), data_sha_of(project, table, number)
    key = payload_key(table, data_sha)
    store.upload(key, file, sha256=sha256)
    document: dict[str, Json] = {
        "schema_version": 2,
        "kind": "table",
        "data_sha": data_sha,
        "parquet_sha": sha256,
        "size_bytes": file.stat().st_size,
        "hash_algo": "datom-cv1",
        "created_at": (_FIRST + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "project": project,
    }
    version = metadata_sha(document)
    store.put(snapshot_key(table, version), _json(document))
    return StoredVersion(version, key, document)


def _put_documents(store: Store, table: str, versions: Sequence[StoredVersion]) -> None:
    store.put(history_key(table), _json([_entry(version) for version in reversed(versions)]))
    store.put(metadata_key(table), _json(versions[-1].document))


def _entry(version: StoredVersion) -> Mapping[str, Any]:
    return {
        "version": version.version,
        "data_sha": version.document["data_sha"],
        "timestamp": version.document["created_at"],
        "author": "Dana Engineer <dana@example.org>",
        "message": "a version to be measured",
        "parquet_sha": version.document["parquet_sha"],
    }


def _manifest_row(versions: Sequence[StoredVersion]) -> dict[str, Any]:
    current = versions[-1]
    return {
        "kind": "table",
        "current_version": current.version,
        "current_data_sha": current.document["data_sha"],
        "last_updated": current.document["created_at"],
        "size_bytes": current.document["size_bytes"],
        "version_count": len(versions),
    }


def _json(document: object) -> bytes:
    return json.dumps(document, indent=2).encode()
