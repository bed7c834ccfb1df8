"""The tree's source in a running mount: stores behind a clock, threads and deadlines.

Everything that blocks goes through here into threads, under one limiter. Documents are read again when they are older
than `refresh_s`; while a store is away, what was known stays served. Pins never expire: once a payload is open, its
bytes are its own.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

import trio

from datomfs.cache.blocks import Bytes
from datomfs.cache.proof import Recorded
from datomfs.cache.reader import SMALL, Payload, PayloadReader
from datomfs.cache.standing import Verified
from datomfs.catalog.catalog import Catalog, TableVersions
from datomfs.catalog.portfolio import Portfolio
from datomfs.errors import AccessError, DatomfsError, RecordedMissing, StoreUnreachable, TableNotFound
from datomfs.layout import payload_key
from datomfs.model.timestamps import parse_timestamp_ns
from datomfs.mount.siblings import Siblings
from datomfs.mount.single_flight import Progress, SingleFlight
from datomfs.store.base import ObjectInfo, ReadableStore
from datomfs.vfs.source import Current, Handle, ProjectView, Standing, TableView, VersionView

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_THREADS = 32
_READERS = 64
"""Threads that wait for payload bytes: apart from the others, so that a store that gives none holds up no listing."""
_LISTED_AT_ONCE = 5000
"""Up to how many versions one listing of a whole project is cheaper than one for each of its tables."""
_LOOKED_AT = 16
_AHEAD = 12
"""How many payloads that nobody has asked for yet are brought at once."""
_FRESH_S = 1.0
"""How young a view must be to count as just read, when somebody asks for a version it does not have."""
_RETRY_S = 5.0
"""How long a store that did not answer is left alone, while older views serve."""
_PATIENCE_S = 1.0
"""How long a request waits for a store that did not answer the last time, when there is an older view to serve."""


@dataclass(frozen=True, slots=True)
class _TableState:
    """A table as last read: its view for the tree, and what opening a version of it takes."""

    store: ReadableStore
    view: TableView
    table: TableVersions
    payloads: Mapping[str, ObjectInfo]


@dataclass(slots=True)
class _Aged(Generic[T]):
    """A value, when reading it began and ended, and until when it is believed: seconds of trio's clock.

    `away` says that it should have been read again since, and the store did not answer.
    """

    value: T
    began_s: float
    read_s: float
    until_s: float
    away: bool = False


@dataclass(slots=True)
class _Shared:
    """An open payload, and how many use it: handles, reads, and at first who opened it. The last to leave closes it."""

    payload: Payload
    what: str
    users: int = 1

    def take(self) -> None:
        """One more uses it."""
        self.users += 1

    def leave(self) -> None:
        """One uses it no more; nobody can take it again after the last."""
        self.users -= 1
        if not self.users:
            self.payload.close()


class LiveSource:
    """Implements `vfs.source.Source` over a portfolio. All methods run in the trio thread."""

    def __init__(
        self, portfolio: Portfolio, reader: PayloadReader, nursery: trio.Nursery, *, refresh_s: float, stall_s: float
    ) -> None:
        self._portfolio = portfolio
        self._reader = reader
        self._refresh_s = refresh_s
        self._stall_s = stall_s
        self._nursery = nursery
        self._flights = SingleFlight(nursery)
        self._limiter = trio.CapacityLimiter(_THREADS)
        self._readers = trio.CapacityLimiter(_READERS)
        self._ahead = trio.CapacityLimiter(_AHEAD)
        self._siblings = Siblings()
        self._projects: dict[str, _Aged[ProjectView]] = {}
        self._tables: dict[tuple[str, str], _Aged[_TableState]] = {}
        self._listings: dict[str, _Aged[Mapping[str, Mapping[str, ObjectInfo]]]] = {}
        self._version_counts: dict[str, int] = {}
        self._handles: dict[Handle, _Shared] = {}
        self._numbers = itertools.count(1)

    # -- views -----------------------------------------------------------------------------------------------------

    def projects(self) -> Sequence[str]:
        """The names of all projects, sorted."""
        return self._portfolio.projects

    def known_project(self, project: str) -> ProjectView | None:
        """What was last read of a project, or None."""
        known = self._projects.get(project)
        return known.value if known else None

    def known_table(self, project: str, table: str) -> TableView | None:
        """What was last read of a table, or None."""
        known = self._tables.get((project, table))
        return known.value.view if known else None

    def standing(self, project: str, table: str, version: str) -> Standing:
        """What is known here of the bytes of a version."""
        known = self._find_payload(project, table, version)
        return Standing(*self._reader.standing(*known)) if known else Standing(Verified.PENDING, 0)

    def has_failed(self, project: str, table: str, version: str) -> bool:
        """Whether bytes of a version were given that turned out not to be the recorded ones."""
        known = self._find_payload(project, table, version)
        return known is not None and self._reader.has_failed(*known)

    def _find_payload(
        self, project: str, table: str, version: str
    ) -> tuple[ReadableStore, ObjectInfo, Recorded] | None:
        state = self._tables.get((project, table))
        entry = state.value.table.resolve(version) if state else None
        info = state.value.payloads.get(entry.key) if state and entry else None
        if state is None or entry is None or info is None:
            return None
        return state.value.store, info, Recorded(entry.entry.parquet_sha, entry.entry.data_sha)

    async def project(self, project: str) -> ProjectView:
        """The tables of a project, at most `refresh_s` old."""
        return await self._aged(self._projects, project, lambda: self._read_project(project), f"project {project}")

    async def table(self, project: str, table: str, *, fresh: bool = False) -> TableView:
        """The versions of a table, at most `refresh_s` old, or just read with `fresh`."""
        return (await self._table(project, table, fresh=fresh)).view

    async def look_around(self) -> None:
        """Read the manifests of a few projects before anybody asks: the first look at one need not wait for it then.

        Of many none: to mount a portfolio must cost no store anything.
        """
        if len(self.projects()) <= _LOOKED_AT:
            for project in self.projects():
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

        async def prove(progress: Progress) -> _Shared:
            payload = await self._in_thread(self._reader.open, state.store, info, recorded, progress.report)
            return _Shared(payload, what)

        what = f"{project}/{table}@{version[:8]}"
        shared = await self._do(
            ("open", project, entry.key), prove, what, self._stall_s, claim=_Shared.take, settle=_Shared.leave
        )
        handle = Handle(next(self._numbers))
        self._handles[handle] = shared
        return handle

    def size(self, handle: Handle) -> int:
        """The bytes of an open payload."""
        return self._handles[handle].payload.size

    async def read(self, handle: Handle, offset: int, length: int) -> Bytes:
        """Bytes of an open payload: at once where the page cache has them, else in a thread."""
        shared = self._handles[handle]
        data = shared.payload.read_nowait(offset, length)
        if data is not None:
            return data

        async def read(progress: Progress) -> Bytes:
            shared.take()
            try:
                return await trio.to_thread.run_sync(
                    shared.payload.read, offset, length, progress.report, limiter=self._readers, abandon_on_cancel=True
                )
            finally:
                shared.leave()

        return await self._do(("read", handle, offset, length), read, shared.what, self._stall_s)

    def close(self, handle: Handle) -> None:
        """Give an open payload back."""
        self._handles.pop(handle).leave()

    def close_all(self) -> None:
        """Give everything back, at the end of the mount."""
        for handle in list(self._handles):
            self.close(handle)

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
        if self._version_counts[project] <= _LISTED_AT_ONCE:
            with suppress(DatomfsError):  # then each table is listed by itself
                await self._aged(self._listings, project, lambda: self._list_project(project), f"project {project}")
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

    async def _table(self, project: str, table: str, *, fresh: bool) -> _TableState:
        key = (project, table)
        known = self._tables.get(key)
        if fresh and known is not None and not self._is_fresh(project, known):
            known.until_s = 0.0
        return await self._aged(self._tables, key, lambda: self._read_table(project, table), f"{project}/{table}")

    def _is_fresh(self, project: str, known: _Aged[_TableState]) -> bool:
        """Whether a table was read a moment ago, and after its project: what the manifest names, its history has."""
        manifest = self._projects.get(project)
        after_s = manifest.read_s if manifest else 0.0
        return known.began_s >= max(after_s, trio.current_time() - _FRESH_S)

    async def _aged(self, views: dict[K, _Aged[T]], key: K, read: Callable[[], Awaitable[T]], what: str) -> T:
        """The view of a key, read again when its time is over; the old one serves while the store is away."""
        known = views.get(key)
        if known is not None and trio.current_time() < known.until_s:
            return known.value

        # Kept by the run itself: when it takes longer than anybody waits, a retry finds what it brought.
        async def read_and_keep(_: Progress) -> T:
            began_s = trio.current_time()
            value = await read()
            now = trio.current_time()
            views[key] = _Aged(value, began_s, now, now + self._refresh_s)
            return value

        stall_s = min(_PATIENCE_S, self._stall_s) if known is not None and known.away else self._stall_s
        try:
            return await self._do((id(views), key), read_and_keep, what, stall_s)
        except AccessError as error:
            if known is None:
                raise
            now = trio.current_time()
            known.until_s = now + min(self._refresh_s, _RETRY_S)
            if not known.away:
                known.away = True
                log.warning("%s is served as it was %.0f s ago: %s", what, now - known.read_s, error.what)
            return known.value

    async def _read_project(self, project: str) -> ProjectView:
        manifest = await self._in_thread(lambda: self._portfolio.catalog(project).read_manifest())
        self._version_counts[project] = sum(row.version_count or 0 for row in manifest.rows.values())
        tables = {
            name: Current(row.current_version, parse_timestamp_ns(row.last_updated))
            for name, row in manifest.rows.items()
            if row.kind == "table"
        }
        return ProjectView(tables, parse_timestamp_ns(manifest.updated_at))

    async def _read_table(self, project: str, table: str) -> _TableState:
        """The history and one listing: that it is a table, the manifest has told."""
        catalog = await self._in_thread(self._portfolio.catalog, project)
        state: list[TableVersions] = []
        payloads: dict[str, ObjectInfo] = {}

        async def read_history() -> None:
            try:
                state.append(await self._in_thread(catalog.read_versions, table))
            except RecordedMissing as error:
                if table in (self.known_project(project) or await self.project(project)).tables:
                    raise
                raise TableNotFound(project, table) from error

        async def list_payloads() -> None:
            payloads.update(await self._in_thread(catalog.list_payloads, table))

        listing = self._listings.get(project)
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
        # A version may be written between the two, bytes first: what an older listing lacks is not lost.
        if any(payload_key(table, entry.data_sha) not in payloads for entry in known.history.entries):
            await list_payloads()
        return _TableState(catalog.store, _view(catalog, known, payloads), known, payloads)

    async def _list_project(self, project: str) -> Mapping[str, Mapping[str, ObjectInfo]]:
        catalog = await self._in_thread(self._portfolio.catalog, project)
        return await self._in_thread(catalog.list_all_payloads)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await trio.to_thread.run_sync(work, *arguments, limiter=self._limiter, abandon_on_cancel=True)

    async def _do(
        self,
        key: Hashable,
        work: Callable[[Progress], Awaitable[T]],
        what: str,
        stall_s: float,
        *,
        claim: Callable[[T], object] = lambda value: None,
        settle: Callable[[T], object] = lambda value: None,
    ) -> T:
        """The work's result. Raises StoreUnreachable when it gets nowhere for `stall_s`; it goes on behind."""
        try:
            return await self._flights.do(key, work, stall_s=stall_s, claim=claim, settle=settle)
        except trio.TooSlowError as error:
            raise StoreUnreachable("the store", what, f"no answer for {what} within {stall_s:.0f} s") from error


def _view(catalog: Catalog, table: TableVersions, payloads: Mapping[str, ObjectInfo]) -> TableView:
    """The versions of a table with the sizes of their payloads, each once."""
    versions: dict[str, VersionView] = {}
    shas: dict[str, set[str]] = {}
    for entry in table.history.entries:
        info = payloads.get(payload_key(table.name, entry.data_sha))
        versions.setdefault(entry.version, VersionView(entry.version, entry.time_ns, info.size if info else None))
        shas.setdefault(entry.version, set()).add(entry.data_sha)
    twins = frozenset(version for version, named in shas.items() if len(named) > 1)
    return TableView(catalog.project, table.name, tuple(versions.values()), twins)
