"""What a table was made from, as its metadata records it: parents, and source_lineage (format.md §4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datomfs.errors import DocumentInvalid
from datomfs.model.fields import find_text, get_text
from datomfs.model.jsonlite import Json
from datomfs.model.metadata import Metadata


@dataclass(frozen=True, slots=True)
class Parent:
    """One version of a table that another was made from. Texts as they were recorded: nobody has checked them."""

    project: str
    table: str
    version: str
    data_sha: str | None


def parse_parents(metadata: Metadata, where: str) -> tuple[Parent, ...]:
    """The parents, in document order; none where none were declared. Raises DocumentInvalid."""
    parents = []
    for record in _records(metadata.document.get("parents")):
        if not isinstance(record, dict):
            raise DocumentInvalid(where, "a parent is not a JSON object")
        project, table, version = (get_text(record, field, where) for field in ("source", "table", "version"))
        parents.append(Parent(project, table, version, find_text(record, "data_sha", where)))
    return tuple(parents)


def source_lineage(metadata: Metadata) -> Sequence[Json] | None:
    """The imported tables it goes back to, as they were recorded; None where that was not."""
    lineage = metadata.document.get("source_lineage")
    return None if lineage is None else _records(lineage)


def _records(value: Json) -> Sequence[Json]:
    """A list of records; R writes a list without entries as `[]` or `{}`, and one of one entry may stand bare."""
    if isinstance(value, list):
        return value
    return [] if value is None or value == {} else [value]
