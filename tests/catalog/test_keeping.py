"""What is told of a project while its store is away: what was read of it last, by whichever process, and no more."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from datomfs.catalog.catalog import Catalog
from datomfs.catalog.governance import GovStore
from datomfs.catalog.governed import Governed
from datomfs.catalog.keeping import KeepingGovernance
from datomfs.catalog.kept import Kept
from datomfs.catalog.portfolio import Portfolio
from datomfs.errors import DatomfsError, ObjectMissing, RefForbidden, StoreDenied, StoreUnreachable
from datomfs.layout import REF_FILE, gov_key
from datomfs.model.location import Location
from datomfs.store.base import ObjectInfo, Store
from datomfs.store.memory import MemoryStore
from tests.catalog.documents import X, Y, put_manifest, put_table, table_state
from tests.portfolios import ref_of

P = "STUDY_001"
AWAY = StoreUnreachable("memory:store", "key", "cable cut")


class Far(MemoryStore):
    """A store that may be away."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.fault: DatomfsError | None = None

    def get_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        self._answer()
        return super().get_with_info(key)

    def list(self, prefix: str = "", *, recursive: bool = True, after: str = "") -> Iterator[ObjectInfo]:
        self._answer()
        return super().list(prefix, recursive=recursive, after=after)

    def _answer(self) -> None:
        if self.fault is not None:
            raise self.fault


class World:
    """Gov storage and one governed project, as one process after another sees them on one machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gov = Far("gov")
        self.stores = {"acme": Far("acme"), "solo": Far("solo")}
        for store, project in ((self.stores["acme"], P), (self.stores["solo"], "SOLO")):
            put_manifest(store, "dm", project=project)
            put_table(store, "dm", table_state(X, project=project))
        self.place(Location("s3", "acme"))

    def place(self, location: Location) -> None:
        self.gov.put(gov_key(P, REF_FILE), json.dumps(ref_of(location)).encode())

    def process(self, *roots: Path) -> Portfolio:
        """A portfolio as a new process has it."""
        kept = Kept(self.folder)
        governance = KeepingGovernance(GovStore(self.gov), kept.shelf("governance", self.gov.url))
        return Portfolio({"SOLO": Location("s3", "solo")}, self.open, governed=Governed(governance, roots), kept=kept)

    def open(self, project: str, location: Location) -> Store:
        return self.stores[location.root]

    def cut(self, fault: DatomfsError | None = AWAY) -> None:
        """Nobody answers from now on."""
        for store in (self.gov, *self.stores.values()):
            store.fault = fault


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def read(catalog: Catalog) -> tuple[object, ...]:
    """All that a mount reads of a project."""
    return catalog.read_manifest(), catalog.read_versions("dm"), catalog.list_payloads("dm")


def recall_projects(portfolio: Portfolio) -> None:
    """The projects are those that were kept."""
    recalled = portfolio.find_kept_projects()
    assert recalled is not None
    portfolio.recall_projects(recalled)


@pytest.mark.parametrize("project", [P, "SOLO"])
def test_another_process_is_told_what_the_last_one_read(world: World, project: str) -> None:
    before = world.process()
    assert ("SOLO", P) == before.projects
    online = read(before.catalog(project))
    world.cut()
    after = world.process()
    recall_projects(after)
    assert ("SOLO", P) == after.projects
    recalled = after.find_kept(project)
    assert recalled is not None
    after.recall(project, recalled)
    assert recalled is after.catalog(project)
    assert online == read(after.catalog(project))
    assert abs(time.time_ns() - recalled.checked_ns) < 60 * 10**9


def test_what_was_never_read_is_away_and_not_missing(world: World) -> None:
    before = world.process()
    before.catalog(P).read_manifest()
    world.cut()
    after = world.process()
    recall_projects(after)
    recalled = after.find_kept(P)
    assert recalled is not None
    for ask in (recalled.read_table, recalled.read_history, recalled.list_payloads):
        with pytest.raises(StoreUnreachable):
            ask("dm")
    with pytest.raises(StoreUnreachable):
        recalled.list_all_payloads()
    assert after.find_kept("SOLO") is None


def test_a_project_that_answers_again_is_believed(world: World) -> None:
    portfolio = world.process()
    read(portfolio.catalog(P))
    world.cut()
    recalled = portfolio.find_kept(P)
    assert recalled is not None
    portfolio.recall(P, recalled)
    world.cut(None)
    put_table(world.stores["acme"], "dm", table_state(Y))
    assert X == portfolio.catalog(P).read_versions("dm").history.entries[0].data_sha
    portfolio.believe(P)
    assert Y == portfolio.catalog(P).read_versions("dm").history.entries[0].data_sha


def test_a_listing_of_the_whole_project_is_kept_for_each_table(world: World) -> None:
    portfolio = world.process()
    listed = portfolio.catalog(P).list_all_payloads()
    world.cut()
    assert listed["dm"] == portfolio.catalog(P).list_payloads("dm")


def test_what_a_store_says_is_believed_over_what_was_kept(world: World) -> None:
    read(world.process().catalog(P))
    put_table(world.stores["acme"], "dm", table_state(Y))
    catalog = world.process().catalog(P)
    assert Y == catalog.read_versions("dm").history.entries[0].data_sha
    assert 2 == len(catalog.list_payloads("dm"))
    world.stores["acme"].delete(f"dm/{X}.parquet")
    assert 1 == len(catalog.list_payloads("dm"))


def test_a_solo_project_at_another_place_is_another_project(world: World) -> None:
    read(world.process().catalog("SOLO"))
    world.stores["elsewhere"] = Far("elsewhere")
    moved = Portfolio({"SOLO": Location("s3", "elsewhere")}, world.open, kept=Kept(world.folder))
    assert moved.find_kept("SOLO") is None


def test_a_project_that_is_registered_no_more_is_not_recalled(world: World) -> None:
    read(world.process().catalog(P))
    world.gov.delete(gov_key(P, REF_FILE))
    world.process().refresh()
    world.cut()
    after = world.process()
    recall_projects(after)
    assert (("SOLO",), None) == (after.projects, after.find_kept(P))


# -- refs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [AWAY, StoreDenied("memory:gov", "key", "expired")])
def test_a_ref_that_was_kept_serves_while_gov_storage_is_away(world: World, fault: DatomfsError) -> None:
    world.process().catalog(P)
    world.gov.fault = fault
    after = world.process()
    recall_projects(after)
    assert Location("s3", "acme") == after.location(P)
    assert ["dm"] == list(after.live(P).read_manifest().rows)


def test_a_ref_that_is_gone_is_gone(world: World) -> None:
    world.process().catalog(P)
    world.gov.delete(gov_key(P, REF_FILE))
    with pytest.raises(ObjectMissing):
        KeepingGovernance(GovStore(world.gov), Kept(world.folder).shelf("governance", world.gov.url)).get(P, REF_FILE)


def test_a_ref_that_was_kept_is_followed_no_further_than_one_that_is_read(world: World, tmp_path: Path) -> None:
    world.place(Location("local", str(tmp_path / "data")))
    world.stores[str(tmp_path / "data")] = world.stores["acme"]
    read(world.process(tmp_path).catalog(P))
    world.cut()
    allowed, forbidden = world.process(tmp_path), world.process()
    for portfolio in (allowed, forbidden):
        recall_projects(portfolio)
    assert allowed.find_kept(P) is not None
    assert forbidden.find_kept(P) is None
    with pytest.raises(RefForbidden):
        forbidden.catalog(P)
