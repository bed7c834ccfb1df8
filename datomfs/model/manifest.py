"""The manifest of a project: which artifacts it has and which version of each is current (format.md §4.2, §5).

A schema 1 manifest is upgraded in memory when it is parsed, exactly as R does it on its next write, so that everything
above knows schema 2 only. What the document holds beyond what we read is kept as it is, in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datomfs.errors import DocumentInvalid, VocabularyUnknown
from datomfs.model.fields import SUPPORTED_SCHEMA, check_schema, find_count, find_text, get_sha, parse_object
from datomfs.model.jsonlite import Json, render_pretty
from datomfs.model.names import is_name

_KNOWN_FIELDS = frozenset({"artifacts", "project_name", "schema_version", "summary", "tables", "updated_at"})
_KNOWN_ROW_FIELDS = frozenset(
    {
        "current_data_sha", "current_version", "kind", "last_updated", "member_count", "original_file_sha",
        "original_format", "size_bytes", "version_count",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One artifact. `size_bytes` and `version_count` are what the last writer noted."""

    name: str
    kind: str
    current_version: str
    current_data_sha: str
    last_updated: str | None
    size_bytes: int | None
    version_count: int | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A schema 2 manifest: its rows in document order, and the document itself."""

    project_name: str | None
    updated_at: str | None
    rows: Mapping[str, ManifestRow]
    document: Mapping[str, Json]

    def with_row(self, name: str, row: Mapping[str, Json], updated_at: str) -> Manifest:
        """This manifest with one row set, keeping unknown fields of an old row, and its summary counted anew."""
        artifacts = dict(_artifacts(self.document))
        old = artifacts.get(name)
        carried = (
            {key: value for key, value in old.items() if key not in _KNOWN_ROW_FIELDS} if isinstance(old, dict) else {}
        )
        artifacts[name] = {**row, **carried}
        document = {
            **self.document,
            "artifacts": artifacts,
            "summary": _summary(artifacts),
            "updated_at": updated_at,
        }
        return _parse(document, "manifest")

    def render(self) -> str:
        """The document as jsonlite prints it."""
        return render_pretty(dict(self.document), inline_vectors=False)


def new_manifest(project: str, updated_at: str) -> Manifest:
    """The manifest of a project without artifacts, as `init` writes it."""
    document: dict[str, Json] = {
        "schema_version": SUPPORTED_SCHEMA,
        "project_name": project,
        "artifacts": {},
        "summary": _summary({}),
        "updated_at": updated_at,
    }
    return _parse(document, "manifest")


def parse_manifest(data: bytes, where: str) -> Manifest:
    """The manifest in a document, upgraded to schema 2. Raises DocumentInvalid, SchemaUnsupported, SchemaInvalid."""
    document = parse_object(data, where)
    if check_schema(document, where) < SUPPORTED_SCHEMA:
        document = _upgrade(document)
    return _parse(document, where)


def check_vocabulary(manifest: Manifest, where: str) -> None:
    """Raise VocabularyUnknown for fields that a rewrite could lose (format.md §5, write door)."""
    unknown = set(manifest.document) - _KNOWN_FIELDS
    for row in _artifacts(manifest.document).values():
        if isinstance(row, dict):
            unknown |= set(row) - _KNOWN_ROW_FIELDS
    if unknown:
        raise VocabularyUnknown(where, tuple(sorted(unknown)))


def _upgrade(document: Mapping[str, Json]) -> dict[str, Json]:
    """Schema 1 to 2 (format.md §5): `tables` becomes `artifacts` in its place, each row gets a kind first."""
    upgraded: dict[str, Json] = {}
    for name, value in document.items():
        if name == "tables" and isinstance(value, dict):
            upgraded["artifacts"] = {
                table: {"kind": "table", **row} if isinstance(row, dict) and "kind" not in row else row
                for table, row in value.items()
            }
        else:
            upgraded["artifacts" if name == "tables" else name] = value
    upgraded["schema_version"] = SUPPORTED_SCHEMA
    return upgraded


def _parse(document: Mapping[str, Json], where: str) -> Manifest:
    if "artifacts" not in document:
        raise DocumentInvalid(where, "it has no artifacts")
    rows = {}
    for name, row in _artifacts(document).items():
        if not is_name(name) or not isinstance(row, dict):
            raise DocumentInvalid(where, f"the row {name!r} is not an artifact")
        rows[name] = ManifestRow(
            name=name,
            kind=find_text(row, "kind", where) or "table",
            current_version=get_sha(row, "current_version", f"{where}, row {name!r}"),
            current_data_sha=get_sha(row, "current_data_sha", f"{where}, row {name!r}"),
            last_updated=find_text(row, "last_updated", where),
            size_bytes=find_count(row, "size_bytes", where),
            version_count=find_count(row, "version_count", where),
        )
    return Manifest(
        find_text(document, "project_name", where), find_text(document, "updated_at", where), rows, document
    )


def _artifacts(document: Mapping[str, Json]) -> Mapping[str, Json]:
    """The rows; null and `[]` are what R writes for an empty list held wrongly, and count as none (§5)."""
    artifacts = document.get("artifacts")
    return artifacts if isinstance(artifacts, dict) else {}


def _summary(artifacts: Mapping[str, Json]) -> dict[str, Json]:
    """Totals over tables only, and the number of sets (format.md §4.2)."""
    rows = [row for row in artifacts.values() if isinstance(row, dict)]
    tables = [row for row in rows if row.get("kind", "table") == "table"]
    return {
        "total_tables": len(tables),
        "total_size_bytes": sum(_number(row, "size_bytes") for row in tables),
        "total_versions": sum(_number(row, "version_count") for row in tables),
        "total_sets": sum(row.get("kind") == "set" for row in rows),
    }


def _number(row: Mapping[str, Json], field: str) -> int:
    value = row.get(field)
    return int(value) if isinstance(value, int | float) else 0
