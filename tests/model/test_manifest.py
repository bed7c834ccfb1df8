"""The manifest: schema 1 becomes schema 2 as R converts it, and nothing of a document is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.errors import DocumentInvalid, SchemaInvalid, SchemaUnsupported, VocabularyUnknown
from datomfs.model.jsonlite import Json
from datomfs.model.manifest import Manifest, check_vocabulary, new_manifest, parse_manifest
from datomfs.model.names import is_name
from tests.identity.r_stores import needs_r_stores, objects

V = "40e6793721527fb96c5aa25f1ef0e0b6cd6d0fd1285fbdd22d2a843741decd85"
D = "2eb1fa3e668dc15f6e5c2b384d2dbf39b216f12573c07c95543fa208dba4fef8"


def parse(document: Json) -> Manifest:
    return parse_manifest(json.dumps(document).encode(), "manifest.json")


def row(**fields: Json) -> dict[str, Json]:
    return {"current_version": V, "current_data_sha": D, **fields}


V1: dict[str, Any] = {
    "project_name": "STUDY_001",
    "house": "ours",
    "tables": {
        "dm": row(last_updated="2026-11-20T10:00:00Z", size_bytes=20416, version_count=2, original_format="csv", own=1),
        "ae": row(kind="table"),
    },
    "updated_at": "2026-11-20T10:05:00Z",
    "summary": {"total_tables": 2, "total_size_bytes": 20416, "total_versions": 2},
}


def test_schema_1_keeps_the_place_of_every_key_and_what_it_does_not_know() -> None:
    document = parse(V1).document
    assert ["project_name", "house", "artifacts", "updated_at", "summary", "schema_version"] == list(document)
    assert ("ours", V1["summary"], 2) == (document["house"], document["summary"], document["schema_version"])


def test_schema_1_rows_get_their_kind_first_and_stay_as_they_are() -> None:
    artifacts: Any = parse(V1).document["artifacts"]
    assert ["dm", "ae"] == list(artifacts)
    assert ["kind", *V1["tables"]["dm"]] == list(artifacts["dm"])
    assert 1 == artifacts["dm"]["own"]
    assert ["current_version", "current_data_sha", "kind"] == list(artifacts["ae"])


def test_a_declared_schema_1_is_stamped_in_its_place() -> None:
    document = parse({"schema_version": 1, **V1}).document
    assert "schema_version" == next(iter(document))
    assert 2 == document["schema_version"]


def test_schema_1_without_tables_has_no_artifacts() -> None:
    with pytest.raises(DocumentInvalid, match="it has no artifacts"):
        parse({"project_name": "STUDY_001"})


def test_schema_2_is_read_as_it_stands() -> None:
    source: Json = {"schema_version": 2, "project_name": "P", "artifacts": {"s": row(kind="set", member_count=3)}}
    manifest = parse(source)
    assert source == manifest.document
    assert ("set", None, None) == (
        manifest.rows["s"].kind,
        manifest.rows["s"].size_bytes,
        manifest.rows["s"].last_updated,
    )


@pytest.mark.parametrize("empty", [None, [], {}])
def test_what_r_writes_for_no_artifacts_is_an_empty_project(empty: Json) -> None:
    assert {} == parse({"schema_version": 2, "artifacts": empty}).rows
    assert {} == parse({"tables": empty}).rows


def test_rows_come_in_the_order_of_the_document() -> None:
    names = ["zz", "Table (1)", "aa", "dm "]
    assert names == list(parse({"schema_version": 2, "artifacts": {name: row() for name in names}}).rows)


@pytest.mark.parametrize("value", [None, {}, "", []])
def test_a_manifest_may_lack_its_project_and_its_times(value: Json) -> None:
    manifest = parse({"schema_version": 2, "project_name": value, "updated_at": value, "artifacts": {}})
    assert (None, None) == (manifest.project_name, manifest.updated_at)


@pytest.mark.parametrize(
    "artifacts",
    [
        {"../x": row()},
        {"a/b": row()},
        {"datom": row()},
        {"": row()},
        {"dm": "not a row"},
        {"dm": []},
        {"dm": {"current_version": V}},
        {"dm": row(current_data_sha="../../etc")},
        {"dm": row(current_data_sha=7)},
        {"dm": row(current_version="ABCDEF")},
        {"dm": row(kind=7)},
        {"dm": row(size_bytes=-1)},
        {"dm": row(size_bytes="many")},
    ],
)
def test_a_row_that_cannot_be_meant_is_refused(artifacts: Json) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parse({"schema_version": 2, "artifacts": artifacts})
    assert "manifest.json" in caught.value.where


@pytest.mark.parametrize("data", [b"", b"[]", b'{"artifacts": {', b"null", b"\x00"])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentInvalid):
        parse_manifest(data, "manifest.json")


def test_a_newer_schema_is_refused_before_anything_is_read() -> None:
    with pytest.raises(SchemaUnsupported):
        parse({"schema_version": 3, "artifacts": 7})
    with pytest.raises(SchemaInvalid):
        parse({"schema_version": "2", "artifacts": 7})


# -- writing -------------------------------------------------------------------------------------------------------

EMPTY = """{
  "schema_version": 2,
  "project_name": "STUDY_001",
  "artifacts": {},
  "summary": {
    "total_tables": 0,
    "total_size_bytes": 0,
    "total_versions": 0,
    "total_sets": 0
  },
  "updated_at": "2026-11-20T10:00:00Z"
}"""


def test_a_new_manifest_is_what_r_writes_for_an_empty_project() -> None:
    assert EMPTY == new_manifest("STUDY_001", "2026-11-20T10:00:00Z").render()


def test_a_new_row_comes_last_and_an_old_one_stays_in_its_place() -> None:
    manifest = new_manifest("P", "t0")
    for name in ("b", "a", "b"):
        manifest = manifest.with_row(name, row(version_count=2), "t1")
    assert ["b", "a"] == list(manifest.rows)
    assert "t1" == manifest.updated_at


def test_a_row_that_is_set_again_keeps_unknown_fields_and_drops_known_ones() -> None:
    old = parse({"schema_version": 2, "artifacts": {"dm": row(size_bytes=1, original_format="csv", theirs={"x": 1})}})
    renewed = old.with_row("dm", row(kind="table", version_count=3), "t1").document["artifacts"]
    assert {"dm": row(kind="table", version_count=3, theirs={"x": 1})} == renewed


def test_a_written_manifest_keeps_unknown_keys_and_their_places() -> None:
    document = parse(V1).with_row("ex", row(kind="table"), "t1").document
    assert ["project_name", "house", "artifacts", "updated_at", "summary", "schema_version"] == list(document)
    assert "ours" == document["house"]


def test_the_summary_counts_tables_and_the_number_of_sets() -> None:
    manifest = new_manifest("P", "t0")
    manifest = manifest.with_row("dm", row(kind="table", size_bytes=100, version_count=2), "t1")
    manifest = manifest.with_row("ae", row(size_bytes=11, version_count=1), "t1")
    manifest = manifest.with_row("s", row(kind="set", member_count=9, version_count=5), "t1")
    manifest = manifest.with_row("x", row(kind="figure", size_bytes=1000, version_count=7), "t1")
    assert {"total_tables": 2, "total_size_bytes": 111, "total_versions": 3, "total_sets": 1} == manifest.document[
        "summary"
    ]


TEXTS = st.none() | st.text(min_size=1)
COUNTS = st.none() | st.integers(0, 2**40)
OWN_FIELDS = st.text(min_size=1).filter(lambda key: "\0" not in key and key != "last_updated")
"""Names of fields that a row may have beside those of the test; this one of the format has to be a text."""
NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_ ()-]{0,20}", fullmatch=True).filter(is_name)
SHAS = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)


@given(
    st.lists(
        st.tuples(
            NAMES,
            SHAS,
            SHAS,
            st.sampled_from(["table", "set"]),
            COUNTS,
            COUNTS,
            st.dictionaries(OWN_FIELDS, st.integers(0, 9)),
        ),
        max_size=4,
        unique_by=lambda item: item[0],
    )
)
def test_what_is_rendered_is_parsed_as_it_was(rows: list[tuple[Any, ...]]) -> None:
    manifest = new_manifest("P", "t0")
    for name, version, data_sha, kind, size, count, extra in rows:
        known = {"kind": kind, "current_version": version, "current_data_sha": data_sha}
        counts = {"size_bytes": size, "version_count": count}
        manifest = manifest.with_row(
            name, {**extra, **known, **{key: value for key, value in counts.items() if value is not None}}, "t1"
        )
    again = parse_manifest(manifest.render().encode(), "manifest.json")
    assert manifest == again
    assert list(manifest.rows) == list(again.rows)


# -- the write door ------------------------------------------------------------------------------------------------


def test_the_six_keys_and_nine_row_fields_of_the_format_are_known() -> None:
    known_row = row(
        kind="table",
        last_updated="t",
        size_bytes=1,
        member_count=1,
        original_file_sha="abcdef",
        original_format="csv",
        version_count=1,
    )
    keys = ("artifacts", "project_name", "schema_version", "summary", "tables", "updated_at")
    document: dict[str, Json] = {**dict.fromkeys(keys), "schema_version": 2, "artifacts": {"dm": known_row}}
    assert (6, 9) == (len(document), len(known_row))
    check_vocabulary(parse(document), "manifest.json")


def test_unknown_fields_anywhere_are_all_named_at_the_door() -> None:
    manifest = parse({"schema_version": 2, "top": 1, "artifacts": {"dm": row(low=1), "ae": row(deep=1)}})
    with pytest.raises(VocabularyUnknown) as caught:
        check_vocabulary(manifest, "manifest.json")
    assert ("deep", "low", "top") == caught.value.names


# -- what R wrote --------------------------------------------------------------------------------------------------


@needs_r_stores
def test_manifests_of_r_are_read_whole() -> None:
    manifests = [parse_manifest(path.read_bytes(), path.name) for path in objects(".metadata/manifest.json")]
    assert ["STUDY_001", "PREFIXED"] == [manifest.project_name for manifest in manifests]
    for manifest in manifests:
        check_vocabulary(manifest, "manifest.json")
        assert {"table"} == {row.kind for row in manifest.rows.values()}
        for name, one in manifest.rows.items():
            assert (name, True) == (one.name, bool(one.last_updated and one.size_bytes and one.version_count))
