"""What was made from a version of a table: the children, of which a version itself knows nothing.

Every version names its parents, so all versions that count have to be looked at: a lineage downwards is as good as the
projects that could be read. `lineage` walks the other way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from datomfs.catalog.catalog import Catalog
from datomfs.catalog.lineage import Place
from datomfs.errors import VersionNotFound
from datomfs.model.lineage import parse_parents
from datomfs.model.names import is_name, is_sha


def list_versions(catalog: Catalog, *, all_versions: bool) -> list[Place]:
    """The current version of each table of a project, or all versions. Raises what reading its documents raises."""
    found = []
    for row in catalog.read_manifest().rows.values():
        if row.kind != "table":
            continue
        versions = [row.current_version]
        if all_versions:
            versions = [entry.version for entry in catalog.read_history(row.name).entries] or versions
        found += [Place(catalog.project, row.name, version) for version in dict.fromkeys(versions)]
    return found


def read_parents(catalog: Catalog, place: Place) -> tuple[Place, ...]:
    """The parents a version of a project's table records, each once. Raises VersionNotFound, DocumentError."""
    metadata = catalog.find_metadata(place.table, place.version)
    if metadata is None:
        raise VersionNotFound(*place)
    parents = parse_parents(metadata, f"the metadata of {place.project}/{place.table}@{place.version[:8]}")
    return tuple(dict.fromkeys(Place(parent.project, parent.table, parent.version) for parent in parents))


def is_real(place: Place) -> bool:
    """Whether a place that a document names could be one: nobody has checked what stands there."""
    return is_name(place.project) and is_name(place.table) and is_sha(place.version)


def descend(start: Place, parents: Mapping[Place, Sequence[Place]]) -> Mapping[Place, Sequence[Place]]:
    """The children of a version, their children, and so on, given what each version that counts was made from.

    Every version is there once, nearer ones first; children stand in the order of their names.
    """
    children: dict[Place, list[Place]] = {}
    for child in sorted(parents):
        for parent in parents[child]:
            children.setdefault(parent, []).append(child)
    found: dict[Place, Sequence[Place]] = {}
    waiting = deque([start])
    while waiting:
        place = waiting.popleft()
        if place not in found:
            found[place] = children.get(place, [])
            waiting.extend(found[place])
    return found
