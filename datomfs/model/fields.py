"""Reading typed fields out of parsed JSON, and the schema number that stands at the top of a document.

Every parser in `model` takes its fields through here, so that a damaged document gives one kind of error, naming the
document and the field. R writes `{}` where a NULL was left in a list and reads it back so (format.md §2, §15.10):
an empty object counts as absent wherever a text or a number belongs, and so does the `[]` of an empty vector.
"""

from __future__ import annotations

from collections.abc import Mapping

from datomfs.errors import DocumentInvalid, SchemaInvalid, SchemaUnsupported
from datomfs.model.jsonlite import Json, parse_json
from datomfs.model.names import is_sha

SUPPORTED_SCHEMA = 2
"""The shared ceiling of manifest, metadata and snapshots (format.md §5)."""


def parse_object(data: bytes, where: str) -> dict[str, Json]:
    """The JSON object in `data`. Raises DocumentInvalid when it is anything else."""
    document = parse_json(data, where)
    if not isinstance(document, dict):
        raise DocumentInvalid(where, "it is not a JSON object")
    return document


def check_schema(document: Mapping[str, Json], where: str, supported: int = SUPPORTED_SCHEMA) -> int:
    """The schema number of a document, 1 when it has none (format.md §5). Raises SchemaInvalid, SchemaUnsupported."""
    number = document.get("schema_version")
    if number is None:
        return 1
    whole = _whole(number)
    if whole is None or whole < 1:
        raise SchemaInvalid(where, repr(number))
    if whole > supported:
        raise SchemaUnsupported(where, whole, supported)
    return whole


def find_text(document: Mapping[str, Json], field: str, where: str) -> str | None:
    """A non-empty text field, or None where it is absent, null, `{}`, `[]` or empty. Raises DocumentInvalid."""
    value = document.get(field)
    if value is None or value in ("", {}, []):
        return None
    if not isinstance(value, str):
        raise DocumentInvalid(where, f"{field} is not a text")
    return value


def get_text(document: Mapping[str, Json], field: str, where: str) -> str:
    """A text field that must be there. Raises DocumentInvalid."""
    value = find_text(document, field, where)
    if value is None:
        raise DocumentInvalid(where, f"it has no {field}")
    return value


def find_sha(document: Mapping[str, Json], field: str, where: str) -> str | None:
    """A sha field, or None where it is absent. Raises DocumentInvalid for what is no sha: it would become a key."""
    value = find_text(document, field, where)
    if value is not None and not is_sha(value):
        raise DocumentInvalid(where, f"{field} is not 6 to 64 lowercase hex digits")
    return value


def get_sha(document: Mapping[str, Json], field: str, where: str) -> str:
    """A sha field that must be there. Raises DocumentInvalid."""
    value = find_sha(document, field, where)
    if value is None:
        raise DocumentInvalid(where, f"it has no {field}")
    return value


def find_count(document: Mapping[str, Json], field: str, where: str) -> int | None:
    """A whole number of at least 0, or None where it is absent. Raises DocumentInvalid."""
    value = document.get(field)
    if value is None or value in ({}, []):
        return None
    count = _whole(value)
    if count is None or count < 0:
        raise DocumentInvalid(where, f"{field} is not a count")
    return count


def _whole(value: Json) -> int | None:
    """A whole number, however it is spelled; None for anything else, also for what is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if isinstance(value, int) or value.is_integer() else None
