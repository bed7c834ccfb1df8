"""Metadata documents: read from every release, written as schema 2 with no field of our own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.errors import DocumentInvalid, SchemaInvalid, SchemaUnsupported, VocabularyUnknown
from datomfs.model.jsonlite import Json, parse_json
from datomfs.model.metadata import (
    COMPATIBLE_RELEASE,
    KNOWN_FIELDS,
    Metadata,
    TableFacts,
    check_vocabulary,
    parse_metadata,
    parse_release,
    render_metadata,
    table_document,
)
from tests.identity.r_stores import FOLDER, needs_r_stores, objects

D, P = "2e" * 32, "9f" * 32


def parse(document: Json) -> Metadata:
    return parse_metadata(json.dumps(document).encode(), "dm/metadata.json")


FACTS = TableFacts(
    project="demo-raw",
    data_sha=D,
    parquet_sha=P,
    size_bytes=1234,
    nrow=3,
    ncol=2,
    colnames=["id", "val"],
    created_at="2026-11-20T10:00:00Z",
    custom={},
)

# format.md §4.3
WRITTEN = f"""{{
  "schema_version": 2,
  "kind": "table",
  "data_sha": "{D}",
  "hash_algo": "datom-cv1",
  "parquet_sha": "{P}",
  "table_type": "derived",
  "nrow": 3,
  "ncol": 2,
  "colnames": ["id", "val"],
  "created_at": "2026-11-20T10:00:00Z",
  "datom_version": "0.2.0",
  "project": "demo-raw",
  "size_bytes": 1234
}}"""


def test_a_document_is_laid_out_as_r_lays_it_out() -> None:
    assert WRITTEN == render_metadata(table_document(FACTS))


def test_a_single_column_stands_bare() -> None:
    text = render_metadata(table_document(replace(FACTS, colnames=["id"])))
    assert '  "colnames": "id",' in text.splitlines()


def test_the_users_own_texts_come_last_and_only_when_there_are_some() -> None:
    document = table_document(replace(FACTS, custom={"title": "Demographics", "domain": "DM"}))
    assert "custom" == list(document)[-1]
    assert {"title": "Demographics", "domain": "DM"} == document["custom"]
    assert "custom" not in table_document(FACTS)


def test_a_new_document_passes_the_door_it_will_meet() -> None:
    document = table_document(replace(FACTS, custom={"own": "x"}))
    check_vocabulary(parse(document), "dm/metadata.json")


def test_twenty_names_are_known() -> None:
    assert 20 == len(KNOWN_FIELDS)
    check_vocabulary(parse({**dict.fromkeys(sorted(KNOWN_FIELDS)), "data_sha": D}), "dm/metadata.json")


def test_unknown_names_are_all_told_at_the_door_and_bother_no_reader() -> None:
    metadata = parse({"data_sha": D, "zeta": 1, "alpha": None})
    with pytest.raises(VocabularyUnknown) as caught:
        check_vocabulary(metadata, "dm/metadata.json")
    assert ("alpha", "zeta") == caught.value.names
    assert "alpha, zeta" in str(caught.value)


# -- reading -------------------------------------------------------------------------------------------------------


def test_a_document_of_schema_2_is_read_whole() -> None:
    found = parse(table_document(FACTS))
    assert ("table", "demo-raw", D, P) == (found.kind, found.project, found.data_sha, found.parquet_sha)
    assert ("2026-11-20T10:00:00Z", 3, 2, 1234) == (found.created_at, found.nrow, found.ncol, found.size_bytes)


def test_a_document_from_before_cv1_needs_nothing_but_its_data() -> None:
    found = parse({"data_sha": D})
    assert ("table", None, None, None) == (found.kind, found.project, found.parquet_sha, found.created_at)
    assert (None, None, None) == (found.nrow, found.ncol, found.size_bytes)


@pytest.mark.parametrize("field", ["kind", "project", "parquet_sha", "created_at", "nrow", "ncol", "size_bytes"])
@pytest.mark.parametrize("nothing", [None, {}, []])
def test_what_r_writes_for_nothing_counts_as_absent(field: str, nothing: Json) -> None:
    assert replace(parse({"data_sha": D}), document={}) == replace(parse({"data_sha": D, field: nothing}), document={})


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"data_sha": ""},
        {"data_sha": "../../etc"},
        {"data_sha": 1234567},
        {"data_sha": [D]},
        {"data_sha": D, "parquet_sha": "none"},
        {"data_sha": D, "kind": 1},
        {"data_sha": D, "nrow": 1.5},
        {"data_sha": D, "size_bytes": "1234"},
        {"data_sha": D, "project": 7},
        [],
        "text",
        None,
    ],
)
def test_a_damaged_document_is_refused_by_name(document: Json) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parse(document)
    assert "dm/metadata.json" == caught.value.where


def test_the_schema_is_judged_before_the_fields() -> None:
    with pytest.raises(SchemaUnsupported):
        parse({"schema_version": 3, "data_sha": ["a", "newer", "shape"]})
    with pytest.raises(SchemaInvalid):
        parse({"schema_version": {}, "data_sha": 7})


TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))
COUNT = st.integers(0, 2**40)


@given(
    names=st.lists(TEXT, min_size=1, max_size=4),
    custom=st.dictionaries(TEXT.filter(bool), TEXT, max_size=3),
    counts=st.tuples(COUNT, COUNT, COUNT),
)
def test_what_is_rendered_is_parsed_as_it_was(
    names: list[str], custom: dict[str, str], counts: tuple[int, int, int]
) -> None:
    facts = replace(FACTS, colnames=names, custom=custom, nrow=counts[0], ncol=counts[1], size_bytes=counts[2])
    text = render_metadata(table_document(facts))
    found = parse_metadata(text.encode(), "dm/metadata.json")
    assert table_document(facts) == found.document
    assert counts == (found.nrow, found.ncol, found.size_bytes)


# -- releases ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "release"), [("0.2.0", (0, 2, 0)), ("0.10", (0, 10)), ("1.0-1", (1, 0, 1))])
def test_releases_are_compared_part_by_part(text: str, release: tuple[int, ...]) -> None:
    assert release == parse_release(text, "min_writer_version")


def test_a_tenth_minor_release_is_above_a_second() -> None:
    assert parse_release("0.10.0", "w") > parse_release("0.2.0", "w") == parse_release(COMPATIBLE_RELEASE, "w")


@pytest.mark.parametrize("text", ["", "2", "0.2.0-beta", "newest", ".", "0..2", "True", "-1.5", "0.²", " 0.2"])
def test_what_is_no_release_is_refused(text: str) -> None:
    with pytest.raises(DocumentInvalid, match="is not a release number"):
        parse_release(text, "min_writer_version")


# -- what R wrote --------------------------------------------------------------------------------------------------


@needs_r_stores
def test_documents_of_r_are_read_and_pass_the_door() -> None:
    paths = list(objects("*/.metadata/*.json"))
    for path in paths:
        if path.name != "version_history.json":
            found = parse_metadata(path.read_bytes(), path.name)
            check_vocabulary(found, path.name)
            assert found.parquet_sha
            assert found.nrow
    assert 50 < len(paths)


@needs_r_stores
def test_documents_from_before_cv1_are_read() -> None:
    documents = sorted((FOLDER / "governed").glob("data/**/metadata.json"))
    for path in documents:
        document: Any = parse_json(path.read_bytes(), path.name)
        assert document["data_sha"] == parse_metadata(path.read_bytes(), path.name).data_sha
    assert documents
