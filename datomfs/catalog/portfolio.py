"""The projects a reader sees: those of governance, and the solo projects of the configuration beside them.

A project is opened the first time it is asked for, and stays open. One project's broken ref or store never touches
another: nothing here looks at more than the project it is asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from datomfs.catalog.catalog import Catalog
from datomfs.catalog.documents import Documents, StoreDocuments
from datomfs.catalog.following import FollowingStore
from datomfs.catalog.governance import Governance
from datomfs.errors import ObjectMissing, ProjectNotFound, RefForbidden, RefMissing
from datomfs.layout import REF_FILE
from datomfs.model.location import Location
from datomfs.model.ref import Ref, parse_ref
from datomfs.store.base import ReadableStore

log = logging.getLogger(__name__)

_SHOWN = 10
"""How many names an error lists."""

OpenStore = Callable[[str, Location], ReadableStore]
OpenDocuments = Callable[[str, ReadableStore], Documents]


def _mirrored(project: str, store: ReadableStore) -> Documents:
    return StoreDocuments(store)


@dataclass(frozen=True, slots=True)
class Governed:
    """What governs a portfolio, and the folders below which a ref may point on this machine.

    Refs come from a repository that many may write to: a folder that none of `allow_roots` holds is not followed.
    """

    governance: Governance
    allow_roots: Sequence[Path] = ()

    def read_ref(self, project: str) -> Ref:
        """Where a project lies. Raises RefMissing, RefForbidden, DocumentInvalid, AccessError."""
        where = self.governance.where(project, REF_FILE)
        try:
            ref = parse_ref(self.governance.get(project, REF_FILE), where)
        except ObjectMissing as error:
            raise RefMissing(project, where) from error
        if ref.current.backend == "local":
            self._check_folder(project, ref.current, where)
        return ref

    def _check_folder(self, project: str, location: Location, where: str) -> None:
        # What the place really is: a link or `..` in it must not lead out of what the user named.
        place = Path(location.root, location.namespace)
        if not Path(location.root).is_absolute() or not any(
            place.resolve().is_relative_to(root.resolve()) for root in self.allow_roots
        ):
            raise RefForbidden(project, location.url, where)


class Portfolio:
    """Projects by name. Safe to use from several threads.

    `solo` are the places the configuration gives: they are believed also where governance names another.
    """

    def __init__(
        self,
        solo: Mapping[str, Location],
        open_store: OpenStore,
        *,
        governed: Governed | None = None,
        open_documents: OpenDocuments = _mirrored,
    ) -> None:
        self._solo = dict(solo)
        self._open_store = open_store
        self._open_documents = open_documents
        self._governed = governed
        self._registered: tuple[str, ...] | None = None
        self._catalogs: dict[str, Catalog] = {}
        self._lock = Lock()

    @property
    def governance(self) -> Governance | None:
        """What governs it, if anything does."""
        return self._governed.governance if self._governed else None

    def refresh(self) -> None:
        """Ask governance which projects there are. Raises AccessError; what was known stays so.

        A project that is registered no more is forgotten: should its name come back, it is opened anew.
        """
        if self._governed is None:
            return
        self._governed.governance.refresh()
        registered = tuple(self._governed.governance.projects())
        with self._lock:
            self._registered = registered
            for project in self._catalogs.keys() - set(registered) - self._solo.keys():
                del self._catalogs[project]

    @property
    def projects(self) -> tuple[str, ...]:
        """The names of all projects, sorted, as of the last `refresh`; the first time that is done now."""
        if self._registered is None:
            self.refresh()
        return tuple(sorted({*self._solo, *(self._registered or ())}))

    def location(self, project: str) -> Location:
        """Where a project lies now. Raises ProjectNotFound, and what reading its ref raises."""
        if project in self._solo:
            return self._solo[project]
        if self._governed is None or project not in self.projects:
            known = self.projects
            more = ", …" if len(known) > _SHOWN else ""
            raise ProjectNotFound(project, f"known are {', '.join(known[:_SHOWN])}{more}")
        return self._governed.read_ref(project).current

    def catalog(self, project: str) -> Catalog:
        """The catalog of a project, which follows it when it moves. Raises what `location` raises."""
        known = self._catalogs.get(project)
        if known is not None:
            return known
        store = self._open(project)  # without the lock: one project's slow ref must not hold up another
        catalog = Catalog(project, store, self._open_documents(project, store))
        with self._lock:
            return self._catalogs.setdefault(project, catalog)

    def _open(self, project: str) -> ReadableStore:
        if project in self._solo or self._governed is None:
            return self._open_store(project, self.location(project))
        return FollowingStore(lambda: self.location(project), lambda location: self._open_store(project, location))
