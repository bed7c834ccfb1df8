"""Which projects there are and what each holds, in a running mount: read by the clock, from where each lies now.

While stores or governance are away, what this mount knew serves, else what an earlier one kept. A project is believed
or recalled as a whole, so that what is shown of it is of about one time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import trio

from datomfs.catalog.portfolio import Portfolio
from datomfs.errors import AccessError, DatomfsError, RefForbidden
from datomfs.model.manifest import Manifest
from datomfs.model.timestamps import parse_timestamp_ns
from datomfs.mount.views import Aged, Kept, Views
from datomfs.mount.work import Work
from datomfs.vfs.source import Current, ProjectView

log = logging.getLogger(__name__)

_GOVERNED_S = 5.0
"""How old what governance says may be when a project is read: many are read one after another, and move seldom."""
_MOST_PROJECTS = 10_000

OnNames = Callable[[None, Sequence[str], Sequence[str]], object]
OnProject = Callable[[str, ProjectView, ProjectView], object]


class LiveProjects:
    """The projects of one mount; `on_names` and `on_project` are told of changes. All methods run in trio's thread."""

    def __init__(
        self, portfolio: Portfolio, work: Work, *, refresh_s: float, on_names: OnNames, on_project: OnProject
    ) -> None:
        self._portfolio = portfolio
        self._work = work
        self.names: Views[None, Sequence[str]] = Views(work, refresh_s=refresh_s, limit=1, on_change=on_names)
        self.views: Views[str, ProjectView] = Views(
            work, refresh_s=refresh_s, limit=_MOST_PROJECTS, on_change=on_project
        )
        self.version_counts: dict[str, int] = {}
        """How many versions all tables of a project have, as its manifest tells."""
        self.refreshed_s: dict[str, float] = {}
        """When the documents of a project were last as the road to them has them: seconds of trio's clock."""

    @property
    def known_names(self) -> Sequence[str]:
        """The names of all projects as last read; none before the first time."""
        return self.names.known(None) or ()

    def believed_s(self, project: str | None) -> float:
        """For how long what was last read of a project, or with None of their list, still holds."""
        known: Aged[Any] | None = self.names.find(None) if project is None else self.views.find(project)
        return max(0.0, known.until_s - trio.current_time()) if known else 0.0

    def is_away(self, project: str) -> bool:
        """Whether a project is served as it was, because its store did not answer when it was asked last."""
        known = self.views.find(project)
        return known is not None and known.away

    def expire(self) -> None:
        """Have all be read again the next time it is asked for."""
        self.names.expire_all()
        self.views.expire_all()

    async def list(self) -> Sequence[str]:
        """The names of all projects, sorted."""
        return await self.names.get(None, self._read_names, "the list of projects", recall=self._recall_names)

    async def get(self, project: str) -> ProjectView:
        """The tables and sets of a project."""
        return await self.views.get(
            project, lambda: self._read(project), f"project {project}", recall=lambda: self._recall(project)
        )

    # -- inside ----------------------------------------------------------------------------------------------------

    async def _read_names(self) -> Sequence[str]:
        await self._work.in_thread(self._portfolio.refresh)
        return self._portfolio.projects

    async def _recall_names(self) -> Kept[Sequence[str]] | None:
        recalled = await self._work.in_thread(self._portfolio.find_kept_projects)
        if recalled is None or self.believed_s(None):
            return None
        self._portfolio.recall_projects(recalled)
        return Kept(self._portfolio.projects, recalled.checked_ns)

    async def _read(self, project: str) -> ProjectView:
        try:
            if self._portfolio.is_governed(project) and await self._ask_governance():
                await self._work.in_thread(lambda: self._portfolio.live(project).follow())
            began_s = trio.current_time()
            manifest = await self._work.in_thread(self._read_manifest, project)
        except RefForbidden:
            raise
        except AccessError:
            # What nobody has looked at in this mount may have been kept by an earlier one.
            recalled = await self._work.in_thread(self._portfolio.find_kept, project)
            if recalled is not None:
                self._portfolio.recall(project, recalled)
            raise
        self._portfolio.believe(project)
        self.refreshed_s[project] = began_s
        return self._view(project, manifest)

    async def _recall(self, project: str) -> Kept[ProjectView] | None:
        """What was kept of a project; from then on also of its tables, until its store answers."""
        recalled = await self._work.in_thread(self._portfolio.find_kept, project)
        # What is kept may be what this mount has read meanwhile: then the store answers, and is to be believed.
        if recalled is None or self.believed_s(project):
            return None
        self._portfolio.recall(project, recalled)
        try:
            manifest = await self._work.in_thread(recalled.read_manifest)
        except DatomfsError as error:
            log.debug("what was kept of %s cannot be used: %s", project, error.what)
            return None
        return Kept(self._view(project, manifest), recalled.checked_ns)

    async def _ask_governance(self) -> bool:
        """Whether governance could be asked a moment ago: while it is away, projects stay where they are known."""
        known = self.names.find(None)
        if known is not None and not known.away and trio.current_time() >= known.began_s + _GOVERNED_S:
            self.names.expire(None)
        with suppress(AccessError):  # a project that is not known yet tells the reason when it is opened
            await self.list()
        known = self.names.find(None)
        return known is not None and not known.away

    def _read_manifest(self, project: str) -> Manifest:
        catalog = self._portfolio.live(project)
        catalog.refresh()
        return catalog.read_manifest()

    def _view(self, project: str, manifest: Manifest) -> ProjectView:
        self.version_counts[project] = sum(row.version_count or 0 for row in manifest.rows.values())
        return ProjectView(
            _current(manifest, "table"), parse_timestamp_ns(manifest.updated_at), _current(manifest, "set")
        )


def _current(manifest: Manifest, kind: str) -> Mapping[str, Current]:
    """The artifacts of one kind."""
    return {
        name: Current(row.current_version, parse_timestamp_ns(row.last_updated))
        for name, row in manifest.rows.items()
        if row.kind == kind
    }
