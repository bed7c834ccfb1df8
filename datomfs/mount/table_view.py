"""What the tree is told of a table or a set: its versions as the history has them, with sizes from a listing."""

from __future__ import annotations

from collections.abc import Mapping

from datomfs.catalog.catalog import TableVersions
from datomfs.store.base import ObjectInfo
from datomfs.vfs.source import TableView, VersionView


def table_view(versions: TableVersions, payloads: Mapping[str, ObjectInfo]) -> TableView:
    """The versions of a table or a set with the sizes of their payloads, each once."""
    views: dict[str, VersionView] = {}
    shas: dict[str, set[str]] = {}
    for entry in versions.history.entries:
        info = payloads.get(versions.key(entry))
        views.setdefault(entry.version, VersionView(entry.version, entry.time_ns, info.size if info else None))
        shas.setdefault(entry.version, set()).add(entry.data_sha)
    twins = frozenset(version for version, named in shas.items() if len(named) > 1)
    return TableView(versions.project, versions.name, tuple(views.values()), twins)
