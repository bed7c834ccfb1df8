"""The metadata document of a table: metadata.json and its snapshots (format.md §4.3).

Reading accepts schema 1, schema 2 and what came before cv1; a new document is always built whole, as schema 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datomfs.errors import DocumentInvalid, VocabularyUnknown
from datomfs.model.fields import (
    SUPPORTED_SCHEMA,
    check_schema,
    find_count,
    find_sha,
    find_text,
    get_sha,
    parse_object,
)
from datomfs.model.jsonlite import Json, render_pretty

COMPATIBLE_RELEASE = "0.2.0"
"""The datom release whose documents we write: `datom_version`, and what `min_writer_version` is compared with (§5)."""

KNOWN_FIELDS = frozenset(
    {
        "colnames", "custom", "data_sha", "hash_algo", "kind", "ncol", "nrow", "original_file_sha", "parents",
        "source_lineage", "table_type", "column_hashes", "created_at", "datom_version", "document_sha",
        "original_format", "parquet_sha", "project", "schema_version", "size_bytes",
    }
)  # fmt: skip
"""The 20 names of format.md §3.3; any other locks a writer out (§5, write door)."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The current state of an artifact. `size_bytes` is what the writer noted, which after a reuse may be off.

    `project` is where it was written, None in documents from before schema 2.
    """

    kind: str
    project: str | None
    data_sha: str
    parquet_sha: str | None
    created_at: str | None
    nrow: int | None
    ncol: int | None
    size_bytes: int | None
    document: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What a new version says of itself; the rest of its document follows from the format.

    `custom` are the user's own texts, an empty mapping meaning none; `created_at` is UTC with a final Z.
    """

    project: str
    data_sha: str
    parquet_sha: str
    size_bytes: int
    nrow: int
    ncol: int
    colnames: Sequence[str]
    created_at: str
    custom: Mapping[str, str]


def parse_metadata(data: bytes, where: str) -> Metadata:
    """The metadata in a document. Raises DocumentInvalid, SchemaUnsupported, SchemaInvalid."""
    document = parse_object(data, where)
    check_schema(document, where)
    return Metadata(
        kind=find_text(document, "kind", where) or "table",
        project=find_text(document, "project", where),
        data_sha=get_sha(document, "data_sha", where),
        parquet_sha=find_sha(document, "parquet_sha", where),
        created_at=find_text(document, "created_at", where),
        nrow=find_count(document, "nrow", where),
        ncol=find_count(document, "ncol", where),
        size_bytes=find_count(document, "size_bytes", where),
        document=document,
    )


def check_vocabulary(metadata: Metadata, where: str) -> None:
    """Raise VocabularyUnknown where a document has fields that a rewrite could lose (format.md §5, write door)."""
    unknown = tuple(sorted(set(metadata.document) - KNOWN_FIELDS))
    if unknown:
        raise VocabularyUnknown(where, unknown)


def table_document(facts: TableFacts) -> dict[str, Json]:
    """The schema 2 document of a derived table, its fields in the order of format.md §4.3.

    A single column name stands bare, as R unboxes it: the text decides the version (§3.3 trap b).
    """
    names: list[Json] = list(facts.colnames)
    document: dict[str, Json] = {
        "schema_version": SUPPORTED_SCHEMA,
        "kind": "table",
        "data_sha": facts.data_sha,
        "hash_algo": "datom-cv1",
        "parquet_sha": facts.parquet_sha,
        "table_type": "derived",
        "nrow": facts.nrow,
        "ncol": facts.ncol,
        "colnames": names[0] if len(names) == 1 else names,
        "created_at": facts.created_at,
        "datom_version": COMPATIBLE_RELEASE,
        "project": facts.project,
        "size_bytes": facts.size_bytes,
    }
    if facts.custom:
        document["custom"] = dict(facts.custom)
    return document


def render_metadata(document: Mapping[str, Json]) -> str:
    """A freshly built document as jsonlite prints it: vectors stand on one line."""
    return render_pretty(dict(document), inline_vectors=True)


def parse_release(text: str, where: str) -> tuple[int, ...]:
    """A release number as R compares it, part by part: 0.10 is above 0.2. Raises DocumentInvalid."""
    parts = text.replace("-", ".").split(".")
    if len(parts) < 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise DocumentInvalid(where, f"{text!r} is not a release number")
    return tuple(int(part) for part in parts)
