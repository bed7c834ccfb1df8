"""Names and shas: what R datom takes and refuses, and that no name or sha can leave its place in a key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.errors import InvalidName, InvalidSha
from datomfs.layout import check_key, history_key, metadata_key, payload_key, snapshot_key
from datomfs.model.names import check_name, check_sha, is_name, is_sha

CASES = json.loads((Path(__file__).parents[1] / "golden" / "names.json").read_text(encoding="utf-8"))["cases"]

NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_ ()-]{0,127}", fullmatch=True).filter(is_name)
SHAS = st.from_regex(r"[0-9a-f]{6,64}", fullmatch=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_names_are_refused_exactly_where_r_refuses_them(case: dict[str, Any]) -> None:
    assert (case["refused"] is None) == is_name(case["name"])
    if case["refused"] is None:
        assert case["name"] == check_name(case["name"])
    else:
        with pytest.raises(InvalidName):
            check_name(case["name"])


@pytest.mark.parametrize(
    "name", [".metadata", ".datom", "input_files", "datom", ".git", ".gitignore", "renv", "DATOM", "Renv"]
)
def test_reserved_names_are_refused_in_any_case(name: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_name(name)
    assert "it is reserved" == caught.value.reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it is empty"),
        ("a" * 129, "it has 129 characters"),
        ("1dm", "it does not start with a letter"),
        ("../x", "it does not start with a letter"),
        ("d/../x", "it holds a character that is not allowed"),
        ("dm.parquet", "it holds a character that is not allowed"),
        ("ädm", "it does not start with a letter"),
        ("dmä", "it holds a character that is not allowed"),
        ("dm\u0660", "it holds a character that is not allowed"),
        ("dm\n", "it holds a character that is not allowed"),
        ("dm\0", "it holds a character that is not allowed"),
    ],
)
def test_refusal_names_the_rule_that_was_broken(name: str, reason: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_name(name)
    assert reason == caught.value.reason


@pytest.mark.parametrize("sha", ["abcdef", "012345", "0" * 64, "deadbeef"])
def test_six_to_sixty_four_lowercase_hex_digits_are_a_sha(sha: str) -> None:
    assert sha == check_sha(sha)
    assert is_sha(sha)


@pytest.mark.parametrize(
    "sha", ["", "abcde", "0" * 65, "ABCDEF", "abcdeg", "abcdef\n", " abcdef", "../../etc", "abcdef/..", "\u0660" * 6]
)
def test_anything_else_is_no_sha(sha: str) -> None:
    assert not is_sha(sha)
    with pytest.raises(InvalidSha):
        check_sha(sha)


@pytest.mark.parametrize("value", [None, 123456, ["abcdef"], {}, True])
def test_what_is_no_text_is_no_sha(value: object) -> None:
    assert not is_sha(value)


@given(name=NAMES, sha=SHAS)
def test_keys_of_legal_names_stay_inside_the_namespace(name: str, sha: str) -> None:
    for key in (metadata_key(name), history_key(name), snapshot_key(name, sha), payload_key(name, sha)):
        assert key == check_key(key)
        assert [name] == key.split("/")[:1]


@given(st.text())
def test_a_name_is_either_legal_or_refused_with_a_reason(text: str) -> None:
    if is_name(text):
        assert text == check_name(text)
    else:
        with pytest.raises(InvalidName, match="is not a legal name: it "):
            check_name(text)
