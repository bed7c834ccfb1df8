"""Where a version of a table comes from: its parents, theirs, and so on, across the projects of a portfolio.

Parents are followed, `source_lineage` never is: it names values without saying of which version (design.md §2). Each
parent is looked up in its own project, by the snapshot of exactly the version that was recorded. What cannot be
followed is noted where it stands, and is no error: a lineage is as good as the stores it leads through.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

from cachetools import LRUCache

from datomfs.catalog.catalog import Catalog
from datomfs.errors import AccessError, DatomfsError, VersionNotFound
from datomfs.model.jsonlite import Json
from datomfs.model.lineage import Parent, parse_parents, source_lineage
from datomfs.model.metadata import Metadata
from datomfs.model.names import check_name, check_sha

_MOST_VERSIONS = 1_000
_DEEPEST = 100
_MOST_BYTES = 4 << 20
_REMEMBERED = 10_000
_TOO_LONG = "not followed: this lineage is too long"
_CYCLE = "not followed: this version comes from itself"


class Place(NamedTuple):
    """One version of a table of a project; 64 digits, unless a document says otherwise."""

    project: str
    table: str
    version: str


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a version records of where it comes from, and its size as JSON in bytes."""

    data_sha: str
    parents: tuple[Parent, ...]
    sources: Sequence[Json] | None
    size: int


class Lineage:
    """Walks through parents. Safe to use from several threads; what a version records is read once."""

    def __init__(self, open_catalog: Callable[[str], Catalog]) -> None:
        self._open_catalog = open_catalog
        self._origins: LRUCache[Place, _Origin] = LRUCache(_REMEMBERED)
        self._lock = Lock()

    def walk(self, start: Place, metadata: Metadata, note: str | None = None) -> bytes:
        """The lineage of a version, whose metadata the caller has, as JSON: itself, then every other version once.

        Versions nearer to it come first. A `note` on the metadata given is told at the top. Raises DocumentInvalid for
        that metadata, and nothing else.
        """
        found = {start: _origin(start, metadata)}
        depths, notes = {start: 0}, dict[tuple[Place, Place], str]()
        away: dict[str, AccessError] = {}
        waiting, size = deque([start]), found[start].size
        while waiting:
            child = waiting.popleft()
            for parent in found[child].parents:
                place = _place(parent)
                if place in found:
                    continue
                if depths[child] == _DEEPEST or len(found) == _MOST_VERSIONS or size > _MOST_BYTES:
                    notes[child, place] = _TOO_LONG
                    continue
                try:
                    found[place] = self._read(place, away)
                except DatomfsError as error:
                    notes[child, place] = error.what
                    continue
                depths[place] = depths[child] + 1
                size += found[place].size
                waiting.append(place)
        notes |= dict.fromkeys(_cycles(start, found), _CYCLE)
        records = [_record(place, origin, notes) for place, origin in found.items()]
        document = {**start._asdict(), **({"note": note} if note else {}), "versions": records}
        return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"

    def _read(self, place: Place, away: dict[str, AccessError]) -> _Origin:
        """What a version records; a project that could not be reached once is not asked again in one walk."""
        with self._lock:
            known = self._origins.get(place)
        if known is not None:
            return known
        if place.project in away:
            raise away[place.project]
        try:
            catalog = self._open_catalog(check_name(place.project))
            metadata = catalog.find_metadata(check_name(place.table), check_sha(place.version))
        except AccessError as error:
            away[place.project] = error
            raise
        if metadata is None:
            raise VersionNotFound(*place)
        origin = _origin(place, metadata)
        with self._lock:
            self._origins[place] = origin
        return origin


def _place(parent: Parent) -> Place:
    return Place(parent.project, parent.table, parent.version)


def _origin(place: Place, metadata: Metadata) -> _Origin:
    parents = parse_parents(metadata, f"the metadata of {place.project}/{place.table}@{place.version[:8]}")
    sources = source_lineage(metadata)
    size = len(json.dumps([metadata.document.get("parents"), sources]))
    return _Origin(metadata.data_sha, parents, sources, size)


def _record(place: Place, origin: _Origin, notes: Mapping[tuple[Place, Place], str]) -> dict[str, Any]:
    """One version as the document has it. A parent that was not followed says why."""
    record: dict[str, Any] = {**place._asdict(), "data_sha": origin.data_sha, "parents": []}
    for parent in origin.parents:
        reference: dict[str, Any] = {**_place(parent)._asdict(), "data_sha": parent.data_sha}
        note = notes.get((place, _place(parent)))
        record["parents"].append(reference if note is None else {**reference, "note": note})
    if origin.sources is not None:
        record["source_lineage"] = list(origin.sources)
    return record


def _cycles(start: Place, found: Mapping[Place, _Origin]) -> Sequence[tuple[Place, Place]]:
    """Each child and parent where following the parent would come back to the child.

    No writer makes any: a version is a hash over its parents. Documents made by hand may.
    """
    closing = []
    done: set[Place] = set()
    path = {start: iter(found[start].parents)}
    while path:
        child = next(reversed(path))
        parent = next(path[child], None)
        if parent is None:
            done.add(child)
            del path[child]
            continue
        place = _place(parent)
        if place in path:
            closing.append((child, place))
        elif place in found and place not in done:
            path[place] = iter(found[place].parents)
    return closing
