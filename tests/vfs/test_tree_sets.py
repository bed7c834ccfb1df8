"""Sets in the tree: versions, members as links, and what is known of a project that is not there."""

from __future__ import annotations

import logging
import stat

import pytest

from datomfs.errors import NotFound, RecordedMissing, VersionAmbiguous
from datomfs.model.sets import Member, MemberId, SetContent
from datomfs.vfs.nodes import SetVersionDir, inode_of
from datomfs.vfs.tree import PIN_TTL_S
from tests.vfs.fake_source import FakeSet, FakeSource, FakeTable, version
from tests.vfs.trees import ODD, REFRESH_S, V1, V2, V3, look, make_source, make_tree, run, walk

S1, S2 = version("6d702efe"), version("7e702efe")
DM, OTHER = MemberId("STUDY_001", "dm", "table", V1), MemberId("STUDY_002", "dm", "table", V1)
INNER, MODEL = MemberId("STUDY_002", "inner", "set", S2), MemberId("STUDY_002", "fit", "model", V2)


def with_sets(*members: MemberId) -> FakeSource:
    """The source with the set liver-safety of two versions, the newer of which has these members."""
    source = make_source()
    content = SetContent({}, tuple(Member(each, {}) for each in members))
    source.sets.content_of["STUDY_001", "liver-safety"] = FakeSet(S1, {S1: content, S2: SetContent({}, ())})
    return source


def listed(source: FakeSource, *names: str) -> list[str]:
    """The names that a directory lists in a fresh tree."""

    async def work() -> list[str]:
        tree = make_tree(source)
        return [name for name, _, _ in await tree.readdir((await walk(tree, *names)).inode)]

    return run(work)


def links(source: FakeSource) -> dict[str, str]:
    """The members of the newer version, each with the text of its link; a text is as long as is told of it."""

    async def work() -> dict[str, str]:
        tree = make_tree(source)
        directory = (await walk(tree, "STUDY_001", "liver-safety", "@6d702e")).inode
        texts = {}
        for name, _, told in await tree.readdir(directory):
            attrs = await tree.lookup(directory, name)
            assert told == attrs
            texts[name] = await tree.readlink(attrs.inode)
            assert len(texts[name].encode()) == attrs.size
        return texts

    return run(work)


def test_a_project_lists_its_sets_among_its_tables() -> None:
    assert [ODD, f"{ODD}.parquet", "dm", "dm.parquet", "liver-safety"] == listed(with_sets(), "STUDY_001")
    assert stat.S_ISDIR(look(with_sets(), "STUDY_001", "liver-safety").mode)
    with pytest.raises(NotFound):
        look(with_sets(), "STUDY_001", "liver-safety.parquet")


def test_a_set_lists_all_its_versions_and_reads_none() -> None:
    source = with_sets(DM)
    assert ["@6d702efe", "@7e702efe"] == listed(source, "STUDY_001", "liver-safety")
    assert ["STUDY_001/liver-safety"] == source.sets.asked


@pytest.mark.parametrize("digits", [6, 7, 8, 20, 63, 64])
def test_a_version_resolves_by_any_unique_prefix(digits: int) -> None:
    attrs = look(with_sets(), "STUDY_001", "liver-safety", f"@{S1[:digits]}")
    assert inode_of(SetVersionDir("STUDY_001", "liver-safety", S1, 0)) == attrs.inode


@pytest.mark.parametrize(
    "name",
    ["6d702efe", "@6d702", "@6D702EFE", "@6d702efe.parquet", "@999999", "@", "", "..", "@6d702eff", "dm.parquet"],
)
def test_what_is_no_version_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        look(with_sets(), "STUDY_001", "liver-safety", name)


def test_a_prefix_of_several_versions_names_them() -> None:
    source = make_source()
    one, other = version("abcdef1"), version("abcdef2")
    source.sets.content_of["STUDY_001", "s"] = FakeSet(one, dict.fromkeys((one, other), SetContent({}, ())))
    with pytest.raises(VersionAmbiguous):
        look(source, "STUDY_001", "s", "@abcdef")


def test_an_unknown_version_is_looked_for_again() -> None:
    source = with_sets(DM)

    async def work() -> int:
        tree = make_tree(source)
        directory = (await walk(tree, "STUDY_001", "liver-safety")).inode
        with pytest.raises(NotFound):
            await tree.lookup(directory, "@444444")
        shown = source.sets.content_of["STUDY_001", "liver-safety"]
        shown.contents = {version("444444"): SetContent({}, ()), **shown.contents}
        return (await tree.lookup(directory, "@444444")).inode

    assert inode_of(SetVersionDir("STUDY_001", "liver-safety", version("444444"), 0)) == run(work)


