"""Projects as they were, for the tree: which version each table had at a moment, read once and kept by the clock.

With git metadata one document tells it. With storage metadata the histories of all tables do: they are read several
at a time, and are the same views that the tables themselves are shown by.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import trio

from datomfs.catalog.catalog import TableVersions
from datomfs.catalog.moment import read_past
from datomfs.catalog.portfolio import Portfolio
from datomfs.errors import AccessError, DatomfsError
from datomfs.model.timestamps import parse_timestamp_ns
from datomfs.mount.views import Views
from datomfs.mount.work import Work
from datomfs.vfs.source import Current, MomentView, ProjectView

_MOMENTS = 1_000
_TABLES_AT_ONCE = 12

ReadProject = Callable[[str], Awaitable[ProjectView]]
ReadVersions = Callable[[str, str], Awaitable[TableVersions]]


class Moments:
    """The moments somebody has looked at. All methods run in the trio thread.

    `read_project` sees to it that a project is no older than the clock allows, `list_ahead` that reading all of its
    tables is cheap.
    """

    def __init__(
        self,
        portfolio: Portfolio,
        work: Work,
        *,
        refresh_s: float,
        read_project: ReadProject,
        list_ahead: Callable[[str], Awaitable[None]],
        read_versions: ReadVersions,
    ) -> None:
        self._portfolio = portfolio
        self._work = work
        self._read_project = read_project
        self._list_ahead = list_ahead
        self._read_versions = read_versions
        self._views: Views[tuple[str, int], MomentView] = Views(work, refresh_s=refresh_s, limit=_MOMENTS)

    async def get(self, project: str, time_ns: int) -> MomentView:
        """A project at a moment that is over. A push with an older time may still change it, within `refresh_s`."""
        what = f"project {project} as of {time_ns // 1_000_000_000}"
        return await self._views.get((project, time_ns), lambda: self._read(project, time_ns), what)

    def expire_all(self) -> None:
        """Have all be read again the next time they are asked for."""
        self._views.expire_all()

    async def _read(self, project: str, time_ns: int) -> MomentView:
        present = await self._read_project(project)
        catalog = await self._work.in_thread(self._portfolio.catalog, project)
        past = await self._work.in_thread(read_past, catalog, time_ns)
        if past is None:
            return await self._read_histories(project, present.tables, time_ns)
        return MomentView(
            {name: Current(row.current_version, parse_timestamp_ns(row.last_updated)) for name, row in past.items()}
        )

    async def _read_histories(self, project: str, tables: Iterable[str], time_ns: int) -> MomentView:
        await self._list_ahead(project)
        found: dict[str, Current] = {}
        broken: dict[str, DatomfsError] = {}
        limiter = trio.CapacityLimiter(_TABLES_AT_ONCE)

        async def read(table: str) -> None:
            async with limiter:
                try:
                    version = (await self._read_versions(project, table)).as_of(time_ns)
                except AccessError:  # of the store: what was known of the moment is better than half of it
                    raise
                except DatomfsError as error:
                    broken[table] = error
                    return
                if version is not None:
                    found[table] = Current(version.version, version.entry.time_ns)

        try:
            async with trio.open_nursery() as nursery:
                for table in tables:
                    nursery.start_soon(read, table)
        except ExceptionGroup as group:
            raise group.exceptions[0] from group
        return MomentView(found, broken)
