"""The identity of a version: `metadata_sha`, the hash of a metadata document's identity fields (format.md §3.3).

A version is named by this hash everywhere: in histories, snapshots, paths and citations. The writer computes it for a
new document; readers recompute it to compare. Needs nothing but JSON text: no pyarrow, so the daemon may import it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from datomfs.model.jsonlite import Json, render_compact

_IDENTITY_FIELDS = frozenset(
    {
        "colnames",
        "custom",
        "data_sha",
        "hash_algo",
        "kind",
        "ncol",
        "nrow",
        "original_file_sha",
        "parents",
        "source_lineage",
        "table_type",
    }
)
# The empty name is here because R cannot select an element by it.
_NEVER_HASHED_BY_0_1 = frozenset(
    {"", "column_hashes", "created_at", "datom_version", "parquet_sha", "schema_version", "size_bytes"}
)


def metadata_sha(document: Mapping[str, Json]) -> str:
    """The version a metadata document stands for, 64 lowercase hex digits."""
    return hashlib.sha256(canonical_text(document).encode()).hexdigest()


def canonical_text(document: Mapping[str, Json]) -> str:
    """The text whose SHA-256 is the version: the identity fields, top-level names sorted, nested order as it is.

    A one-element array stays an array, and hashes otherwise than the bare element: give a document as it is stored.
    """
    fields = identity_fields(document)
    # Python compares strings by code point, which is the order of their UTF-8 bytes.
    return render_compact({name: fields[name] for name in sorted(fields)})


def identity_fields(document: Mapping[str, Json]) -> dict[str, Json]:
    """The fields of a document that are hashed, by the rule of the release that wrote it.

    From schema 2 on that is an allowlist. A document of schema 1, or without a number, is from 0.1.x, which hashed
    every field but five (format.md §13).
    """
    number = document.get("schema_version")
    if isinstance(number, int | float) and number >= 2:
        return allowlisted_fields(document)
    return {name: value for name, value in document.items() if name not in _NEVER_HASHED_BY_0_1}


def allowlisted_fields(document: Mapping[str, Json]) -> dict[str, Json]:
    """The fields that R datom 0.2.0 hashes in any document, whatever schema it is of."""
    return {name: value for name, value in document.items() if name in _IDENTITY_FIELDS}
