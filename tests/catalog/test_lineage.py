"""Lineages across projects: what is followed, what is noted, and where a walk ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.catalog import lineage
from datomfs.catalog.catalog import Catalog
from datomfs.catalog.lineage import Lineage, Place
from datomfs.errors import DocumentInvalid, ProjectNotFound, StoreUnreachable
from datomfs.identity.metadata import metadata_sha
from datomfs.layout import MANIFEST_KEY, snapshot_key
from datomfs.model.location import Location
from datomfs.model.metadata import parse_metadata
from datomfs.store.local import LocalStore
from datomfs.store.memory import MemoryStore
from tests.catalog.documents import X, Y, put_json, put_manifest, put_table, table_state
from tests.identity.r_stores import FOLDER, needs_r_stores


class Counted(MemoryStore):
    """Counts what is read, and may be away."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.read: list[str] = []
        self.away = False

    def get(self, key: str) -> bytes:
        self.read.append(key)
        if self.away:
            raise StoreUnreachable(self.url, key, "cable cut")
        return super().get(key)


@dataclass
class World:
    """Projects in memory, and the lineage of whatever is asked for."""

    stores: dict[str, Counted] = field(default_factory=dict)

    def put(self, project: str, table: str, *parents: Place, **fields: Any) -> Place:
        """A version of a table, its only one, made from these parents."""
        store = self.stores.setdefault(project, Counted(project))
        if parents:
            fields["parents"] = [
                {"source": each.project, "table": each.table, "version": each.version, "data_sha": X}
                for each in parents
            ]
        state = table_state(project=project, **fields)
        put_table(store, table, state)
        put_manifest(store, table, project=project)
        return Place(project, table, metadata_sha(state))

    def open(self, project: str) -> Catalog:
        if project not in self.stores:
            raise ProjectNotFound(project, "a test asked")
        return Catalog(project, self.stores[project])

    def walk(self, place: Place, walker: Lineage | None = None) -> dict[str, Any]:
        metadata = self.open(place.project).find_metadata(place.table, place.version)
        assert metadata is not None
        document: dict[str, Any] = json.loads((walker or Lineage(self.open)).walk(place, metadata))
        return document


@pytest.fixture
def world() -> World:
    return World()


def names(document: dict[str, Any]) -> list[str]:
    """The versions of a lineage by project and table."""
    return [f"{record['project']}/{record['table']}" for record in document["versions"]]


def notes(document: dict[str, Any]) -> list[str]:
    """All that was noted in it, in order."""
    return [parent["note"] for record in document["versions"] for parent in record["parents"] if "note" in parent]


def test_an_imported_table_is_its_own_lineage(world: World) -> None:
    sources = [{"project": "P", "table": "raw", "version_sha": X}]
    raw = world.put("P", "raw", source_lineage=sources)
    record = {**raw._asdict(), "data_sha": X, "parents": [], "source_lineage": sources}
    assert {**raw._asdict(), "versions": [record]} == world.walk(raw)


def test_parents_are_followed_into_their_own_projects_nearest_first(world: World) -> None:
    raw = world.put("RAW", "dm")
    adsl = world.put("P", "adsl", raw)
    ex = world.put("OTHER", "ex")
    top = world.put("P2", "top", adsl, ex)
    document = world.walk(top)
    assert ["P2/top", "P/adsl", "OTHER/ex", "RAW/dm"] == names(document)
    assert [] == notes(document)
    (reference,) = document["versions"][1]["parents"]
    assert {**raw._asdict(), "data_sha": X} == reference


def test_what_two_children_come_from_is_there_once(world: World) -> None:
    raw = world.put("P", "raw")
    left, right = world.put("P", "left", raw), world.put("P", "right", raw)
    document = world.walk(world.put("P", "top", left, right))
    assert ["P/top", "P/left", "P/right", "P/raw"] == names(document)
    assert [] == notes(document)


