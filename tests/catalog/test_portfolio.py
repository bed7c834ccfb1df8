"""The projects of a configuration: opened when asked for, once, each for itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from datomfs.catalog.portfolio import Portfolio
from datomfs.errors import ProjectNotFound, StoreDenied
from datomfs.model.location import Location
from datomfs.store.base import Store
from datomfs.store.memory import MemoryStore

LOCATIONS = {"B": Location("local", "/b"), "A": Location("s3", "a", "p"), "C": Location("local", "/c")}


class Opener:
    """Opens memory stores and notes for whom; project B's credentials do not work."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, Location]] = []

    def __call__(self, project: str, location: Location) -> Store:
        self.opened.append((project, location))
        if project == "B":
            raise StoreDenied(location.url, "datom/", "no credentials")
        return MemoryStore(project)


def test_projects_are_named_in_order() -> None:
    assert ("A", "B", "C") == Portfolio(LOCATIONS, Opener()).projects


def test_a_store_is_opened_when_its_project_is_asked_for_and_only_once() -> None:
    opener = Opener()
    portfolio = Portfolio(LOCATIONS, opener)
    assert LOCATIONS["A"] == portfolio.location("A")
    assert [] == opener.opened
    with ThreadPoolExecutor(8) as pool:
        catalogs = set(pool.map(portfolio.catalog, ["A"] * 32))
    assert [("A", LOCATIONS["A"])] == opener.opened
    (catalog,) = catalogs
    assert "A" == catalog.project


def test_a_project_that_cannot_be_opened_leaves_the_others_alone() -> None:
    portfolio = Portfolio(LOCATIONS, Opener())
    for _ in range(2):
        with pytest.raises(StoreDenied):
            portfolio.catalog("B")
    assert "C" == portfolio.catalog("C").project
    assert ("A", "B", "C") == portfolio.projects


def test_an_unknown_project_is_told_the_known_ones() -> None:
    portfolio = Portfolio(LOCATIONS, Opener())
    for ask in (portfolio.location, portfolio.catalog):
        with pytest.raises(ProjectNotFound, match="no project 'D': known are A, B, C\n"):
            ask("D")


def test_of_many_projects_an_error_lists_a_few() -> None:
    many = {f"P{number:03}": Location("local", "/x") for number in range(100)}
    with pytest.raises(ProjectNotFound, match="P008, P009, …\n"):
        Portfolio(many, Opener()).location("D")