def test_a_lost_version_is_not_listed_and_not_taken_for_one_that_never_was() -> None:
    source = with_sets(DM)
    source.sets.content_of["STUDY_001", "liver-safety"].contents[S2] = None
    assert ["@6d702efe"] == listed(source, "STUDY_001", "liver-safety")
    with pytest.raises(RecordedMissing):
        look(source, "STUDY_001", "liver-safety", "@7e702efe")


def test_members_are_links_to_pins_of_any_project() -> None:
    assert {
        "dm_111111aa_STUDY_001.parquet": "../../dm/@111111aa.parquet",
        "dm_111111aa_STUDY_002.parquet": "../../../STUDY_002/dm/@111111aa.parquet",
        "inner": "../../../STUDY_002/inner/@7e702efe",
        "fit": "../../../STUDY_002/fit/@222222bb",
    } == links(with_sets(DM, OTHER, INNER, MODEL))


def test_to_list_members_reads_no_history_of_theirs() -> None:
    source = with_sets(DM, OTHER)
    links(source)
    assert {"STUDY_001"} == set(source.asked)


def test_a_link_has_as_many_digits_as_the_known_history_of_its_member_needs() -> None:
    long, longer = version("abcdef1234"), version("abcdef1235")
    source = with_sets(MemberId("STUDY_002", "dm", "table", long))
    source.content["STUDY_002"] = {"dm": FakeTable(long, dict.fromkeys((long, longer), b""))}

    async def work() -> list[str]:
        tree = make_tree(source)
        link = await walk(tree, "STUDY_001", "liver-safety", "@6d702e", "dm.parquet")
        before = await tree.readlink(link.inode)
        await tree.readdir((await walk(tree, "STUDY_002", "dm")).inode)
        return [before, await tree.readlink(link.inode)]

    assert ["../../../STUDY_002/dm/@abcdef12.parquet", "../../../STUDY_002/dm/@abcdef1234.parquet"] == run(work)


def test_a_member_link_leads_to_the_payload_of_its_version() -> None:
    source = with_sets(DM)

    async def work() -> bytes:
        tree = make_tree(source)
        link = await walk(tree, "STUDY_001", "liver-safety", "@6d702efe", "dm.parquet")
        _, _, *names = (await tree.readlink(link.inode)).split("/")
        handle = await tree.open((await walk(tree, "STUDY_001", *names)).inode)
        return await tree.read(handle, 0, 10)

    assert b"one" == run(work)


def test_a_member_of_a_project_that_is_not_there_is_a_link_and_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="datomfs")
    source = with_sets(DM, MemberId("ELSEWHERE", "ex", "table", V3), MemberId("ELSEWHERE", "ae", "table", V3))

    async def work() -> str:
        tree = make_tree(source)
        directory = (await walk(tree, "STUDY_001", "liver-safety", "@6d702e")).inode
        for _ in range(3):
            await tree.readdir(directory)
        return await tree.readlink((await tree.lookup(directory, "ex.parquet")).inode)

    assert "../../../ELSEWHERE/ex/@333333cc.parquet" == run(work)
    assert [
        "STUDY_001/liver-safety@6d702efe has members of project ELSEWHERE, which is not in this mount"
    ] == caplog.messages


def test_attributes_of_a_version_and_its_members_are_those_of_the_version() -> None:
    source = with_sets(DM)
    directory = look(source, "STUDY_001", "liver-safety", "@6d702efe")
    assert (2 * 10**9, PIN_TTL_S, stat.S_IFDIR | 0o555) == (directory.time_ns, directory.ttl_s, directory.mode)
    link = look(source, "STUDY_001", "liver-safety", "@6d702efe", "dm.parquet")
    assert (2 * 10**9, REFRESH_S, stat.S_IFLNK | 0o777) == (link.time_ns, link.ttl_s, link.mode)
    moving = look(source, "STUDY_001", "liver-safety")
    assert (8 * 10**9, REFRESH_S) == (moving.time_ns, moving.ttl_s)


def test_members_that_are_not_there_are_not_found() -> None:
    for name in ("ex.parquet", "dm", "@111111aa.parquet", ".."):
        with pytest.raises(NotFound):
            look(with_sets(DM), "STUDY_001", "liver-safety", "@6d702efe", name)
