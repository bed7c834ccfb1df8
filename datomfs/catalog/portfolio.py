"""The projects of a configuration, each with a catalog of its own.

A store is opened the first time its project is asked for, and stays open. One project's broken store never touches
another: nothing here looks at more than the project it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock

from datomfs.catalog.catalog import Catalog
from datomfs.errors import ProjectNotFound
from datomfs.model.location import Location
from datomfs.store.base import ReadableStore

_SHOWN = 10
"""How many names an error lists."""


class Portfolio:
    """Projects by name, at the locations the configuration gives. Safe to use from several threads."""

    def __init__(self, locations: Mapping[str, Location], open_store: Callable[[str, Location], ReadableStore]) -> None:
        self._locations = dict(locations)
        self._open_store = open_store
        self._catalogs: dict[str, Catalog] = {}
        self._lock = Lock()

    @property
    def projects(self) -> tuple[str, ...]:
        """The names of all projects, sorted."""
        return tuple(sorted(self._locations))

    def location(self, project: str) -> Location:
        """Where a project lies. Raises ProjectNotFound."""
        if project not in self._locations:
            more = ", …" if len(self._locations) > _SHOWN else ""
            raise ProjectNotFound(project, f"known are {', '.join(self.projects[:_SHOWN])}{more}")
        return self._locations[project]

    def catalog(self, project: str) -> Catalog:
        """The catalog of a project. Raises ProjectNotFound."""
        location = self.location(project)
        with self._lock:
            if project not in self._catalogs:
                self._catalogs[project] = Catalog(project, self._open_store(project, location))
            return self._catalogs[project]
