"""Stores filled with documents by hand, so that a test can say exactly what is wrong with them."""

from __future__ import annotations

import json
from typing import Any

from datomfs.identity.metadata import metadata_sha
from datomfs.layout import MANIFEST_KEY, history_key, metadata_key, payload_key, snapshot_key
from datomfs.store.base import Store

X, Y, Z = "11" * 32, "22" * 32, "33" * 32
"""Three data_sha."""


def table_state(data_sha: str = X, **fields: Any) -> dict[str, Any]:
    """The metadata of a table of schema 2, with `fields` over its own."""
    return {
        "schema_version": 2,
        "kind": "table",
        "data_sha": data_sha,
        "hash_algo": "datom-cv1",
        "created_at": "2026-03-01T00:00:00Z",
        "project": "STUDY_001",
        **fields,
    }


def entry(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The history entry of a state."""
    version = metadata_sha(state)
    return {"version": version, "data_sha": state["data_sha"], "timestamp": state["created_at"], **fields}


def put_json(store: Store, key: str, document: Any) -> None:
    """One document."""
    store.put(key, json.dumps(document).encode())


def put_manifest(store: Store, *tables: str, project: str | None = "STUDY_001") -> None:
    """A manifest of schema 2 that names these tables."""
    row = {"kind": "table", "current_version": "aa" * 32, "current_data_sha": X}
    put_json(
        store,
        MANIFEST_KEY,
        {"schema_version": 2, "project_name": project, "artifacts": {table: row for table in tables}},
    )


def put_table(store: Store, name: str, *states: dict[str, Any], history: list[Any] | None = None) -> None:
    """A table: its states newest first, the first being current, their entries, snapshots and payloads."""
    put_json(store, metadata_key(name), states[0])
    put_json(store, history_key(name), [entry(state) for state in states] if history is None else history)
    for state in states:
        put_json(store, snapshot_key(name, metadata_sha(state)), state)
        store.put(payload_key(name, state["data_sha"]), state["data_sha"].encode())
