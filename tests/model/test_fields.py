"""Fields of damaged and of R-written documents, and the number rules of format.md §5."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.errors import DocumentInvalid, SchemaInvalid, SchemaUnsupported
from datomfs.model.fields import check_schema, find_count, find_sha, find_text, get_sha, get_text, parse_object
from datomfs.model.jsonlite import Json

INFINITE = float("inf")


@pytest.mark.parametrize(
    ("document", "number"),
    [
        ({}, 1),
        ({"schema_version": None}, 1),
        ({"schema_version": 1}, 1),
        ({"schema_version": 2}, 2),
        ({"schema_version": 2.0}, 2),
    ],
)
def test_schema_numbers_up_to_the_ceiling_are_read(document: dict[str, Json], number: int) -> None:
    assert number == check_schema(document, "m.json")


@pytest.mark.parametrize("number", ["2", "", 1.5, [], [2], {}, True, False, 0, -1, INFINITE])
def test_what_is_no_whole_number_of_at_least_one_is_an_invalid_schema(number: Json) -> None:
    with pytest.raises(SchemaInvalid) as caught:
        check_schema({"schema_version": number}, "m.json")
    assert ("m.json", repr(number)) == (caught.value.where, caught.value.found)


@pytest.mark.parametrize(("number", "supported"), [(3, 2), (3.0, 2), (10**300, 2), (2, 1)])
def test_a_number_above_the_ceiling_is_unsupported(number: Json, supported: int) -> None:
    with pytest.raises(SchemaUnsupported) as caught:
        check_schema({"schema_version": number}, "m.json", supported)
    assert (number, supported) == (caught.value.found, caught.value.supported)


@pytest.mark.parametrize("data", [b"", b"[]", b'"x"', b"1", b"null", b'{"a":', b"\xff{}", b"{} {}"])
def test_what_is_no_json_object_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parse_object(data, "dm/.metadata/metadata.json")
    assert "dm/.metadata/metadata.json" == caught.value.where


@pytest.mark.parametrize("value", [None, "", {}, []])
def test_what_r_writes_for_nothing_counts_as_absent(value: Json) -> None:
    document = {"a": value}
    assert find_text(document, "a", "d") is None
    assert find_sha(document, "a", "d") is None
    with pytest.raises(DocumentInvalid, match="it has no a"):
        get_text(document, "a", "d")
    with pytest.raises(DocumentInvalid, match="it has no a"):
        get_sha(document, "a", "d")


@pytest.mark.parametrize("value", [None, {}, []])
def test_an_absent_count_is_none(value: Json) -> None:
    assert find_count({"a": value}, "a", "d") is None


@pytest.mark.parametrize("value", [1, 1.5, True, False, ["x"], {"x": 1}])
def test_a_text_of_another_type_is_refused(value: Json) -> None:
    with pytest.raises(DocumentInvalid, match="a is not a text"):
        find_text({"a": value}, "a", "d")


@pytest.mark.parametrize("value", ["../../etc", "ABCDEF", "abc", "x" * 64])
def test_a_sha_that_could_not_be_a_key_is_refused(value: str) -> None:
    with pytest.raises(DocumentInvalid, match="a is not 6 to 64 lowercase hex digits"):
        get_sha({"a": value}, "a", "d")


@pytest.mark.parametrize(("value", "count"), [(0, 0), (7, 7), (7.0, 7)])
def test_counts_are_whole_however_they_are_spelled(value: Json, count: int) -> None:
    assert count == find_count({"a": value}, "a", "d")


@pytest.mark.parametrize("value", [-1, 1.5, True, "7", "", [1], {"x": 1}, INFINITE])
def test_what_is_no_count_is_refused(value: Json) -> None:
    with pytest.raises(DocumentInvalid, match="a is not a count"):
        find_count({"a": value}, "a", "d")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    )
)
def test_no_value_makes_anything_but_a_document_error(value: Any) -> None:
    document = {"schema_version": value, "a": value}
    for read in (
        lambda: check_schema(document, "d"),
        lambda: find_text(document, "a", "d"),
        lambda: find_sha(document, "a", "d"),
        lambda: find_count(document, "a", "d"),
    ):
        with suppress(DocumentInvalid, SchemaInvalid, SchemaUnsupported):
            read()
