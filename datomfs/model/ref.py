"""Where a governed project lies: ref.json of the governance repository (format.md §11, §11.1).

`current` is the only place that is read from; `previous` is an audit trail, in either of two spellings, and nothing is
ever read from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from datomfs.errors import DocumentInvalid
from datomfs.model.fields import find_text, get_text, parse_object
from datomfs.model.jsonlite import Json
from datomfs.model.location import Backend, Location, is_bucket


@dataclass(frozen=True, slots=True)
class Ref:
    """A project's place. `previous` are earlier ones, newest first, each as far as it can be read."""

    current: Location
    previous: tuple[PastLocation, ...] = ()


@dataclass(frozen=True, slots=True)
class PastLocation:
    """A place a project was at, and until when: UTC text as it was written, or None."""

    location: Location
    until: str | None


def parse_ref(data: bytes, where: str) -> Ref:
    """The ref in a document. Raises DocumentInvalid; what is wrong in `previous` is no error, it is passed over.

    R takes the backend from its connection and not from `type`; here it must be `s3` or `local`.
    """
    document = parse_object(data, where)
    current = document.get("current")
    if not isinstance(current, dict):
        raise DocumentInvalid(where, "it has no current")
    previous = document.get("previous")
    entries = previous if isinstance(previous, list) else []
    past = (_find_past(entry, where) for entry in entries if isinstance(entry, dict))
    return Ref(parse_location(current, f"{where}, current"), tuple(each for each in past if each is not None))


def parse_location(fields: Mapping[str, Json], where: str) -> Location:
    """The place in `current` of a ref, or wherever else the same fields stand. Raises DocumentInvalid."""
    root, prefix = get_text(fields, "root", where), find_text(fields, "prefix", where)
    backend = get_text(fields, "type", where)
    if backend not in ("s3", "local"):
        raise DocumentInvalid(where, f"type is {backend!r}, neither s3 nor local")
    if backend == "s3" and not is_bucket(root):
        raise DocumentInvalid(where, "root is no bucket")
    if backend == "s3" and not {".", ".."}.isdisjoint((prefix or "").split("/")):
        raise DocumentInvalid(where, "prefix leads out of the bucket")
    return Location(cast("Backend", backend), root, prefix, find_text(fields, "region", where))


def _find_past(fields: Mapping[str, Json], where: str) -> PastLocation | None:
    try:
        until = next(
            (text for name in ("until", "sunset_at", "migrated_at") if (text := find_text(fields, name, where))), None
        )
        return PastLocation(parse_location(fields, where), until)
    except DocumentInvalid:
        return None