def test_source_lineage_is_never_followed(world: World) -> None:
    raw = world.put("P", "raw")
    top = world.put("P", "top", source_lineage=[{"project": "P", "table": "raw", "version_sha": raw.version}])
    assert ["P/top"] == names(world.walk(top))
    assert snapshot_key("raw", raw.version) not in world.stores["P"].read


def test_what_is_missing_is_noted_where_it_stands(world: World) -> None:
    raw = world.put("P", "raw")
    lost = [
        Place("NOWHERE", "dm", "ab" * 32), Place("P", "gone", "ab" * 32), Place("P", "raw", "ab" * 32),
        Place("../etc", "dm", "ab" * 32), Place("P", "a/b", "ab" * 32), Place("P", "raw", "not hex"),
    ]  # fmt: skip
    document = world.walk(world.put("Q", "top", raw, *lost))
    assert ["Q/top", "P/raw"] == names(document)
    assert [
        "no project 'NOWHERE': a test asked",
        "no table 'gone' in project 'P'",
        f"no version {'ab' * 32} of P/raw",
        "'../etc' is not a legal name: it does not start with a letter",
        "'a/b' is not a legal name: it holds a character that is not allowed",
        "'not hex' is not a version: 6 to 64 lowercase hex digits are needed",
    ] == notes(document)


def test_a_broken_snapshot_is_noted(world: World) -> None:
    raw = world.put("P", "raw")
    world.stores["P"].put(snapshot_key("raw", raw.version), b"{")
    (note,) = notes(world.walk(world.put("Q", "top", raw)))
    assert "is not JSON" in note


def test_a_project_that_is_away_is_noted_and_asked_once(world: World) -> None:
    parents = [world.put("AWAY", name) for name in ("a", "b", "c")]
    kept = world.put("P", "kept")
    world.stores["AWAY"].away = True
    document = world.walk(world.put("Q", "top", *parents, kept))
    assert ["Q/top", "P/kept"] == names(document)
    assert ["memory:AWAY could not be reached: cable cut"] * 3 == notes(document)
    assert 1 == len(world.stores["AWAY"].read)


def test_a_project_that_came_back_is_asked_again(world: World) -> None:
    raw = world.put("AWAY", "raw")
    top, walker = world.put("P", "top", raw), Lineage(world.open)
    world.stores["AWAY"].away = True
    assert ["P/top"] == names(world.walk(top, walker))
    world.stores["AWAY"].away = False
    assert ["P/top", "AWAY/raw"] == names(world.walk(top, walker))


def test_what_a_version_records_is_read_once(world: World) -> None:
    raw = world.put("RAW", "raw")
    top, walker = world.put("P", "top", raw), Lineage(world.open)
    for _ in range(3):
        world.walk(top, walker)
    assert [snapshot_key("raw", raw.version)] == world.stores["RAW"].read


def cyclic(world: World, tables: Sequence[str]) -> Place:
    """Tables each made from the next, and the last from the first: by hand, under versions they do not hash to."""
    store = world.stores.setdefault("P", Counted("P"))
    places = [Place("P", table, f"{number:02x}" * 32) for number, table in enumerate(tables)]
    for place, parent in zip(places, [*places[1:], places[0]], strict=True):
        record = {"source": parent.project, "table": parent.table, "version": parent.version}
        put_json(store, snapshot_key(place.table, place.version), table_state(parents=[record]))
    put_json(store, MANIFEST_KEY, {"artifacts": {}})
    return places[0]


@pytest.mark.parametrize("tables", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_a_cycle_is_noted_where_it_closes(world: World, tables: list[str]) -> None:
    document = world.walk(cyclic(world, tables))
    assert [f"P/{table}" for table in tables] == names(document)
    assert ["not followed: this version comes from itself"] == notes(document)
    (last,) = document["versions"][-1]["parents"]
    assert "note" in last


def test_a_lineage_that_is_too_deep_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "_DEEPEST", 3)
    place = world.put("P", "t0")
    for number in range(1, 6):
        place = world.put("P", f"t{number}", place)
    document = world.walk(place)
    assert ["P/t5", "P/t4", "P/t3", "P/t2"] == names(document)
    assert ["not followed: this lineage is too long"] == notes(document)


