"""Children of a version: which versions are looked at, and what comes down from one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.catalog.catalog import Catalog
from datomfs.catalog.descent import descend, is_real, list_versions, read_parents
from datomfs.catalog.lineage import Place
from datomfs.errors import DocumentInvalid, VersionNotFound
from datomfs.identity.metadata import metadata_sha
from datomfs.layout import MANIFEST_KEY
from datomfs.store.memory import MemoryStore
from tests.catalog.documents import X, Y, put_json, put_table, table_state

OLD, NEW = table_state(Y), table_state(X, parents=[
    {"source": "P", "table": "raw", "version": "aa" * 32, "data_sha": X},
    {"source": "P", "table": "raw", "version": "aa" * 32, "data_sha": X},
])  # fmt: skip


@pytest.fixture
def catalog() -> Catalog:
    """dm in two versions, of which the new one was made from raw; and a set."""
    store = MemoryStore("s")
    put_table(store, "dm", NEW, OLD)
    rows = {
        name: {"kind": kind, "current_version": metadata_sha(NEW), "current_data_sha": X}
        for name, kind in (("dm", "table"), ("safety", "set"))
    }
    put_json(store, MANIFEST_KEY, {"schema_version": 2, "project_name": "STUDY_001", "artifacts": rows})
    return Catalog("STUDY_001", store)


def dm(state: dict[str, object]) -> Place:
    return Place("STUDY_001", "dm", metadata_sha(state))


def test_current_versions_of_tables_count_or_all(catalog: Catalog) -> None:
    assert [dm(NEW)] == list_versions(catalog, all_versions=False)
    assert [dm(NEW), dm(OLD)] == list_versions(catalog, all_versions=True)


def test_parents_are_read_of_that_very_version_and_each_once(catalog: Catalog) -> None:
    assert (Place("P", "raw", "aa" * 32),) == read_parents(catalog, dm(NEW))
    assert () == read_parents(catalog, dm(OLD))


def test_a_version_of_which_nothing_tells_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(VersionNotFound):
        read_parents(catalog, Place("STUDY_001", "dm", "ab" * 32))
    put_table(catalog.store, "dm", {**NEW, "parents": [7]}, OLD)  # type: ignore[arg-type]
    with pytest.raises(DocumentInvalid):
        read_parents(catalog, dm({**NEW, "parents": [7]}))


def test_what_could_be_no_version_is_none() -> None:
    assert is_real(Place("P", "t", "aa" * 32))
    for place in (Place("../P", "t", "aa" * 32), Place("P", "a/b", "aa" * 32), Place("P", "t", "HEAD")):
        assert not is_real(place)


_names = st.integers(0, 6).map(lambda number: Place("P", f"t{number}", "aa" * 32))


@given(st.dictionaries(_names, st.lists(_names, max_size=3, unique=True)), _names)
def test_all_that_comes_down_from_a_version_is_found_once(parents: dict[Place, list[Place]], start: Place) -> None:
    reached, before = {start}, set[Place]()
    while reached != before:
        before = set(reached)
        reached |= {child for child, made_from in parents.items() if reached & set(made_from)}
    found = descend(start, parents)
    assert reached == set(found)
    assert start == next(iter(found))
    for place, children in found.items():
        assert sorted(child for child, made_from in parents.items() if place in made_from) == list(children)
