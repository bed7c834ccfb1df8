"""What the payload of a set says, and what no payload may say."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.errors import DocumentInvalid
from datomfs.model.names import is_name, is_sha
from datomfs.model.sets import Member, MemberId, SetContent, parse_set
from tests.product import DM_VERSION, RAW, SET_DOCUMENT_SHA, SET_PAYLOAD

MEMBER = MemberId(RAW, "dm", "table", DM_VERSION)


def payload(**fields: Any) -> bytes:
    """A payload of one member whose id has these fields over its own."""
    return json.dumps({"members": [{"id": {**ids(MEMBER), **fields}}]}).encode()


def ids(member: MemberId) -> dict[str, Any]:
    """A member's id as a document spells it."""
    return {"project": member.project, "name": member.name, "kind": member.kind, "version": member.version}


def test_the_example_of_the_format_is_read() -> None:
    assert SET_DOCUMENT_SHA == hashlib.sha256(SET_PAYLOAD).hexdigest()
    tags = {"domain": ["labs", "safety"], "type": ["input"]}
    expected = SetContent({"description": ["Demo product"]}, (Member(MEMBER, tags),))
    assert expected == parse_set(SET_PAYLOAD, "set")


@pytest.mark.parametrize("field", ["project", "name", "kind", "version"])
def test_a_text_in_a_list_of_one_is_that_text(field: str) -> None:
    (member,) = parse_set(payload(**{field: [ids(MEMBER)[field]]}), "set").members
    assert MEMBER == member.id


def test_what_nobody_knows_is_passed_over() -> None:
    document = {"members": [{"id": {**ids(MEMBER), "more": 1}, "more": 2}], "more": 3}
    assert SetContent({}, (Member(MEMBER, {}),)) == parse_set(json.dumps(document).encode(), "set")


def test_a_member_of_a_kind_nobody_knows_is_a_member() -> None:
    (member,) = parse_set(payload(kind="model"), "set").members
    assert "model" == member.id.kind


def test_members_keep_their_order_and_repeats() -> None:
    names = ["b", "a", "b"]
    document = {"members": [{"id": {**ids(MEMBER), "name": name}} for name in names]}
    assert names == [member.id.name for member in parse_set(json.dumps(document).encode(), "set").members]


@pytest.mark.parametrize("members", ["{}", "[]"])
def test_no_members_is_a_set_without_members(members: str) -> None:
    assert SetContent({}, ()) == parse_set(f'{{"members": {members}}}'.encode(), "set")


@pytest.mark.parametrize("tags", ["null", "[]", "{}", '"x"'])
def test_labels_that_are_none_are_none(tags: str) -> None:
    assert {} == parse_set(f'{{"tags": {tags}, "members": []}}'.encode(), "set").tags


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"null", b"{}", b'{"members": null}', b'{"members": {"a": 1}}', b'{"members": [1]}',
        b'{"members": [{}]}', b'{"members": [{"id": []}]}', b"\xff", b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_set_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parse_set(data, "the set")
    assert caught.value.where.startswith("the set")


@pytest.mark.parametrize("field", ["project", "name", "kind", "version"])
@pytest.mark.parametrize("value", [None, "", 1, True, {}, [], ["a", "b"], [1], [["a"]]])
def test_an_id_that_is_no_text_is_refused(field: str, value: Any) -> None:
    with pytest.raises(DocumentInvalid, match=f"member 1 cannot be used: its {field} is not"):
        parse_set(payload(**{field: value}), "set")


@pytest.mark.parametrize("field", ["project", "name"])
@pytest.mark.parametrize("value", ["..", "a/b", "../dm", ".datom", "\u00fc", "a" * 129, "1a", "a.b"])
def test_a_name_that_would_leave_its_directory_is_refused(field: str, value: str) -> None:
    with pytest.raises(DocumentInvalid):
        parse_set(payload(**{field: value}), "set")


@pytest.mark.parametrize("value", ["12345", "A" * 64, "../../etc", "0" * 65, "abcdef.json"])
def test_a_version_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(DocumentInvalid, match="version"):
        parse_set(payload(version=value), "set")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5) | st.sampled_from([DM_VERSION, "dm"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["members", "tags", "id", "project", "name", "kind", "version"]) | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
)


@given(JSON, JSON)
def test_any_document_is_a_set_of_safe_names_or_refused(members: Any, tags: Any) -> None:
    data = json.dumps({"members": members, "tags": tags}).encode()
    try:
        content = parse_set(data, "set")
    except DocumentInvalid:
        return
    for member in content.members:
        assert is_name(member.id.project)
        assert is_name(member.id.name)
        assert is_sha(member.id.version)