def test_a_lineage_that_is_too_wide_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "_MOST_VERSIONS", 3)
    document = world.walk(world.put("P", "top", *(world.put("P", f"t{number}") for number in range(5))))
    assert ["P/top", "P/t0", "P/t1"] == names(document)
    assert 3 == len(notes(document))


def test_a_lineage_of_too_many_bytes_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "_MOST_BYTES", 2000)
    parents = [world.put("P", f"t{number}", source_lineage=[{"x": "y" * 1500}]) for number in range(4)]
    document = world.walk(world.put("P", "top", *parents))
    assert ["P/top", "P/t0"] == names(document)
    assert 3 == len(notes(document))


def test_metadata_of_no_parents_that_could_be_read_is_an_error(world: World) -> None:
    broken = parse_metadata(json.dumps({"data_sha": Y, "parents": [1]}).encode(), "metadata")
    with pytest.raises(DocumentInvalid, match="the metadata of P/top@abababab"):
        Lineage(world.open).walk(Place("P", "top", "ab" * 32), broken)


PLACES = [Place("P", table, f"{number:02x}" * 32) for number, table in enumerate("abcd")]
TEXTS = st.sampled_from(["P", "Q", "a", "b", "c", "d", *(place.version for place in PLACES), "..", ""])
RECORDS = st.recursive(
    st.none() | st.integers() | TEXTS | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.fixed_dictionaries({}, optional={"source": TEXTS, "table": TEXTS, "version": TEXTS, "data_sha": inner})
    ),
    max_leaves=8,
)
GRAPHS = st.lists(
    st.lists(st.sampled_from(PLACES), max_size=4).map(
        lambda places: [{"source": each.project, "table": each.table, "version": each.version} for each in places]
    )
    | RECORDS,
    min_size=4,
    max_size=4,
)


@given(GRAPHS, RECORDS)
def test_whatever_parents_say_a_walk_ends_with_each_version_once(graph: list[Any], sources: Any) -> None:
    world = World({"P": Counted("P")})
    put_json(world.stores["P"], MANIFEST_KEY, {"artifacts": {}})
    for place, parents in zip(PLACES, graph, strict=True):
        state = table_state(parents=parents, source_lineage=sources)
        put_json(world.stores["P"], snapshot_key(place.table, place.version), state)
    try:
        document = world.walk(PLACES[0])
    except DocumentInvalid:
        return  # the version itself says what cannot be read
    found = [(record["project"], record["table"], record["version"]) for record in document["versions"]]
    assert tuple(PLACES[0]) == found[0]
    assert len(found) == len(set(found))
    for record in document["versions"]:
        for parent in record["parents"]:
            assert "note" in parent or (parent["project"], parent["table"], parent["version"]) in found


@needs_r_stores
def test_a_lineage_that_r_wrote_is_followed_to_its_imports() -> None:
    folder = FOLDER / "solo-study"
    told = json.loads((folder / "expected.json").read_text())["tables"]["adsl_top"]["versions"][-1]
    catalog = Catalog("STUDY_001", LocalStore(Location("local", str(folder / "storage"))))
    table = catalog.read_table("adsl_top")
    document = json.loads(
        Lineage(lambda project: catalog).walk(Place("STUDY_001", "adsl_top", told["version"]), table.metadata)
    )
    top, *others = document["versions"]
    assert told["source_lineage"] == top["source_lineage"]
    expected = [
        {"project": parent["source"], **{name: parent[name] for name in ("table", "version", "data_sha")}}
        for parent in told["parents"]
    ]
    assert expected == top["parents"]
    assert {"adsl", "adae", "dm", "ex", "raw_ae"} <= {record["table"] for record in others}
    assert [] == notes(document)
