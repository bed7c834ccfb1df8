"""ref.json: the one place a project lies at, and what nobody is to follow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.errors import DocumentInvalid
from datomfs.model.location import Location
from datomfs.model.ref import PastLocation, Ref, parse_ref

WHERE = "ref.json of a test"
BUCKET = {"type": "s3", "root": "acme", "prefix": "p/q", "region": "eu-central-1"}


def parse(document: Any) -> Ref:
    return parse_ref(json.dumps(document).encode(), WHERE)


def test_a_place_is_taken_byte_for_byte() -> None:
    assert Ref(Location("s3", "acme", "p/q", "eu-central-1")) == parse({"current": BUCKET})
    assert (
        Location("local", "/data//x", "/p/")
        == parse({"current": {"type": "local", "root": "/data//x", "prefix": "/p/"}}).current
    )


@pytest.mark.parametrize("absent", [None, "", {}, []])
def test_what_r_writes_for_nothing_is_no_prefix_and_no_region(absent: Any) -> None:
    current = {"type": "s3", "root": "acme", "prefix": absent, "region": absent}
    assert Location("s3", "acme") == parse({"current": current, "previous": absent}).current


@pytest.mark.parametrize("times", [{"until": "T1"}, {"migrated_at": "T0", "sunset_at": "T1"}, {"migrated_at": "T1"}])
def test_earlier_places_are_told_in_either_spelling(times: dict[str, str]) -> None:
    previous = [{"type": "local", "root": "/old", **times}, {"type": "local", "root": "/older"}]
    old, older = Location("local", "/old"), Location("local", "/older")
    read = parse({"schema_version": 1, "current": BUCKET, "previous": previous})
    assert (PastLocation(old, "T1"), PastLocation(older, None)) == read.previous


def test_what_is_wrong_with_an_earlier_place_is_passed_over() -> None:
    previous = [7, {"type": "tape", "root": "x"}, {"root": "/x"}, {"type": "local", "root": "/old", "until": 7}, BUCKET]
    assert [Location("s3", "acme", "p/q", "eu-central-1")] == [
        past.location for past in parse({"current": BUCKET, "previous": previous}).previous
    ]
    assert () == parse({"current": BUCKET, "previous": {"0": BUCKET}}).previous


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "it is not a JSON object"),
        ({}, "it has no current"),
        ({"current": "s3://acme"}, "it has no current"),
        ({"current": {"type": "s3"}}, "it has no root"),
        ({"current": {"type": "s3", "root": {}}}, "it has no root"),
        ({"current": {"type": "s3", "root": 7}}, "root is not a text"),
        ({"current": {"root": "acme"}}, "it has no type"),
        ({"current": {"type": "gcs", "root": "acme"}}, "type is 'gcs', neither s3 nor local"),
        ({"current": {"type": "s3", "root": "acme/x"}}, "root is no bucket"),
        ({"current": {"type": "s3", "root": "../x"}}, "root is no bucket"),
        ({"current": {"type": "s3", "root": "acme?x=y"}}, "root is no bucket"),
        ({"current": {"type": "s3", "root": "acme", "prefix": "a/../../b"}}, "prefix leads out of the bucket"),
        ({"current": {"type": "local", "root": "\0/x"}}, "it has no root"),
        ({"current": {"type": "s3", "root": "acme", "prefix": 7}}, "prefix is not a text"),
        ({"current": {"type": "s3", "root": "acme", "region": ["x"]}}, "region is not a text"),
    ],
)
def test_what_names_no_place_is_refused_with_its_reason(document: Any, reason: str) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parse(document)
    assert reason == caught.value.reason
    assert caught.value.where in (WHERE, f"{WHERE}, current")


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"null", b'{"current": {"type": "s3", "root": "a"}'])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(DocumentInvalid, match=WHERE):
        parse_ref(text, WHERE)


TEXTS = st.sampled_from(["s3", "local", "acme", "/data", "..", "../..", "/etc", "a/b", "\0", "\ud800", ""]) | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
PLACES = st.fixed_dictionaries({}, optional={name: VALUES for name in ("type", "root", "prefix", "region", "until")})


@given(st.fixed_dictionaries({}, optional={"current": PLACES | VALUES, "previous": st.lists(PLACES) | VALUES}) | VALUES)
def test_any_document_gives_a_place_or_a_reason(document: Any) -> None:
    try:
        ref = parse(document)
    except DocumentInvalid:
        return
    for location in (ref.current, *(past.location for past in ref.previous)):
        assert location.backend in ("s3", "local")
        assert location.root
        assert "\0" not in location.root + (location.prefix or "")
        if location.backend == "s3":
            assert "/" not in location.root
            assert ".." not in location.namespace.split("/")


@given(st.binary(max_size=200))
def test_any_bytes_give_a_place_or_a_reason(data: bytes) -> None:
    with pytest.raises(DocumentInvalid):
        parse_ref(data, WHERE)
