"""The tree's source in a running mount: stores behind a clock, threads and deadlines.

Everything that blocks goes through here into threads, under one limiter. Documents are read again when they are older
than `refresh_s`; while a store is away, what was known stays served. Pins never expire: once a payload is open, its
bytes are its own.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import trio

from datomfs.cache.proof import Recorded
from datomfs.cache.reader import OpenPayload, PayloadReader
from datomfs.catalog.catalog import Catalog, Table
from datomfs.catalog.portfolio import Portfolio
from datomfs.errors import AccessError, RecordedMissing, StoreUnreachable
from datomfs.layout import payload_key
from datomfs.model.timestamps import parse_timestamp_ns
from datomfs.mount.single_flight import Progress, SingleFlight
from datomfs.store.base import ObjectInfo
from datomfs.vfs.source import Current, Handle, ProjectView, TableView, VersionView

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_THREADS = 32
_FRESH_S = 1.0
"""How young a view must be to count as just read, when somebody asks for a version it does not have."""
_RETRY_S = 5.0
"""How long a store that did not answer is left alone, while older views serve."""


@dataclass(frozen=True, slots=True)
class _TableState:
    """A table as last read: its view for the tree, and what opening a version of it takes."""

    view: TableView
    table: Table
    payloads: Mapping[str, ObjectInfo]


@dataclass(slots=True)
class _Aged(Generic[T]):
    """A value, when it was read, and until when it is believed; both in seconds of trio's clock."""

    value: T
    read_s: float
    until_s: float


@dataclass(slots=True)
class _OpenHandle:
    """An open payload, and how many reads are under way in it: the last to leave closes a file nobody wants."""

    payload: OpenPayload
    reads: int = 0
    released: bool = False


