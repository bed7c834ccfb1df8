"""The tree's source in a running mount: stores behind a clock, threads and deadlines.

Everything that blocks goes through here into threads, under one limiter. Documents are read again when they are older
than `refresh_s`; while a store is away, what was known stays served. Pins never expire: once a payload is open, its
bytes are its own.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import trio

from datomfs.cache.blocks import Bytes
from datomfs.cache.proof import Recorded
from datomfs.cache.reader import SMALL, PayloadReader
from datomfs.cache.standing import Verified
from datomfs.catalog.catalog import Catalog, TableVersion, TableVersions
from datomfs.catalog.keeping import RecalledCatalog
from datomfs.catalog.portfolio import Portfolio
from datomfs.errors import DatomfsError, RecordedMissing, StoreUnreachable, TableNotFound
from datomfs.layout import payload_key
from datomfs.mount.activity import Activity
from datomfs.mount.live_documents import LiveDocuments
from datomfs.mount.live_facts import LiveFacts
from datomfs.mount.live_projects import LiveProjects
from datomfs.mount.live_sets import LiveSets
from datomfs.mount.moments import Moments
from datomfs.mount.open_payloads import OpenPayloads
from datomfs.mount.siblings import Siblings
from datomfs.mount.table_view import table_view
from datomfs.mount.views import Aged, Views
from datomfs.mount.work import Work
from datomfs.store.base import ObjectInfo, ReadableStore
from datomfs.vfs.source import Handle, MomentView, ProjectView, Standing, TableView

log = logging.getLogger(__name__)

_LISTED_AT_ONCE = 5000
"""Up to how many versions one listing of a whole project is cheaper than one for each of its tables."""
_LOOKED_AT = 16
_AHEAD = 12
"""How many payloads that nobody has asked for yet are brought at once."""
_FRESH_S = 1.0
"""How young a view must be to count as just read, when somebody asks for a version it does not have."""
_MOST_VERSIONS = 25_000
"""Of all tables that are remembered: 1.2 kB each."""
_TABLE_WEIGHT = 5
"""What a table takes by itself, in versions."""
_MOST_LISTINGS = 16
"""Listings of whole projects serve whoever opens one table of them after another."""


@dataclass(frozen=True, slots=True)
class _TableState:
    """A table as last read: its view for the tree, and what opening a version of it takes."""

    catalog: Catalog
    view: TableView
    table: TableVersions
    payloads: Mapping[str, ObjectInfo]
    as_of_s: float
    """When its documents were as the road to them had them: seconds of trio's clock."""

    @property
    def store(self) -> ReadableStore:
        """Where the bytes lie."""
        return self.catalog.store


class Watcher(Protocol):
    """Somebody who is told what moved."""

    def projects_changed(self, before: Collection[str], after: Collection[str]) -> None:
        """Other projects are there."""
        ...

    def project_changed(self, project: str, before: ProjectView, after: ProjectView) -> None:
        """A project has other tables, or others are current."""
        ...

    def table_changed(self, project: str) -> None:
        """A table of the project has other versions."""
        ...


