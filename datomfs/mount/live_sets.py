"""Sets in a running mount: their versions behind the clock, and what each version holds, proven and kept in memory.

The payload of a set is opened as those of tables are, through the cache; what is parsed has been hashed here once more,
whatever the mount was told of proofs: a set is small, and what it names is looked up elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import trio
from cachetools import LRUCache

from datomfs.cache.proof import OnProgress, Recorded
from datomfs.cache.reader import PayloadReader
from datomfs.catalog.catalog import Catalog, TableVersion
from datomfs.catalog.portfolio import Portfolio
from datomfs.catalog.sets import SetVersions, check_bytes, check_payload, check_size, read_set_versions, recorded_sha
from datomfs.errors import RecordedMissing
from datomfs.model.sets import SetContent
from datomfs.mount.single_flight import Progress
from datomfs.mount.table_view import table_view
from datomfs.mount.views import Views
from datomfs.mount.work import Work
from datomfs.store.base import ObjectInfo
from datomfs.vfs.source import TableView

_FRESH_S = 1.0
"""How young a view must be to count as just read, when somebody asks for a version it does not have."""
_MOST_VERSIONS = 100_000
"""Of how many versions the histories are kept, those of the sets that were looked at last."""
_SET_WEIGHT = 20
"""What a set costs beside its versions, in versions."""
_MOST_BYTES = 16 << 20
"""How many bytes of payloads, those looked at last, are kept as what they say."""


@dataclass(frozen=True, slots=True)
class _SetState:
    """A set as last read: its view for the tree, and what reading a version of it takes."""

    catalog: Catalog
    view: TableView
    versions: SetVersions
    payloads: Mapping[str, ObjectInfo]


@dataclass(frozen=True, slots=True)
class _Known:
    content: SetContent
    size: int


class LiveSets:
    """Implements `vfs.set_source.SetSource`. All methods run in the trio thread."""

    def __init__(self, portfolio: Portfolio, reader: PayloadReader, work: Work, *, refresh_s: float) -> None:
        self._portfolio = portfolio
        self._reader = reader
        self._work = work
        self._states: Views[tuple[str, str], _SetState] = Views(
            work, refresh_s=refresh_s, limit=_MOST_VERSIONS, weight=_weight
        )
        self._contents: LRUCache[tuple[str, str, str], _Known] = LRUCache(_MOST_BYTES, lambda known: known.size)

    async def view(self, project: str, name: str, *, fresh: bool = False) -> TableView:
        """The versions of a set, at most `refresh_s` old, or just read with `fresh`."""
        return (await self._state(project, name, fresh=fresh)).view

    def known_view(self, project: str, name: str) -> TableView | None:
        """What was last read of a set, or None."""
        known = self._states.known((project, name))
        return known.view if known else None

    def expire(self) -> None:
        """Have the versions of sets be read again the next time they are asked for; what one holds never changes."""
        self._states.expire_all()

    def find_version(self, project: str, name: str, version: str) -> tuple[Catalog, TableVersion] | None:
        """What the history in memory says of a version, or None."""
        state = self._states.known((project, name))
        return (state.catalog, state.versions.resolve(version)) if state else None

    async def content(self, project: str, name: str, version: str) -> SetContent:
        """What a version holds. Raises PayloadMismatch, RecordedMissing, DocumentInvalid, and the store's errors."""
        known = self.known_content(project, name, version)
        if known is not None:
            return known
        state = await self._state(project, name, fresh=False)

        async def read(progress: Progress) -> SetContent:
            data = await self._work.in_reading_thread(_read, self._reader, state, version, progress.report)
            content = await self._work.in_thread(check_payload, state.versions.resolve(version), data)
            self._contents[project, name, version] = _Known(content, len(data))
            return content

        return await self._work.once(("set", project, name, version), read, f"{project}/{name}@{version[:8]}")

    async def payload(self, project: str, name: str, version: str) -> bytes:
        """The bytes of a version as they are stored, proven. Raises what `content` raises."""
        state = await self._state(project, name, fresh=False)

        async def read(progress: Progress) -> bytes:
            return await self._work.in_reading_thread(_read, self._reader, state, version, progress.report)

        return await self._work.once(("set bytes", project, name, version), read, f"{project}/{name}@{version[:8]}")

    def known_content(self, project: str, name: str, version: str) -> SetContent | None:
        """What a version holds, if it is in memory."""
        known = self._contents.get((project, name, version))
        return known.content if known else None

    async def _state(self, project: str, name: str, *, fresh: bool) -> _SetState:
        key = (project, name)
        known = self._states.find(key)
        if fresh and known is not None and known.began_s < trio.current_time() - _FRESH_S:
            self._states.expire(key)

        async def read() -> _SetState:
            return await self._work.in_thread(_read_state, self._portfolio, project, name, fresh)

        return await self._states.get(key, read, f"{project}/{name}")


def _weight(state: _SetState) -> int:
    return _SET_WEIGHT + len(state.versions.history.entries) + len(state.payloads) // 4


def _read_state(portfolio: Portfolio, project: str, name: str, fresh: bool) -> _SetState:
    catalog = portfolio.catalog(project)
    if fresh:  # along git, what is newer than the last look is not here yet
        catalog.documents.refresh()
    versions = read_set_versions(catalog, name)
    # Bytes come before the documents that name them: what is listed after the history was read has all of them.
    payloads = catalog.list_payloads(name)
    return _SetState(catalog, table_view(versions, payloads), versions, payloads)


def _read(reader: PayloadReader, state: _SetState, version: str, on_progress: OnProgress) -> bytes:
    found = state.versions.resolve(version)
    info = state.payloads.get(found.key)
    if info is None:
        raise RecordedMissing(f"{found.key} of project {found.project}")
    check_size(found, info.size)
    recorded = Recorded(recorded_sha(found), found.entry.data_sha)
    payload = reader.open(state.catalog.store, info, recorded, on_progress)
    try:
        data = bytes(payload.read(0, payload.size, on_progress))
    finally:
        payload.close()
    check_bytes(found, data)
    return data
