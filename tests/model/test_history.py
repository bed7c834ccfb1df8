"""Histories: read tolerantly as R left them, added to in front, and never changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.errors import DocumentInvalid
from datomfs.model.history import EMPTY_HISTORY, History, parse_history
from datomfs.model.jsonlite import Json
from tests.identity.r_stores import needs_r_stores, objects

A, B, C = "aa" * 32, "ab" * 32, "cc" * 32
X, Y, Z = "11" * 32, "22" * 32, "33" * 32


def parse(*entries: Json) -> History:
    return parse_history(json.dumps(list(entries)).encode(), "version_history.json")


def entry(version: str = A, data_sha: str = X, **fields: Json) -> dict[str, Json]:
    return {"version": version, "data_sha": data_sha, **fields}


def test_entries_come_newest_first_as_the_document_has_them() -> None:
    history = parse(entry(B, Y, timestamp="2026-01-01T00:00:00Z"), entry(A, X, timestamp="2026-02-01T00:00:00Z"))
    assert (B, A) == tuple(one.version for one in history.entries)
    assert {A, B} == history.versions


@pytest.mark.parametrize("nothing", [None, {}, "", []])
@pytest.mark.parametrize(
    "field", ["timestamp", "author", "commit_message", "parquet_sha", "original_file_sha", "commit_sha"]
)
def test_what_r_writes_for_nothing_counts_as_absent(field: str, nothing: Json) -> None:
    (found,) = parse({**entry(), field: nothing}).entries
    name = "message" if field == "commit_message" else field
    assert getattr(found, name) is None
    assert 0 == found.time_ns


@pytest.mark.parametrize(
    ("author", "text"),
    [
        ({"name": "Dana", "email": "dana@x"}, "Dana <dana@x>"),
        ({"name": "Dana"}, "Dana"),
        ({"name": "Dana", "email": {}}, "Dana"),
        ({"name": "", "email": "dana@x"}, "<dana@x>"),
        ({"name": {}, "email": {}}, None),
        ("unknown", "unknown"),
        ("Dana <dana@x>", "Dana <dana@x>"),
        (["Dana"], None),
        (7, None),
    ],
)
def test_authors_are_read_in_every_spelling(author: Json, text: str | None) -> None:
    assert text == parse(entry(author=author)).entries[0].author


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"version": A},
        {"data_sha": X},
        entry(version="../../etc"),
        entry(data_sha="../../etc"),
        entry(version="ABCDEF"),
        {"version": 7, "data_sha": X},
        {"version": A, "data_sha": 7},
        entry(parquet_sha="no sha"),
        entry(timestamp=7),
        "not an entry",
        [],
        None,
    ],
)
def test_a_damaged_entry_is_refused_by_the_name_of_its_document(damaged: Json) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parse(entry(B), damaged)
    assert "version_history.json" == caught.value.where


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[", b'[{"version": "aa'])
def test_what_is_no_json_array_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentInvalid):
        parse_history(data, "version_history.json")


# -- looking up ----------------------------------------------------------------------------------------------------


def test_a_prefix_matches_each_version_once() -> None:
    history = parse(entry(A, X), entry(B, Y), entry(C, Z))
    assert (A, B) == tuple(found.version for found in history.matching("a"))
    assert (B,) == tuple(found.version for found in history.matching("ab"))
    assert () == history.matching("dead")


def test_twins_that_name_the_same_bytes_are_one_version_and_the_newest_stands_for_them() -> None:
    history = parse(entry(A, X, commit_message="back"), entry(B, Y), entry(A, X, commit_message="first"))
    assert ("back",) == tuple(found.message for found in history.matching(A))
    found = history.find(A)
    assert found is not None
    assert "back" == found.message


def test_twins_that_name_different_bytes_are_both_given() -> None:
    assert (X, Y) == tuple(found.data_sha for found in parse(entry(A, X), entry(A, Y)).matching(A))


def test_a_version_is_found_by_all_its_digits_only() -> None:
    history = parse(entry(A))
    assert history.entries[0] == history.find(A)
    assert history.find(A[:-1]) is None


def test_the_oldest_entry_that_records_bytes_is_the_payload_to_use_again() -> None:
    history = parse(
        entry(C, X, parquet_sha=C), entry(B, X, parquet_sha=B), entry(A, X), entry("dd" * 32, Y, parquet_sha=A)
    )
    found = history.recorded_payload(X)
    assert found is not None
    assert B == found.version
    assert history.recorded_payload(Z) is None


# -- writing -------------------------------------------------------------------------------------------------------


def test_a_new_entry_comes_first_and_old_documents_stay_as_they_were() -> None:
    old = entry(A, X, theirs={"kept": [1]}, author="unknown")
    history = parse(old).with_new(entry(B, Y))
    assert (entry(B, Y), old) == history.documents
    assert (B, A) == tuple(one.version for one in history.entries)


def test_no_version_gets_a_second_entry() -> None:
    with pytest.raises(ValueError, match="already has an entry"):
        parse(entry(A, X)).with_new(entry(A, Y))


def test_commits_stand_last_in_the_copy_for_a_store_and_known_ones_are_never_repointed() -> None:
    history = parse(entry(B, Y, commit_sha="old", theirs=1), entry(A, X), entry(C, Z))
    copy = history.with_commits({A: "new-a", B: "new-b"})
    assert ["old", "new-a", None] == [one.commit_sha for one in copy.entries]
    assert ["version", "data_sha", "theirs", "commit_sha"] == list(copy.documents[0])
    assert "commit_sha" not in copy.documents[2]
    assert 1 == copy.documents[0]["theirs"]


def test_an_empty_history_is_an_empty_array() -> None:
    assert "[]" == EMPTY_HISTORY.render()
    assert EMPTY_HISTORY == parse()


TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1)
SHAS = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
ENTRIES = st.fixed_dictionaries(
    {"version": SHAS, "data_sha": SHAS},
    optional={
        "timestamp": TEXT,
        "author": TEXT | st.fixed_dictionaries({"name": TEXT, "email": TEXT}),
        "commit_message": TEXT,
        "parquet_sha": SHAS,
        "original_file_sha": SHAS,
        "theirs": st.recursive(
            TEXT | st.booleans() | st.integers(-(2**53), 2**53),
            lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
        ),
    },
)


@given(st.lists(ENTRIES, max_size=4))
def test_what_is_rendered_is_parsed_as_it_was(entries: list[dict[str, Any]]) -> None:
    history = parse(*entries)
    assert history == parse_history(history.render().encode(), "version_history.json")


@needs_r_stores
def test_histories_of_r_come_out_again_with_nothing_lost() -> None:
    paths = list(objects("*/.metadata/version_history.json"))
    for path in paths:
        history = parse_history(path.read_bytes(), path.name)
        assert json.loads(path.read_bytes()) == json.loads(history.render())
        assert all(one.parquet_sha and one.author and one.time_ns for one in history.entries)
    assert 20 < len(paths)
