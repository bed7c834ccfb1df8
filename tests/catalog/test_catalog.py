"""A project as its store tells it: current and pinned versions, and everything a store may hold wrongly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datomfs.catalog.catalog import Catalog
from datomfs.errors import (
    DatomfsError,
    DocumentInvalid,
    InvalidName,
    InvalidSha,
    NotATable,
    ObjectMissing,
    ProjectNotFound,
    RecordedMissing,
    SchemaInvalid,
    SchemaUnsupported,
    StoreMissing,
    TableNotFound,
    VersionAmbiguous,
    VersionNotFound,
)
from datomfs.identity.metadata import metadata_sha
from datomfs.layout import MANIFEST_KEY, history_key, metadata_key, parse_when, payload_key, snapshot_key
from datomfs.model.location import Location
from datomfs.store.base import Store
from datomfs.store.local import LocalStore
from datomfs.store.memory import MemoryStore
from tests.catalog.documents import X, Y, Z, entry, put_json, put_manifest, put_table, table_state


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore("study") if request.param == "memory" else LocalStore(Location("local", str(tmp_path)))


@pytest.fixture
def catalog(store: Store) -> Catalog:
    return Catalog("STUDY_001", store)


def version_of(state: dict[str, Any]) -> str:
    return metadata_sha(state)


# -- the current version -------------------------------------------------------------------------------------------


def test_the_current_version_is_the_one_its_metadata_recomputes_to(store: Store, catalog: Catalog) -> None:
    new, old = table_state(Y, created_at="2026-04-01T00:00:00Z"), table_state(X)
    put_table(store, "dm", new, old)
    found = catalog.read_table("dm").resolve(None)
    assert (version_of(new), Y, payload_key("dm", Y)) == (found.version, found.entry.data_sha, found.key)
    assert ("STUDY_001", "dm") == (found.project, found.table)


def test_after_a_revert_the_current_version_is_not_the_newest_entry(store: Store, catalog: Catalog) -> None:
    new, old = table_state(Y, created_at="2026-04-01T00:00:00Z"), table_state(X)
    reverted = {**old, "created_at": "2026-05-01T00:00:00Z"}
    put_table(store, "dm", reverted, history=[entry(new), entry(old)])
    found = catalog.read_table("dm").resolve(None)
    assert (version_of(old), "2026-03-01T00:00:00Z") == (found.version, found.entry.timestamp)


def test_a_metadata_only_change_is_told_from_the_version_it_describes(store: Store, catalog: Catalog) -> None:
    titled, plain = table_state(X, custom={"title": "Demographics"}), table_state(X)
    put_table(store, "dm", titled, plain)
    table = catalog.read_table("dm")
    assert version_of(titled) == table.resolve(None).version
    assert table.resolve(version_of(plain)).key == table.resolve(None).key


def test_a_metadata_only_revert_is_seen_where_r_reports_the_newest_entry(store: Store, catalog: Catalog) -> None:
    """The trap of format.md §6: both entries have the data and here even the time of the current state."""
    titled, plain = table_state(X, custom={"title": "Demographics"}), table_state(X)
    put_table(store, "dm", plain, history=[entry(titled), entry(plain)])
    assert version_of(plain) == catalog.read_table("dm").resolve(None).version


def test_what_recomputes_to_no_entry_is_taken_by_data_and_time_as_r_does(store: Store, catalog: Catalog) -> None:
    state = table_state(X, created_at="2026-03-01T00:00:00Z")
    history = [
        {"version": "aa" * 32, "data_sha": X, "timestamp": "2026-04-01T00:00:00Z"},
        {"version": "bb" * 32, "data_sha": X, "timestamp": "2026-03-01T00:00:00Z"},
        {"version": "cc" * 32, "data_sha": X, "timestamp": "2026-03-01T00:00:00Z"},
        {"version": "dd" * 32, "data_sha": Y, "timestamp": "2026-03-01T00:00:00Z"},
    ]
    put_table(store, "dm", state, history=history)
    assert "bb" * 32 == catalog.read_table("dm").resolve(None).version


def test_without_a_time_that_fits_the_newest_entry_of_the_data_is_current(store: Store, catalog: Catalog) -> None:
    history = [
        {"version": "dd" * 32, "data_sha": Y},
        {"version": "aa" * 32, "data_sha": X},
        {"version": "bb" * 32, "data_sha": X},
    ]
    put_table(store, "dm", table_state(X), history=history)
    assert "aa" * 32 == catalog.read_table("dm").resolve(None).version


def test_an_entry_of_the_right_version_with_other_data_is_not_believed(store: Store, catalog: Catalog) -> None:
    state = table_state(X)
    history = [{"version": version_of(state), "data_sha": Y}, {"version": "aa" * 32, "data_sha": X}]
    put_table(store, "dm", state, history=history)
    assert ("aa" * 32, X) == ((found := catalog.read_table("dm").resolve(None)).version, found.entry.data_sha)


@pytest.mark.parametrize("history", [[], [{"version": "aa" * 32, "data_sha": Y}]])
def test_a_history_that_lacks_the_current_data_gives_no_current_version(
    store: Store, catalog: Catalog, history: list[Any]
) -> None:
    put_table(store, "dm", table_state(X), history=history)
    table = catalog.read_table("dm")
    assert table.current is None
    with pytest.raises(DocumentInvalid, match="it has no entry for the current data 11111111"):
        table.resolve(None)


# -- pinned versions -----------------------------------------------------------------------------------------------


@pytest.fixture
def three(store: Store, catalog: Catalog) -> Catalog:
    history = [
        {"version": "aaaaaaaa" + "0" * 56, "data_sha": X},
        {"version": "aaaaaaab" + "0" * 56, "data_sha": Y, "parquet_sha": Z},
        {"version": "cccccccc" + "0" * 56, "data_sha": Z},
    ]
    put_table(store, "dm", table_state(X), history=history)
    return catalog


@pytest.mark.parametrize("prefix", ["aaaaaaab", "aaaaaaab0", "aaaaaaab" + "0" * 56])
def test_a_pin_is_any_prefix_that_one_version_has(three: Catalog, prefix: str) -> None:
    found = three.read_table("dm").resolve(prefix)
    assert ("aaaaaaab" + "0" * 56, Y, Z) == (found.version, found.entry.data_sha, found.entry.parquet_sha)


def test_a_pin_takes_its_bytes_from_the_history_and_not_from_the_snapshot(three: Catalog) -> None:
    put_json(three.store, snapshot_key("dm", "cccccccc" + "0" * 56), table_state(Y))
    assert payload_key("dm", Z) == three.read_table("dm").resolve("cccccc").key


def test_a_prefix_of_several_versions_names_them_all(three: Catalog) -> None:
    with pytest.raises(VersionAmbiguous) as caught:
        three.read_table("dm").resolve("aaaaaa")
    assert ("aaaaaaaa" + "0" * 56, "aaaaaaab" + "0" * 56) == caught.value.matches


def test_an_unknown_prefix_is_not_found(three: Catalog) -> None:
    with pytest.raises(VersionNotFound) as caught:
        three.read_table("dm").resolve("abcdef")
    assert ("STUDY_001", "dm", "abcdef") == (caught.value.project, caught.value.table, caught.value.version)


@pytest.mark.parametrize("prefix", ["", "aaaaa", "AAAAAAAB", "../../etc", "a" * 65, "aaaaaag"])
def test_what_is_no_prefix_of_a_version_is_refused(three: Catalog, prefix: str) -> None:
    with pytest.raises(InvalidSha):
        three.read_table("dm").resolve(prefix)


def test_a_version_recorded_twice_with_the_same_data_is_served(store: Store, catalog: Catalog) -> None:
    twins = [
        {"version": "aa" * 32, "data_sha": X},
        {"version": "bb" * 32, "data_sha": Y},
        {"version": "aa" * 32, "data_sha": X},
    ]
    put_table(store, "dm", table_state(X), history=twins)
    assert X == catalog.read_table("dm").resolve("aaaaaa").entry.data_sha


def test_a_version_recorded_twice_with_different_data_is_served_by_no_name(store: Store, catalog: Catalog) -> None:
    put_table(
        store,
        "dm",
        table_state(X),
        history=[{"version": "aa" * 32, "data_sha": X}, {"version": "aa" * 32, "data_sha": Y}],
    )
    with pytest.raises(VersionAmbiguous):
        catalog.read_table("dm").resolve("aa" * 32)


# -- what is not there ---------------------------------------------------------------------------------------------


def test_an_unknown_table_is_not_found(store: Store, catalog: Catalog) -> None:
    put_manifest(store, "dm")
    with pytest.raises(TableNotFound):
        catalog.read_table("nope")


def test_a_table_that_the_manifest_names_and_the_store_lacks_is_missing_not_absent(
    store: Store, catalog: Catalog
) -> None:
    put_manifest(store, "dm")
    with pytest.raises(RecordedMissing, match=r"dm/\.metadata/metadata\.json"):
        catalog.read_table("dm")


def test_a_table_without_its_history_cannot_be_read_at_all(store: Store, catalog: Catalog) -> None:
    put_table(store, "dm", table_state())
    store.delete(history_key("dm"))
    with pytest.raises(RecordedMissing, match=r"dm/\.metadata/version_history\.json"):
        catalog.read_table("dm")


def test_a_set_is_no_table(store: Store, catalog: Catalog) -> None:
    put_table(store, "s", table_state(kind="set"))
    with pytest.raises(NotATable) as caught:
        catalog.read_table("s")
    assert "set" == caught.value.kind


def test_a_store_without_a_manifest_holds_no_project(catalog: Catalog) -> None:
    with pytest.raises(ProjectNotFound, match="holds no datom project"):
        catalog.read_manifest()
    with pytest.raises(ProjectNotFound, match="holds no datom project"):
        catalog.read_table("dm")


def test_a_store_that_is_not_there_is_missing(tmp_path: Path) -> None:
    catalog = Catalog("STUDY_001", LocalStore(Location("local", str(tmp_path / "nowhere"))))
    for ask in (catalog.read_manifest, lambda: catalog.read_table("dm"), lambda: catalog.read_history("dm")):
        with pytest.raises(StoreMissing):
            ask()


def test_a_missing_snapshot_is_no_error(store: Store, catalog: Catalog) -> None:
    put_table(store, "dm", table_state())
    version = catalog.read_table("dm").resolve(None)
    snapshot = catalog.read_snapshot(version)
    assert snapshot is not None
    assert X == snapshot.data_sha
    store.delete(snapshot_key("dm", version.version))
    assert catalog.read_snapshot(version) is None


# -- another project's store ---------------------------------------------------------------------------------------


def test_the_manifest_of_another_project_is_refused(store: Store, catalog: Catalog) -> None:
    put_manifest(store, "dm", project="STUDY_002")
    with pytest.raises(ProjectNotFound, match="holds 'STUDY_002'"):
        catalog.read_manifest()


def test_a_table_says_itself_that_it_belongs_to_another_project(store: Store) -> None:
    put_manifest(store, "dm")
    put_table(store, "dm", table_state())
    other = Catalog("STUDY_002", store)
    with pytest.raises(ProjectNotFound, match="holds 'STUDY_001'"):
        other.check_project(other.read_table("dm"))


def test_a_table_of_this_project_asks_no_manifest(store: Store, catalog: Catalog) -> None:
    store.put(MANIFEST_KEY, b"not even JSON")
    put_table(store, "dm", table_state())
    catalog.check_project(catalog.read_table("dm"))


def test_for_an_older_document_the_manifest_tells_the_project(store: Store, catalog: Catalog) -> None:
    put_table(store, "dm", table_state(project={}))
    put_manifest(store, "dm")
    catalog.check_project(catalog.read_table("dm"))
    put_manifest(store, "dm", project="STUDY_002")
    with pytest.raises(ProjectNotFound, match="holds 'STUDY_002'"):
        catalog.check_project(catalog.read_table("dm"))


def test_a_table_from_before_its_project_was_renamed_is_read(store: Store, catalog: Catalog) -> None:
    put_table(store, "dm", table_state(project="OLD_NAME"))
    put_manifest(store, "dm")
    catalog.check_project(catalog.read_table("dm"))


def test_without_a_manifest_what_the_table_says_is_all_there_is(store: Store, catalog: Catalog) -> None:
    put_table(store, "dm", table_state(project=None))
    catalog.check_project(catalog.read_table("dm"))
    put_table(store, "ae", table_state(project="STUDY_002"))
    with pytest.raises(ProjectNotFound):
        catalog.check_project(catalog.read_table("ae"))


# -- the history alone ---------------------------------------------------------------------------------------------


def test_versions_are_told_by_the_history_alone(store: Store, three: Catalog) -> None:
    store.put(metadata_key("dm"), b"not even JSON")
    store.put(MANIFEST_KEY, b"not even JSON")
    found = three.read_versions("dm").resolve("aaaaaaab")
    assert ("STUDY_001", "dm", Y, payload_key("dm", Y)) == (found.project, found.table, found.entry.data_sha, found.key)
    with pytest.raises(VersionAmbiguous):
        three.read_versions("dm").resolve("aaaaaa")
    with pytest.raises(VersionNotFound):
        three.read_versions("dm").resolve("abcdef")


def test_versions_are_those_of_the_whole_table(three: Catalog) -> None:
    assert three.read_table("dm").history.without_documents() == three.read_versions("dm").history


def test_a_table_without_a_history_has_no_versions_to_read(catalog: Catalog) -> None:
    with pytest.raises(RecordedMissing, match=r"dm/\.metadata/version_history\.json"):
        catalog.read_versions("dm")


# -- versions of a moment ------------------------------------------------------------------------------------------

A, B, C = (letter * 64 for letter in "abc")
DAY = parse_when("2026-03-31").time_ns


def as_of(catalog: Catalog, time_ns: int, *history: tuple[str, object]) -> str | None:
    """The version at a moment of a history of (version, timestamp), newest first; None stands for no timestamp."""
    entries = [
        {"version": version, "data_sha": X} | ({} if timestamp is None else {"timestamp": timestamp})
        for version, timestamp in history
    ]
    put_table(catalog.store, "dm", table_state(X), history=entries)
    found = catalog.read_versions("dm").as_of(time_ns)
    assert found == catalog.read_table("dm").as_of(time_ns)
    return found.version if found else None


def test_a_moment_shows_the_newest_version_at_or_before_it(catalog: Catalog) -> None:
    history = [(C, "2026-04-01T00:00:00Z"), (B, "2026-03-31T23:59:59Z"), (A, "2026-03-01T00:00:00Z")]
    assert B == as_of(catalog, DAY, *history)
    assert A == as_of(catalog, DAY - 10**9, *history)
    assert C == as_of(catalog, DAY + 1, *history)
    assert C == as_of(catalog, 2 * DAY, *history)


def test_before_its_first_version_a_table_has_none(catalog: Catalog) -> None:
    assert as_of(catalog, DAY, (A, "2026-04-01T00:00:00Z")) is None
    assert as_of(catalog, DAY) is None


def test_of_several_versions_in_one_second_the_one_written_last_is_shown(catalog: Catalog) -> None:
    second = "2026-03-31T12:00:00Z"
    assert B == as_of(catalog, DAY, (C, "2026-04-02T00:00:00Z"), (B, second), (A, second))
    assert A == as_of(catalog, DAY, (A, second), (B, second))


def test_where_clocks_disagreed_the_latest_timestamp_is_the_newest(catalog: Catalog) -> None:
    history = [(C, "2026-03-10T00:00:00Z"), (B, "2026-03-20T00:00:00Z"), (A, "2026-03-01T00:00:00Z")]
    assert B == as_of(catalog, DAY, *history)
    assert C == as_of(catalog, parse_when("2026-03-15").time_ns, *history)


@pytest.mark.parametrize("timestamp", [None, "yesterday", "2026-03-31"])
def test_a_version_without_a_time_is_of_no_moment(catalog: Catalog, timestamp: object) -> None:
    assert A == as_of(catalog, DAY, (B, timestamp), (A, "2026-03-01T00:00:00Z"))
    assert as_of(catalog, DAY, (B, timestamp)) is None


def test_the_version_of_a_moment_has_the_bytes_its_entry_names(store: Store, catalog: Catalog) -> None:
    """Of a version that is recorded twice with other bytes, the moment tells which one is meant."""
    history = [
        {"version": A, "data_sha": Y, "timestamp": "2026-05-01T00:00:00Z"},
        {"version": A, "data_sha": X, "timestamp": "2026-03-01T00:00:00Z"},
    ]
    put_table(store, "dm", table_state(Y), history=history)
    found = catalog.read_table("dm").as_of(DAY)
    assert found is not None
    assert ("STUDY_001", "dm", A, payload_key("dm", X)) == (found.project, found.table, found.version, found.key)


# -- hostile and damaged documents ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        (table_state("../../etc"), DocumentInvalid),
        (table_state(12345678), DocumentInvalid),  # type: ignore[arg-type]
        (table_state([X]), DocumentInvalid),  # type: ignore[arg-type]
        ({"schema_version": 2}, DocumentInvalid),
        ([], DocumentInvalid),
        ("text", DocumentInvalid),
        (table_state(parquet_sha="../../etc"), DocumentInvalid),
        (table_state(schema_version=3), SchemaUnsupported),
        (table_state(schema_version="2"), SchemaInvalid),
    ],
)
def test_metadata_that_cannot_be_meant_is_refused_by_its_key(
    store: Store, catalog: Catalog, document: Any, refusal: type[DatomfsError]
) -> None:
    put_table(store, "dm", table_state())
    put_json(store, metadata_key("dm"), document)
    with pytest.raises(refusal, match=r"dm/\.metadata/metadata\.json"):
        catalog.read_table("dm")


@pytest.mark.parametrize(
    "history",
    [
        {},
        "text",
        [7],
        [{"version": "aa" * 32, "data_sha": "../../etc"}],
        [{"version": "aa" * 32, "data_sha": 12345678}],
        [{"version": "../../etc", "data_sha": X}],
        [{"version": "aa" * 32}],
    ],
)
def test_a_history_that_cannot_be_meant_is_refused_by_its_key(store: Store, catalog: Catalog, history: Any) -> None:
    put_table(store, "dm", table_state())
    put_json(store, history_key("dm"), history)
    with pytest.raises(DocumentInvalid, match=r"dm/\.metadata/version_history\.json"):
        catalog.read_table("dm")


@pytest.mark.parametrize("key", [metadata_key("dm"), history_key("dm")])
@pytest.mark.parametrize("damage", [lambda data: data[:-5], lambda data: b"", lambda data: b"\xff" + data])
def test_truncated_and_garbled_documents_are_refused(
    store: Store, catalog: Catalog, key: str, damage: Callable[[bytes], bytes]
) -> None:
    put_table(store, "dm", table_state())
    store.put(key, damage(store.get(key)))
    with pytest.raises(DocumentInvalid):
        catalog.read_table("dm")


@pytest.mark.parametrize("name", ["../x", "a/b", "datom", "", ".metadata"])
def test_a_manifest_with_a_name_that_is_none_is_refused(store: Store, catalog: Catalog, name: str) -> None:
    put_manifest(store, "dm", name)
    with pytest.raises(DocumentInvalid, match="is not an artifact"):
        catalog.read_manifest()


class Untouched:
    """A store that nobody may ask anything."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **options: pytest.fail(f"the store was asked to {name} {arguments}")


