"""Names of members: the shortest that tells each from the others, whatever a payload holds."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.errors import DocumentInvalid
from datomfs.model.names import is_name
from datomfs.model.sets import Member, MemberId
from datomfs.vfs.member_names import name_members
from tests.vfs.fake_source import version

V1, V2 = version("111111aa"), version("222222bb")


def names(*ids: MemberId) -> list[str]:
    """The names of members without labels."""
    named = name_members([Member(each, {}) for each in ids], "set")
    assert list(dict.fromkeys(ids)) == [member.id for member in named.values()]
    return list(named)


def table(name: str, sha: str = V1, project: str = "P") -> MemberId:
    return MemberId(project, name, "table", sha)


def test_a_member_has_the_name_of_its_artifact() -> None:
    model = MemberId("P", "fit", "model", V1)
    assert ["dm.parquet", "safety", "fit"] == names(table("dm"), MemberId("P", "safety", "set", V1), model)


def test_a_table_and_a_set_of_one_name_are_told_by_the_suffix() -> None:
    assert ["dm.parquet", "dm"] == names(table("dm"), MemberId("Q", "dm", "set", V1))


def test_several_versions_of_one_name_all_have_their_version_in_it() -> None:
    assert ["dm_111111aa.parquet", "ex.parquet", "dm_222222bb.parquet"] == names(
        table("dm", V1), table("ex"), table("dm", V2)
    )


def test_versions_have_as_many_digits_as_tell_them() -> None:
    assert ["dm_abcdef1234.parquet", "dm_abcdef1235.parquet"] == names(
        table("dm", version("abcdef1234")), table("dm", version("abcdef1235"))
    )


def test_one_version_of_two_projects_has_the_project_in_it() -> None:
    assert ["dm_111111aa_P.parquet", "dm_111111aa_Q.parquet", "dm_222222bb.parquet"] == names(
        table("dm"), table("dm", project="Q"), table("dm", V2)
    )


def test_a_name_that_looks_like_a_version_of_another_is_not_that_version() -> None:
    assert ["dm_111111aa_P.parquet", "dm_222222bb.parquet", "dm_111111aa_111111aa.parquet"] == names(
        table("dm", V1), table("dm", V2), table("dm_111111aa")
    )


def test_a_name_that_would_be_too_long_has_a_digest() -> None:
    long, project = "d" * 128, "P" * 127
    told = "\0".join((project + "Q", long, "table", V1)).encode()
    found = names(table(long, project=project + "P"), table(long, project=project + "Q"))
    assert f"{long}_{hashlib.sha256(told).hexdigest()[:16]}.parquet" == found[1]
    assert all(len(name) <= 255 for name in found)


def test_a_member_that_stands_twice_is_there_once_with_its_first_labels() -> None:
    twice = [Member(table("dm"), {"a": ["1"]}), Member(table("dm"), {"a": ["2"]})]
    assert {"dm.parquet": twice[0]} == name_members(twice, "set")


def test_members_made_to_be_confused_are_refused() -> None:
    digest = hashlib.sha256("\0".join(("P", "dm", "table", V1)).encode()).hexdigest()[:16]
    confused = [table("dm"), table("dm", project="Q"), table("dm_111111aa_P"), table(f"dm_{digest}")]
    with pytest.raises(DocumentInvalid, match="the set cannot be used"):
        name_members([Member(each, {}) for each in confused], "the set")


MEMBERS = st.builds(
    MemberId,
    st.sampled_from(["P", "Q", "P_P"]),
    st.sampled_from(["dm", "ex", "dm_111111aa", "dm_111111aa_P", "dm_111111aa_Q"]),
    st.sampled_from(["table", "set", "model"]),
    st.sampled_from([V1, V2, V1[:8], version("111111ab")]),
)


@given(st.lists(MEMBERS, max_size=12))
def test_names_are_different_and_depend_on_nothing_but_the_payload(ids: list[MemberId]) -> None:
    members = [Member(each, {}) for each in ids]
    try:
        named = name_members(members, "set")
    except DocumentInvalid:
        return
    assert {each: None for each in ids}.keys() == {member.id for member in named.values()}
    assert named == name_members(members, "set")
    for name, member in named.items():
        assert name.startswith(member.id.name)
        assert is_name(member.id.name)
        assert len(name) <= 255
