"""A lock: tables of projects, each at one full version, with what proves its bytes and where it was taken from.

It is a small JSON file of our own, made to be kept beside an analysis and given to others. It names no secret. Its
bytes follow from its values, so two locks of the same state differ in `created_at` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from datomfs.errors import DocumentInvalid
from datomfs.model.fields import check_schema, find_count, find_sha, find_text, get_sha, get_text, parse_object
from datomfs.model.jsonlite import Json, render_pretty
from datomfs.model.location import Location
from datomfs.model.names import is_name
from datomfs.model.ref import parse_location

LOCK_SCHEMA = 1
_VERSION_DIGITS = 64

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LockedTable:
    """One version of a table. `parquet_sha` is None where the history recorded none; the size is in bytes."""

    name: str
    version: str
    data_sha: str
    parquet_sha: str | None
    size_bytes: int
    timestamp: str | None


@dataclass(frozen=True, slots=True)
class LockedProject:
    """A project's tables in the order of their names, and where they were taken from.

    `as_of` is the moment as it was written, None for what was current. `documents` is where its documents came from,
    and `commit` the commit they were read at, where that was git.
    """

    name: str
    as_of: str | None
    location: Location
    documents: str
    commit: str | None
    tables: tuple[LockedTable, ...]


@dataclass(frozen=True, slots=True)
class Lock:
    """Projects in the order of their names; `created_at` is UTC text."""

    created_at: str
    projects: tuple[LockedProject, ...]


def render_lock(lock: Lock) -> str:
    """The file, with its final newline. What is None is left out."""
    document: dict[str, Json] = {
        "schema_version": LOCK_SCHEMA,
        "created_at": lock.created_at,
        "projects": [_render_project(project) for project in sorted(lock.projects, key=lambda one: one.name)],
    }
    return render_pretty(document, inline_vectors=True) + "\n"


def parse_lock(data: bytes, where: str) -> Lock:
    """The lock in a file. Raises DocumentInvalid, SchemaUnsupported, SchemaInvalid.

    Everything in it is checked, for it may come from anybody: names and shas become keys.
    """
    document = parse_object(data, where)
    if document.get("schema_version") is None:
        raise DocumentInvalid(where, "it is no lock: it has no schema_version")
    check_schema(document, where, LOCK_SCHEMA)
    projects = _each_once(document, "projects", _parse_project, where)
    return Lock(get_text(document, "created_at", where), projects)


def _render_project(project: LockedProject) -> Json:
    place = project.location
    location = {"type": place.backend, "root": place.root, "prefix": place.prefix, "region": place.region}
    return _present(
        {
            "name": project.name,
            "as_of": project.as_of,
            "location": _present(location),
            "documents": project.documents,
            "commit": project.commit,
            "tables": [_render_table(table) for table in sorted(project.tables, key=lambda one: one.name)],
        }
    )


def _render_table(table: LockedTable) -> Json:
    return _present(
        {
            "name": table.name,
            "version": table.version,
            "data_sha": table.data_sha,
            "parquet_sha": table.parquet_sha,
            "size_bytes": table.size_bytes,
            "timestamp": table.timestamp,
        }
    )


def _present(fields: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in fields.items() if value is not None}


def _parse_project(fields: Mapping[str, Json], name: str, where: str) -> LockedProject:
    location = fields.get("location")
    if not isinstance(location, dict):
        raise DocumentInvalid(where, "it has no location")
    return LockedProject(
        name=name,
        as_of=find_text(fields, "as_of", where),
        location=parse_location(location, f"{where}, location"),
        documents=get_text(fields, "documents", where),
        commit=find_text(fields, "commit", where),
        tables=_each_once(fields, "tables", _parse_table, where),
    )


def _parse_table(fields: Mapping[str, Json], name: str, where: str) -> LockedTable:
    version, size = get_sha(fields, "version", where), find_count(fields, "size_bytes", where)
    if len(version) != _VERSION_DIGITS:
        raise DocumentInvalid(where, f"its version has {len(version)} digits, not {_VERSION_DIGITS}")
    if size is None:
        raise DocumentInvalid(where, "it has no size_bytes")
    return LockedTable(
        name=name,
        version=version,
        data_sha=get_sha(fields, "data_sha", where),
        parquet_sha=find_sha(fields, "parquet_sha", where),
        size_bytes=size,
        timestamp=find_text(fields, "timestamp", where),
    )


def _each_once(
    document: Mapping[str, Json], field: str, parse: Callable[[Mapping[str, Json], str, str], T], where: str
) -> tuple[T, ...]:
    """The things in a list, in the order of their names, which must be legal and differ."""
    items = document.get(field)
    if not isinstance(items, list):
        raise DocumentInvalid(where, f"{field} is not a list")
    found: dict[str, T] = {}
    for item in items:
        if not isinstance(item, dict):
            raise DocumentInvalid(where, f"something in {field} is not an object")
        name = get_text(item, "name", f"{where}, {field}")
        if not is_name(name):
            raise DocumentInvalid(where, f"{field} has the name {name!r}, which is not legal")
        if name in found:
            raise DocumentInvalid(where, f"{field} has {name!r} twice")
        found[name] = parse(item, name, f"{where}, {name}")
    return tuple(found[name] for name in sorted(found))