@pytest.mark.parametrize("name", ["../x", "a/b", "", "datom", ".metadata", "dm\n", "dm\0"])
def test_a_bad_name_never_reaches_a_store(name: str) -> None:
    catalog = Catalog("STUDY_001", Untouched())
    for ask in (catalog.read_table, catalog.read_versions, catalog.read_history, catalog.list_payloads):
        with pytest.raises(InvalidName):
            ask(name)
    with pytest.raises(InvalidName):
        Catalog(name, Untouched())


# -- payloads ------------------------------------------------------------------------------------------------------


def test_payloads_are_listed_by_key_without_documents_or_other_tables(store: Store, catalog: Catalog) -> None:
    put_table(store, "dm", table_state(X), table_state(Y))
    put_table(store, "dm2", table_state(Z))
    found = catalog.list_payloads("dm")
    assert {payload_key("dm", X): 64, payload_key("dm", Y): 64} == {key: info.size for key, info in found.items()}


def test_an_address_is_what_other_tools_open(store: Store, catalog: Catalog, tmp_path: Path) -> None:
    put_table(store, "dm", table_state(X))
    address = catalog.uri(payload_key("dm", X))
    if isinstance(store, LocalStore):
        assert X == Path(address).read_text(encoding="ascii")
    else:
        assert f"memory:study/datom/dm/{X}.parquet" == address


def test_a_store_error_is_not_taken_for_an_absent_table(catalog: Catalog) -> None:
    class Denied(MemoryStore):
        def get(self, key: str) -> bytes:
            raise ObjectMissing(self.url, key) if key != MANIFEST_KEY else StoreMissing(self.url, key)

    with pytest.raises(StoreMissing):
        Catalog("STUDY_001", Denied("x")).read_table("dm")
