"""What is recorded of versions and projects, in a running mount: from histories in memory, from snapshots, from git.

What a history lacks is read when somebody asks for it, and then kept: a version never changes.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

import trio
from cachetools import LRUCache

from datomfs.catalog.catalog import Catalog, TableVersion
from datomfs.catalog.portfolio import Portfolio
from datomfs.layout import payload_key
from datomfs.model.metadata import Metadata
from datomfs.model.timestamps import render_timestamp
from datomfs.mount.single_flight import Progress
from datomfs.mount.views import Views
from datomfs.mount.work import Work
from datomfs.vfs.fact_source import Facts
from datomfs.vfs.source import ProjectView

_SNAPSHOT_FIELDS = ("hash_algo", "table_type", "nrow", "ncol")
_SNAPSHOTS = 10_000

FindVersion = Callable[[str, str, str], tuple[Catalog, TableVersion] | None]


class LiveFacts:
    """Implements `vfs.fact_source.FactSource`. All methods run in the trio thread.

    `find_version` looks into the histories in memory; `projects` are the views of projects with their age, and
    `read_project` brings one up to date.
    """

    def __init__(
        self,
        portfolio: Portfolio,
        work: Work,
        find_version: FindVersion,
        projects: Views[str, ProjectView],
        read_project: Callable[[str], Awaitable[ProjectView]],
    ) -> None:
        self._portfolio = portfolio
        self._work = work
        self._find_version = find_version
        self._projects = projects
        self._read_project = read_project
        self._snapshots: LRUCache[tuple[str, str, str], Mapping[str, str]] = LRUCache(_SNAPSHOTS)

    def known(self, project: str, name: str, version: str) -> Facts | None:
        """What the history says of a version, and the snapshot if it was read."""
        found = self._find_version(project, name, version)
        if found is None:
            return None
        recorded = _recorded(*found)
        read = self._snapshots.get((project, name, version))
        if read is not None:
            return Facts({**recorded, **read})
        fields = (*_SNAPSHOT_FIELDS, *_commit_field(found[0]))
        return Facts(recorded, tuple(field for field in fields if field not in recorded))

    async def read(self, project: str, name: str, version: str) -> Mapping[str, str]:
        """The same with what the snapshot and git have. Raises DocumentError, and the store's errors."""
        found = self._find_version(project, name, version)
        if found is None:
            return {}
        catalog, _ = found
        key = (project, name, version)

        async def read(_: Progress) -> Mapping[str, str]:
            facts = await self._work.in_thread(_read_facts, catalog, name, version)
            # Without a snapshot there may be one the next time: its writer may not be done.
            return self._snapshots.setdefault(key, facts) if facts.keys() & set(_SNAPSHOT_FIELDS) else facts

        read_facts = self._snapshots.get(key)
        if read_facts is None:
            read_facts = await self._work.once(("facts", *key), read, f"the metadata of {project}/{name}")
        return {**_recorded(*found), **read_facts}

    async def project(self, project: str) -> Mapping[str, str]:
        """Where a project lies, along which road its documents come, how old they are, and how much there is."""
        view = await self._read_project(project)
        catalog = await self._work.in_thread(self._portfolio.catalog, project)
        known = self._projects.find(project)
        read_s = known.read_s if known else trio.current_time()
        checked = datetime.fromtimestamp(time.time() - (trio.current_time() - read_s), UTC)
        return {
            "project": project,
            "location": catalog.store.url,
            "source": catalog.documents.source,
            "checked_at": render_timestamp(checked),
            "table_count": str(len(view.tables)),
            "set_count": str(len(view.sets)),
        }


def _recorded(catalog: Catalog, found: TableVersion) -> Mapping[str, str]:
    entry = found.entry
    fields = {
        "project": found.project,
        "table" if found.key == payload_key(found.table, entry.data_sha) else "set": found.table,
        "version": entry.version,
        "data_sha": entry.data_sha,
        "parquet_sha": entry.parquet_sha,
        "document_sha": entry.document_sha,
        "author": entry.author,
        "timestamp": entry.timestamp,
        "message": entry.message,
        "commit_sha": entry.commit_sha,
        "source": catalog.documents.source,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _commit_field(catalog: Catalog) -> Sequence[str]:
    """Histories in a store name commits themselves (format.md §4.5); those in git cannot, and git is asked."""
    return ("commit_sha",) if catalog.documents.source == "git" else ()


def _read_facts(catalog: Catalog, name: str, version: str) -> Mapping[str, str]:
    metadata = catalog.find_metadata(name, version)
    facts = _described(metadata) if metadata else {}
    commit = catalog.find_commit(name, version) if _commit_field(catalog) else None
    return facts if commit is None else {**facts, "commit_sha": commit}


def _described(metadata: Metadata) -> Mapping[str, str]:
    fields = {
        "hash_algo": metadata.document.get("hash_algo"),
        "table_type": metadata.document.get("table_type"),
        "nrow": metadata.nrow,
        "ncol": metadata.ncol,
    }
    return {name: str(value) for name, value in fields.items() if isinstance(value, str | int)}