class LiveSource:
    """Implements `vfs.source.Source` over a portfolio. All methods run in the trio thread."""

    def __init__(
        self, portfolio: Portfolio, reader: PayloadReader, nursery: trio.Nursery, *, refresh_s: float, stall_s: float
    ) -> None:
        self._portfolio = portfolio
        self._reader = reader
        self._refresh_s = refresh_s
        self._stall_s = stall_s
        self._flights = SingleFlight(nursery)
        self._limiter = trio.CapacityLimiter(_THREADS)
        self._projects: dict[str, _Aged[ProjectView]] = {}
        self._tables: dict[tuple[str, str], _Aged[_TableState]] = {}
        self._handles: dict[Handle, _OpenHandle] = {}
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

    async def project(self, project: str) -> ProjectView:
        """The tables of a project, at most `refresh_s` old."""
        return await self._aged(self._projects, project, lambda _: self._read_project(project), f"project {project}")

    async def table(self, project: str, table: str, *, fresh: bool = False) -> TableView:
        """The versions of a table, at most `refresh_s` old, or just read with `fresh`."""
        return (await self._table(project, table, fresh=fresh)).view

    # -- bytes -----------------------------------------------------------------------------------------------------

    async def open(self, project: str, table: str, version: str) -> Handle:
        """A proven payload. One proof runs at a time for each, however many open it."""
        state = await self._table(project, table, fresh=False)
        entry = state.table.resolve(version)
        info = state.payloads.get(entry.key)
        if info is None:
            raise RecordedMissing(f"{entry.key} of project {project}")
        store = self._portfolio.catalog(project).store
        recorded = Recorded(entry.entry.parquet_sha, entry.entry.data_sha)

        def open_payload(progress: Progress) -> OpenPayload:
            return self._reader.open(store, info, recorded, progress.report)

        # The flight proves and keeps the bytes; each caller then opens a file of its own, which is quick.
        async def prove(progress: Progress) -> None:
            (await self._in_thread(open_payload, progress)).close()

        await self._within_deadline(("open", project, entry.key), prove, f"{project}/{table}@{version[:8]}")
        payload = await self._in_thread(open_payload, Progress())
        handle = Handle(next(self._numbers))
        self._handles[handle] = _OpenHandle(payload)
        return handle

    async def read(self, handle: Handle, offset: int, length: int) -> bytes:
        """Bytes of an open payload: at once where the page cache has them, else in a thread."""
        opened = self._handles[handle]
        data = opened.payload.read_nowait(offset, length)
        if data is not None:
            return data

        async def read(_: Progress) -> bytes:
            opened.reads += 1
            try:
                return await self._in_thread(opened.payload.read, offset, length)
            finally:
                opened.reads -= 1
                self._close_unused(opened)

        return await self._within_deadline(("read", handle, offset, length), read, str(opened.payload.path))

    def close(self, handle: Handle) -> None:
        """Give an open payload back."""
        opened = self._handles.pop(handle)
        opened.released = True
        self._close_unused(opened)

    def close_all(self) -> None:
        """Give everything back, at the end of the mount."""
        for handle in list(self._handles):
            self.close(handle)

    @staticmethod
    def _close_unused(opened: _OpenHandle) -> None:
        if opened.released and not opened.reads:
            opened.payload.close()

    # -- reading documents -----------------------------------------------------------------------------------------

    async def _table(self, project: str, table: str, *, fresh: bool) -> _TableState:
        key = (project, table)
        known = self._tables.get(key)
        if fresh and known is not None and trio.current_time() - known.read_s > _FRESH_S:
            known.until_s = 0.0
        return await self._aged(self._tables, key, lambda _: self._read_table(project, table), f"{project}/{table}")

    async def _aged(self, views: dict[K, _Aged[T]], key: K, read: Callable[[Progress], Awaitable[T]], what: str) -> T:
        """The view of a key, read again when its time is over; the old one serves while the store is away."""
        known = views.get(key)
        if known is not None and trio.current_time() < known.until_s:
            return known.value
        try:
            value = await self._within_deadline(key, read, what)
        except AccessError as error:
            if known is None:
                raise
            known.until_s = trio.current_time() + min(self._refresh_s, _RETRY_S)
            log.warning("%s is served as it was %.0f s ago: %s", what, trio.current_time() - known.read_s, error.what)
            return known.value
        now = trio.current_time()
        views[key] = _Aged(value, now, now + self._refresh_s)
        return value

    async def _read_project(self, project: str) -> ProjectView:
        manifest = await self._in_thread(lambda: self._portfolio.catalog(project).read_manifest())
        tables = {
            name: Current(row.current_version, parse_timestamp_ns(row.last_updated))
            for name, row in manifest.rows.items()
            if row.kind == "table"
        }
        return ProjectView(tables, parse_timestamp_ns(manifest.updated_at))

    async def _read_table(self, project: str, table: str) -> _TableState:
        catalog = await self._in_thread(self._portfolio.catalog, project)
        state: list[Table] = []
        payloads: dict[str, ObjectInfo] = {}

        async def read_documents() -> None:
            state.append(await self._in_thread(catalog.read_table, table))

        async def list_payloads() -> None:
            payloads.update(await self._in_thread(catalog.list_payloads, table))

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read_documents)
                nursery.start_soon(list_payloads)
        except ExceptionGroup as group:
            raise group.exceptions[0] from group
        return _TableState(_view(catalog, state[0], payloads), state[0], payloads)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await trio.to_thread.run_sync(work, *arguments, limiter=self._limiter, abandon_on_cancel=True)

    async def _within_deadline(self, key: Hashable, work: Callable[[Progress], Awaitable[T]], what: str) -> T:
        """The work's result. Raises StoreUnreachable when it gets nowhere for `stall_s`; it goes on behind."""
        try:
            return await self._flights.do(key, work, stall_s=self._stall_s)
        except trio.TooSlowError as error:
            raise StoreUnreachable("the store", what, f"no answer for {what} within {self._stall_s:.0f} s") from error


def _view(catalog: Catalog, table: Table, payloads: Mapping[str, ObjectInfo]) -> TableView:
    """The versions of a table with the sizes of their payloads, each once."""
    versions: dict[str, VersionView] = {}
    shas: dict[str, set[str]] = {}
    for entry in table.history.entries:
        info = payloads.get(payload_key(table.name, entry.data_sha))
        versions.setdefault(entry.version, VersionView(entry.version, entry.time_ns, info.size if info else None))
        shas.setdefault(entry.version, set()).add(entry.data_sha)
    twins = frozenset(version for version, named in shas.items() if len(named) > 1)
    return TableView(catalog.project, table.name, tuple(versions.values()), twins)
