"""Hashes of columns that were written down: by R datom 0.1 in metadata, or by us after a comparison.

What was recorded is believed only where it adds up. R hashed some frames differently in memory than after reading them
back (format.md §3.5): a comparison then reads such a column and finds nothing, which costs time and changes no answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from datomfs.compare.stored import ColumnId, StoredTable
from datomfs.identity.table import join_hashes


def find_recorded_hashes(document: Mapping[str, Any], data_sha: str, table: StoredTable) -> Mapping[ColumnId, str]:
    """The `column_hashes` of a metadata document (format.md §3.3, retired) by column; empty where they cannot be used.

    They must name the columns of the table in their order and join to its `data_sha`, which makes them datom-cv1's.
    """
    records = document.get("column_hashes")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        return {}
    names, shas = ([record.get(field) for record in records] for field in ("name", "sha"))
    ids = list(table.columns)
    if names != [id_.name for id_ in ids] or not _are_hashes(shas):
        return {}
    return dict(zip(ids, shas, strict=True)) if join_hashes(table.row_count, shas) == data_sha else {}


def render_hashes(hashes: Mapping[ColumnId, str]) -> bytes:
    """Hashes of columns to be kept."""
    return json.dumps([[id_.name, id_.nth, sha] for id_, sha in hashes.items()]).encode()


def parse_hashes(data: bytes) -> Mapping[ColumnId, str]:
    """What `render_hashes` made; whoever kept it answers for it that it is whole."""
    return {ColumnId(name, nth): sha for name, nth, sha in json.loads(data)}


def _are_hashes(shas: Sequence[Any]) -> bool:
    return all(isinstance(sha, str) for sha in shas)
