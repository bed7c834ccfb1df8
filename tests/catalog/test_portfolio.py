"""The projects of a configuration and of governance: opened when asked for, once, each for itself."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datomfs.catalog.governance import GovStore
from datomfs.catalog.governed import Governed
from datomfs.catalog.portfolio import Portfolio
from datomfs.errors import DatomfsError, ProjectNotFound, RefForbidden, RefMissing, StoreDenied
from datomfs.layout import DISPATCH_FILE, MANIFEST_KEY, REF_FILE, gov_key
from datomfs.model.location import Location
from datomfs.store.base import Store
from datomfs.store.memory import MemoryStore
from tests.catalog.documents import put_manifest
from tests.portfolios import ref_of

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


# -- governed ------------------------------------------------------------------------------------------------------


class World:
    """Gov storage and the stores that refs name, in memory."""

    def __init__(self) -> None:
        self.gov = MemoryStore("gov")
        self.stores: dict[str, MemoryStore] = {}
        self.portfolio = Portfolio(
            {"SOLO": Location("local", "/solo")},
            self.open_store,
            governed=Governed(GovStore(self.gov), [Path("/data")]),
        )

    def open_store(self, project: str, location: Location) -> Store:
        return self.stores.setdefault(location.root, MemoryStore(location.root))

    def register(self, project: str, location: Location) -> None:
        """A project with a manifest where its ref says."""
        self.gov.put(gov_key(project, REF_FILE), json.dumps(ref_of(location)).encode())
        put_manifest(self.open_store(project, location), "dm", project=project)


@pytest.fixture
def world() -> World:
    world = World()
    world.register("A", Location("s3", "bucket-a"))
    world.register("B", Location("local", "/data/b"))
    return world


def test_projects_are_those_of_governance_and_the_solo_ones_beside_them(world: World) -> None:
    assert ("A", "B", "SOLO") == world.portfolio.projects
    for project, location in (("A", Location("s3", "bucket-a")), ("B", Location("local", "/data/b"))):
        assert location == world.portfolio.location(project)
        assert ["dm"] == list(world.portfolio.catalog(project).read_manifest().rows)
    assert Location("local", "/solo") == world.portfolio.location("SOLO")
    assert [True, True, False] == [world.portfolio.is_governed(name) for name in world.portfolio.projects]


def test_the_configuration_says_where_a_project_lies_that_it_names(world: World) -> None:
    world.register("SOLO", Location("s3", "bucket-s"))
    world.portfolio.refresh()
    assert ("A", "B", "SOLO") == world.portfolio.projects
    assert Location("local", "/solo") == world.portfolio.location("SOLO")


def test_what_is_registered_and_unregistered_shows_after_a_refresh(world: World) -> None:
    opened = world.portfolio.catalog("A")
    world.register("C", Location("s3", "bucket-c"))
    world.gov.delete(gov_key("A", REF_FILE))
    assert ("A", "B", "SOLO") == world.portfolio.projects
    world.portfolio.refresh()
    assert ("B", "C", "SOLO") == world.portfolio.projects
    with pytest.raises(ProjectNotFound):
        world.portfolio.catalog("A")
    world.register("A", Location("s3", "elsewhere"))
    world.portfolio.refresh()
    again = world.portfolio.catalog("A")
    assert (False, "memory:elsewhere") == (again is opened, again.store.url)


@pytest.mark.parametrize(
    ("ref", "kind"),
    [
        (None, RefMissing),
        (b"{", DatomfsError),
        (json.dumps(ref_of(Location("local", "/etc"))).encode(), RefForbidden),
        (b'{"current": {"type": "tape", "root": "x"}}', DatomfsError),
    ],
)
def test_a_broken_ref_is_its_own_projects_error(world: World, ref: bytes | None, kind: type[DatomfsError]) -> None:
    world.gov.put(gov_key("BAD", DISPATCH_FILE), b"{}")
    if ref is not None:
        world.gov.put(gov_key("BAD", REF_FILE), ref)
    assert ("A", "B", "BAD", "SOLO") == world.portfolio.projects
    for _ in range(2):
        with pytest.raises(kind, match="BAD"):
            world.portfolio.catalog("BAD")
    assert ["dm"] == list(world.portfolio.catalog("A").read_manifest().rows)
    world.register("BAD", Location("s3", "mended"))
    assert ["dm"] == list(world.portfolio.catalog("BAD").read_manifest().rows)


def test_a_project_is_read_where_its_ref_says_from_the_moment_it_is_followed(world: World) -> None:
    catalog = world.portfolio.catalog("A")
    world.register("A", Location("s3", "bucket-new", "p"))
    assert "memory:bucket-a" == catalog.store.url
    catalog.follow()
    assert "memory:bucket-new" == catalog.store.url


def test_a_project_whose_manifest_is_gone_is_looked_for_at_its_new_place(world: World) -> None:
    catalog = world.portfolio.catalog("A")
    world.register("A", Location("s3", "bucket-new"))
    world.stores["bucket-a"].delete(MANIFEST_KEY)
    assert ["dm"] == list(catalog.read_manifest().rows)
    assert "memory:bucket-new" == catalog.store.url
