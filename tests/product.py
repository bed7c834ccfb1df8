"""The example of format.md §4 as two stores: `demo-raw` with the table dm, and `demo-product` with a set that pins it.

Bytes and hashes are those written there, so they are R's; only the parquet bytes are ours, which no hash covers.
"""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datomfs.layout import MANIFEST_KEY, history_key, metadata_key, payload_key, set_payload_key, snapshot_key
from datomfs.store.base import Store

RAW, PRODUCT = "demo-raw", "demo-product"
SET = "demo-set"

DM = pa.table({"id": pa.array([1, 2, 3], pa.int32()), "val": ["a", "b", "c"]})
DM_DATA_SHA = "2eb1fa3e668dc15f6e5c2b384d2dbf39b216f12573c07c95543fa208dba4fef8"
DM_VERSION = "40e6793721527fb96c5aa25f1ef0e0b6cd6d0fd1285fbdd22d2a843741decd85"
SOURCE_SHA = "5e865248077964c6475ca892df71238c27e40f0f4683ccbd9c006d05246d9183"

SET_DATA_SHA = "07b697003a19ac515587bd41d373d27b416b48d3196eeb4b9c00e1e0806979b6"
SET_DOCUMENT_SHA = "87783497c23c6418e8ac94971b677cbede907c59879273aa0fc6a6a89036d683"
SET_VERSION = "a11fa056341aa3ccd8867d5710951d4d4bf737fc6162092529a98feccf9d893f"
COMMIT = "3b1c" * 10

SET_PAYLOAD = b"""{
  "tags": {
    "description": "Demo product"
  },
  "members": [
    {
      "id": {
        "kind": "table",
        "name": "dm",
        "project": "demo-raw",
        "version": "40e6793721527fb96c5aa25f1ef0e0b6cd6d0fd1285fbdd22d2a843741decd85"
      },
      "tags": {
        "domain": ["labs", "safety"],
        "type": "input"
      }
    }
  ]
}
"""


def dm_bytes() -> bytes:
    """dm as parquet."""
    file = io.BytesIO()
    pq.write_table(DM, file)
    return file.getvalue()


def put_raw(store: Store) -> None:
    """The project demo-raw."""
    body = dm_bytes()
    parquet_sha = hashlib.sha256(body).hexdigest()
    document = {
        "schema_version": 2, "kind": "table", "data_sha": DM_DATA_SHA, "hash_algo": "datom-cv1",
        "parquet_sha": parquet_sha, "table_type": "imported", "nrow": 3, "ncol": 2, "colnames": ["id", "val"],
        "created_at": "2026-11-20T10:00:00Z", "datom_version": "0.2.0", "project": RAW,
        "original_file_sha": SOURCE_SHA, "original_format": "csv",
        "source_lineage": [{"project": RAW, "table": "dm", "version_sha": DM_DATA_SHA}], "size_bytes": len(body),
    }  # fmt: skip
    entry = {
        "version": DM_VERSION, "data_sha": DM_DATA_SHA, "timestamp": "2026-11-20T10:00:00Z",
        "author": {"name": "A", "email": "a@x"}, "commit_message": "Sync dm (new)", "parquet_sha": parquet_sha,
        "original_file_sha": SOURCE_SHA, "commit_sha": COMMIT,
    }  # fmt: skip
    store.put(payload_key("dm", DM_DATA_SHA), body)
    _put_documents(store, "dm", DM_VERSION, document, entry)
    row = {"kind": "table", "current_version": DM_VERSION, "current_data_sha": DM_DATA_SHA,
           "last_updated": "2026-11-20T10:00:00Z", "size_bytes": len(body), "version_count": 1}  # fmt: skip
    _put_manifest(store, RAW, {"dm": row})


def put_product(store: Store, payload: bytes = SET_PAYLOAD, *, document_sha: str | None = SET_DOCUMENT_SHA) -> None:
    """The project demo-product; other bytes, or another or no recorded hash of them, make it a damaged one."""
    recorded = {} if document_sha is None else {"document_sha": document_sha}
    document = {
        "schema_version": 2, "kind": "set", "data_sha": SET_DATA_SHA, "hash_algo": "datom-sv1", **recorded,
        "created_at": "2026-11-20T10:05:00Z", "datom_version": "0.2.0", "project": PRODUCT,
    }  # fmt: skip
    entry = {
        "version": SET_VERSION, "data_sha": SET_DATA_SHA, "timestamp": "2026-11-20T10:05:00Z",
        "author": {"name": "A", "email": "a@x"}, "commit_message": "Update demo-set: add 1 member", **recorded,
        "commit_sha": COMMIT,
    }  # fmt: skip
    store.put(set_payload_key(SET, SET_DATA_SHA), payload)
    _put_documents(store, SET, SET_VERSION, document, entry)
    row = {"kind": "set", "current_version": SET_VERSION, "current_data_sha": SET_DATA_SHA,
           "last_updated": "2026-11-20T10:05:00Z", "member_count": 1, "version_count": 1}  # fmt: skip
    _put_manifest(store, PRODUCT, {SET: row})


def _put_documents(store: Store, name: str, version: str, document: Any, entry: Any) -> None:
    _put_json(store, metadata_key(name), document)
    _put_json(store, snapshot_key(name, version), document)
    _put_json(store, history_key(name), [entry])


def _put_manifest(store: Store, project: str, rows: dict[str, Any]) -> None:
    document = {
        "schema_version": 2, "project_name": project, "artifacts": rows, "updated_at": "2026-11-20T10:05:00Z",
    }  # fmt: skip
    _put_json(store, MANIFEST_KEY, document)


def _put_json(store: Store, key: str, document: Any) -> None:
    store.put(key, json.dumps(document, indent=2).encode() + b"\n")
