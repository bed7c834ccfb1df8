"""The projects a reader sees: those of governance, and the solo projects of the configuration beside them.

A project is opened the first time it is asked for, and stays open. One project's broken ref or store never touches
another: nothing here looks at more than the project it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock

from datomfs.catalog.catalog import Catalog
from datomfs.catalog.documents import Documents, StoreDocuments
from datomfs.catalog.following import FollowingStore
from datomfs.catalog.governance import Governance, Recalled
from datomfs.catalog.governed import Governed
from datomfs.catalog.keeping import KeepingCatalog, RecalledCatalog
from datomfs.catalog.kept import Kept
from datomfs.errors import DatomfsError, ProjectNotFound
from datomfs.model.location import Location
from datomfs.store.base import ReadableStore

_SHOWN = 10
"""How many names an error lists."""

OpenStore = Callable[[str, Location], ReadableStore]
OpenDocuments = Callable[[str, ReadableStore], Documents]


def _mirrored(project: str, store: ReadableStore) -> Documents:
    return StoreDocuments(store)


class Portfolio:
    """Projects by name. Safe to use from several threads.

    `solo` are the places the configuration gives: they are believed also where governance names another. What is read
    is `kept` for the time when nobody answers, where something is given that keeps it.
    """

    def __init__(
        self,
        solo: Mapping[str, Location],
        open_store: OpenStore,
        *,
        governed: Governed | None = None,
        open_documents: OpenDocuments = _mirrored,
        kept: Kept | None = None,
    ) -> None:
        self._solo = dict(solo)
        self._open_store = open_store
        self._open_documents = open_documents
        self._governed = governed
        self._kept = kept
        self._recalled: dict[str, RecalledCatalog] = {}
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
        self._governed.refresh()
        self._register(self._governed.governance.projects())

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
        """The catalog of a project: that which `live` gives, or, between `recall` and `believe`, what was kept."""
        return self._recalled.get(project) or self.live(project)

    def live(self, project: str) -> Catalog:
        """The catalog of a project, which follows it when it moves. Raises what `location` raises."""
        known = self._catalogs.get(project)
        if known is not None:
            return known
        store = self._open(project)  # without the lock: one project's slow ref must not hold up another
        catalog = self._make(project, store)
        with self._lock:
            return self._catalogs.setdefault(project, catalog)

    def find_kept(self, project: str) -> RecalledCatalog | None:
        """What was kept of a project, or None. Asks nobody.

        Where a ref was kept that must not be followed, nothing was kept.
        """
        try:
            live = self._catalogs.get(project) or self._open_kept(project)
        except DatomfsError:  # who reads the ref tells
            return None
        return live.recall() if isinstance(live, KeepingCatalog) else None

    def recall(self, project: str, recalled: RecalledCatalog) -> None:
        """What was kept of a project is what its catalog tells from now on."""
        self._recalled[project] = recalled

    def believe(self, project: str) -> None:
        """The project's store answers: its catalog asks it again."""
        self._recalled.pop(project, None)

    def find_kept_projects(self) -> Recalled | None:
        """The projects of governance as they were kept; None where none were. Asks nobody."""
        return self._governed.governance.recall_projects() if self._governed else None

    def recall_projects(self, recalled: Recalled) -> None:
        """The projects of governance are those that were kept, until the next refresh."""
        self._register(recalled.projects)

    def _make(self, project: str, store: ReadableStore) -> Catalog:
        documents = self._open_documents(project, store)
        if self._kept is None:
            return Catalog(project, store, documents)
        # A project of this name that is governed from elsewhere, or lies elsewhere, is another one.
        place = self._governed.governance.url if self._governed and self.is_governed(project) else store.url
        return KeepingCatalog(project, store, documents, self._kept.shelf(project, place))

    def _open_kept(self, project: str) -> Catalog | None:
        if self._governed is None or not self.is_governed(project):
            return self.live(project)
        ref = self._governed.recall_ref(project)
        if ref is None or project not in (self._registered or ()):
            return None
        return self._make(project, self._follow(project, ref.current))

    def is_governed(self, project: str) -> bool:
        """Whether a project lies where its ref says, and not where the configuration does."""
        return self._governed is not None and project not in self._solo

    def _open(self, project: str) -> ReadableStore:
        if not self.is_governed(project):
            return self._open_store(project, self.location(project))
        return self._follow(project, None)

    def _follow(self, project: str, location: Location | None) -> FollowingStore:
        return FollowingStore(
            lambda: self.location(project),
            lambda location: self._open_store(project, location),
            ask_anew=self._ask_anew,
            location=location,
        )

    def _ask_anew(self) -> None:
        if self._governed is not None:
            self._governed.refresh()

    def _register(self, projects: Sequence[str]) -> None:
        registered = tuple(projects)
        with self._lock:
            self._registered = registered
            for project in self._catalogs.keys() - set(registered) - self._solo.keys():
                del self._catalogs[project]
            for project in self._recalled.keys() - set(registered) - self._solo.keys():
                del self._recalled[project]