class LiveSource:
    """Implements `vfs.source.Source` over a portfolio. All methods run in the trio thread."""

    def __init__(
        self, portfolio: Portfolio, reader: PayloadReader, nursery: trio.Nursery, *, refresh_s: float, stall_s: float
    ) -> None:
        self._portfolio = portfolio
        self._reader = reader
        self._nursery = nursery
        self._work = Work(nursery, stall_s=stall_s)
        self._payloads = OpenPayloads(reader, self._work)
        self._ahead = trio.CapacityLimiter(_AHEAD)
        self._siblings = Siblings()
        self._watcher: Watcher | None = None
        self._projects = LiveProjects(
            portfolio, self._work, refresh_s=refresh_s, on_names=self._tell_projects, on_project=self._tell_project
        )
        self._tables: Views[tuple[str, str], _TableState] = Views(
            self._work, refresh_s=refresh_s, limit=_MOST_VERSIONS, weight=_weight, on_change=self._tell_table
        )
        self._listings: Views[str, Mapping[str, Mapping[str, ObjectInfo]]] = Views(
            self._work, refresh_s=refresh_s, limit=_MOST_LISTINGS
        )
        self._moments = Moments(
            portfolio,
            self._work,
            refresh_s=refresh_s,
            read_project=self.project,
            list_ahead=self._list_ahead,
            read_versions=self._read_versions,
        )
        self.sets = LiveSets(portfolio, reader, self._work, refresh_s=refresh_s)
        self.documents = LiveDocuments(portfolio, self._work, self, self._payloads, refresh_s=refresh_s)
        self.facts = LiveFacts(portfolio, self._work, self.find_version, self._projects.views, self.project)

    # -- what moved ------------------------------------------------------------------------------------------------

    def watch(self, watcher: Watcher) -> None:
        """Have somebody told whenever what was read is not what was known."""
        self._watcher = watcher

    def expire(self) -> None:
        """Have everything that moves be read again the next time it is asked for."""
        self._projects.expire()
        self._tables.expire_all()
        self._listings.expire_all()
        self._moments.expire_all()
        self.sets.expire()
        self.documents.expire()

    @property
    def known_projects(self) -> Sequence[str]:
        """The names of all projects as last read; none before the first time."""
        return self._projects.known_names

    @property
    def looked_at(self) -> Sequence[str]:
        """The projects of which something is known."""
        return self._projects.views.keys

    def is_away(self, project: str) -> bool:
        """Whether a project is served as it was, because its store did not answer when it was asked last."""
        return self._projects.is_away(project)

    def _tell_projects(self, _: None, before: Sequence[str], after: Sequence[str]) -> None:
        if self._watcher is not None:
            self._watcher.projects_changed(before, after)

    def _tell_project(self, project: str, before: ProjectView, after: ProjectView) -> None:
        if self._watcher is not None:
            self._watcher.project_changed(project, before, after)

    def _tell_table(self, key: tuple[str, str], before: _TableState, after: _TableState) -> None:
        if self._watcher is not None and before.view != after.view:
            self._watcher.table_changed(key[0])

    # -- views -----------------------------------------------------------------------------------------------------

    async def projects(self) -> Sequence[str]:
        """The names of all projects, sorted, at most `refresh_s` old."""
        return await self._projects.list()

    def known_project(self, project: str) -> ProjectView | None:
        """What was last read of a project, or None."""
        return self._projects.views.known(project)

    def known_table(self, project: str, table: str) -> TableView | None:
        """What was last read of a table, or None."""
        known = self._tables.known((project, table))
        return known.view if known else None

    def believed_s(self, project: str | None) -> float:
        """For how long what was last read of a project, or of their list, still holds."""
        return self._projects.believed_s(project)

    def standing(self, project: str, table: str, version: str) -> Standing:
        """What is known here of the bytes of a version."""
        known = self._find_payload(project, table, version)
        return Standing(*self._reader.standing(*known)) if known else Standing(Verified.PENDING, 0)

    def find_version(self, project: str, name: str, version: str) -> tuple[Catalog, TableVersion] | None:
        """What the history in memory says of a version of a table or a set, or None."""
        state = self._tables.known((project, name))
        if state is None:
            return self.sets.find_version(project, name, version)
        return state.catalog, state.table.resolve(version)

    def has_failed(self, project: str, table: str, version: str) -> bool:
        """Whether bytes of a version were given that turned out not to be the recorded ones."""
        known = self._find_payload(project, table, version)
        return known is not None and self._reader.has_failed(*known)

    def _find_payload(
        self, project: str, table: str, version: str
    ) -> tuple[ReadableStore, ObjectInfo, Recorded] | None:
        state = self._tables.known((project, table))
        entry = state.table.resolve(version) if state else None
        info = state.payloads.get(entry.key) if state and entry else None
        if state is None or entry is None or info is None:
            return None
        return state.store, info, Recorded(entry.entry.parquet_sha, entry.entry.data_sha)

    def activity(self) -> Activity:
        """What this source has to tell of itself. Asks nobody."""
        return Activity(
            tuple(self._projects.known_names),
            {name: (aged.read_s, aged.away) for name, aged in self._projects.views.all().items()},
            self._work.read_count,
            self._payloads.count,
        )

    async def project(self, project: str) -> ProjectView:
        """The tables of a project, at most `refresh_s` old."""
        return await self._projects.get(project)

    async def moment(self, project: str, time_ns: int) -> MomentView:
        """A project as of a moment, at most `refresh_s` old."""
        return await self._moments.get(project, time_ns)

    async def table(self, project: str, table: str, *, fresh: bool = False) -> TableView:
        """The versions of a table, at most `refresh_s` old, or just read with `fresh`."""
        return (await self._table(project, table, fresh=fresh)).view

    async def look_around(self) -> None:
        """Read the manifests of a few projects before anybody asks: the first look at one need not wait for it then.

        Of many none: to mount a portfolio must cost no store anything.
        """
        with suppress(DatomfsError):  # whoever asks for them is told
            projects = await self.projects()
            if len(projects) <= _LOOKED_AT:
                for project in projects:
                    self._nursery.start_soon(self._look_at, project)

    async def _look_at(self, project: str) -> None:
        try:
            await self.project(project)
        except DatomfsError as error:  # whoever asks for it is told
            log.debug("project %s is not known yet: %s", project, error.what)

    # -- bytes -----------------------------------------------------------------------------------------------------

    async def open(self, project: str, table: str, version: str) -> Handle:
        """A proven payload. One proof runs at a time for each, and those who wait for it share the open file."""
        self._bring_siblings(project, table, version)
        return await self._open(project, table, version)

    async def _open(self, project: str, table: str, version: str) -> Handle:
        state = await self._table(project, table, fresh=False)
        entry = state.table.resolve(version)
        info = state.payloads.get(entry.key)
        if info is None:
            raise RecordedMissing(f"{entry.key} of project {project}")
        recorded = Recorded(entry.entry.parquet_sha, entry.entry.data_sha)
        what = f"{project}/{table}@{version[:8]}"
        return await self._payloads.open((project, entry.key), state.store, info, recorded, what)

    def size(self, handle: Handle) -> int:
        """The bytes of an open payload."""
        return self._payloads.size(handle)

    async def read(self, handle: Handle, offset: int, length: int) -> Bytes:
        """Bytes of an open payload."""
        return await self._payloads.read(handle, offset, length)

    def close(self, handle: Handle) -> None:
        """Give an open payload back."""
        self._payloads.close(handle)

    def close_all(self) -> None:
        """Give everything back, at the end of the mount."""
        self._payloads.close_all()

    # -- ahead of those who read -----------------------------------------------------------------------------------

    def _bring_siblings(self, project: str, table: str, version: str) -> None:
        """Somebody opens a table at its current version: bring the next ones, if there is a habit."""
        view = self.known_project(project)
        current = view.tables.get(table) if view else None
        if view is None or current is None or current.version != version:
            return
        names = self._siblings.opened(project, table, sorted(view.tables))
        if names:
            self._nursery.start_soon(self._bring_all, project, {name: view.tables[name].version for name in names})

    async def _bring_all(self, project: str, versions: Mapping[str, str]) -> None:
        await self._list_ahead(project)
        for table, version in versions.items():
            self._nursery.start_soon(self._bring, project, table, version)

    async def _bring(self, project: str, table: str, version: str) -> None:
        """Have a small payload here before anybody asks for it. Whatever fails, fails again for who does ask."""
        async with self._ahead:
            try:
                state = await self._table(project, table, fresh=False)
                info = state.payloads.get(state.table.resolve(version).key)
                if info is not None and info.size <= SMALL and state.store.local_path(info.key) is None:
                    self.close(await self._open(project, table, version))
            except DatomfsError as error:
                log.debug("%s/%s did not come ahead: %s", project, table, error.what)

    # -- reading documents -----------------------------------------------------------------------------------------

    async def _list_ahead(self, project: str) -> None:
        """All payloads in one listing, where that is cheaper than one for each of the tables that will be read."""
        if self._projects.version_counts[project] <= _LISTED_AT_ONCE:
            with suppress(DatomfsError):  # then each table is listed by itself
                await self._listings.get(project, lambda: self._list_project(project), f"project {project}")

    async def _read_versions(self, project: str, table: str) -> TableVersions:
        return (await self._table(project, table, fresh=False)).table

    async def _table(self, project: str, table: str, *, fresh: bool) -> _TableState:
        key = (project, table)
        known = self._tables.find(key)
        if fresh and known is not None and not self._is_fresh(project, known):
            self._tables.expire(key)
        return await self._tables.get(key, lambda: self._read_table(project, table, fresh=fresh), f"{project}/{table}")

    def _is_fresh(self, project: str, known: Aged[_TableState]) -> bool:
        """Whether a table was read a moment ago, and after its project: what the manifest names, its history has."""
        manifest = self._projects.views.find(project)
        after_s = manifest.read_s if manifest else 0.0
        return known.began_s >= after_s and known.value.as_of_s >= trio.current_time() - _FRESH_S

    async def _refresh(self, project: str, catalog: Catalog, *, fresh: bool) -> float:
        """When the documents of a project that are read now were so; with `fresh` a moment ago at most."""
        now = trio.current_time()
        if catalog.documents.source == "storage":
            return now
        if fresh and self._projects.refreshed_s.get(project, 0.0) < now - _FRESH_S:
            await self._work.in_thread(catalog.documents.refresh)
            self._projects.refreshed_s[project] = now
        return self._projects.refreshed_s.get(project, 0.0)

    async def _read_table(self, project: str, table: str, *, fresh: bool) -> _TableState:
        """The history and one listing: that it is a table, the manifest has told."""
        catalog = await self._work.in_thread(self._portfolio.catalog, project)
        as_of_s = await self._refresh(project, catalog, fresh=fresh)
        state: list[TableVersions] = []
        payloads: dict[str, ObjectInfo] = {}

        async def read_history() -> None:
            try:
                state.append(await self._work.in_thread(catalog.read_versions, table))
            except RecordedMissing as error:
                if table in (self.known_project(project) or await self.project(project)).tables:
                    raise
                raise TableNotFound(project, table) from error

        async def list_payloads() -> None:
            payloads.update(await self._work.in_thread(catalog.list_payloads, table))

        listing = self._listings.find(project)
        is_listed = listing is not None and trio.current_time() < listing.until_s
        if listing is not None and is_listed:
            payloads.update(listing.value.get(table, {}))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read_history)
                if not is_listed:
                    nursery.start_soon(list_payloads)
        except ExceptionGroup as group:
            raise group.exceptions[0] from group
        (known,) = state
        _check_kept(catalog, known, self.known_project(project))
        # A version may be written between the two, bytes first: what an older listing lacks is not lost.
        if any(payload_key(table, entry.data_sha) not in payloads for entry in known.history.entries):
            await list_payloads()
        return _TableState(catalog, table_view(known, payloads), known, payloads, as_of_s)

    async def _list_project(self, project: str) -> Mapping[str, Mapping[str, ObjectInfo]]:
        catalog = await self._work.in_thread(self._portfolio.catalog, project)
        return await self._work.in_thread(catalog.list_all_payloads)


def _check_kept(catalog: Catalog, table: TableVersions, project: ProjectView | None) -> None:
    """Raise StoreUnreachable where a history that was kept is older than the manifest: what it lacks there still is."""
    current = project.tables.get(table.name) if project else None
    if isinstance(catalog, RecalledCatalog) and current and current.version not in table.history.versions:
        raise StoreUnreachable(
            catalog.store.url, table.name, f"what was kept of {table.name} is older than its project"
        )


def _weight(state: _TableState) -> int:
    return _TABLE_WEIGHT + len(state.table.history.entries) + len(state.payloads) // 4
