"""Extended attributes in the tree: which there are, what they say, and what it costs to ask."""

from __future__ import annotations

import json

import pytest

from datomfs.errors import AttributeForeign, AttributeNotFound
from datomfs.model.sets import Member, MemberId, SetContent
from datomfs.vfs.nodes import ROOT_INODE
from datomfs.vfs.source import Standing
from tests.vfs.fake_source import FakeSet, FakeSource, version
from tests.vfs.trees import V1, V2, make_source, make_tree, run, walk

PAYLOAD = ("STUDY_001", "dm", f"@{V1}.parquet")
S1 = version("6d702efe")
SET_VERSION = ("STUDY_001", "safety", "@6d702efe")


def told_of(source: FakeSource, *names: str) -> dict[str, str]:
    """All extended attributes of what these lookups end at, in a fresh tree, as they are listed and then asked for."""

    async def work() -> dict[str, str]:
        tree = make_tree(source)
        inode = (await walk(tree, *names)).inode
        found = {}
        for name in tree.listxattr(inode):
            try:
                found[name] = (await tree.getxattr(inode, name)).decode()
            except AttributeNotFound:
                found[name] = "(not recorded)"
        return found

    return run(work)


def listed(source: FakeSource, *names: str) -> list[str]:
    """The names alone."""

    async def work() -> list[str]:
        tree = make_tree(source)
        return list(tree.listxattr((await walk(tree, *names)).inode))

    return run(work)


def with_set(tags: dict[str, list[str]] | None = None, *members: str) -> FakeSource:
    """The source with a set of one version, whose members are labelled with their place."""
    source = make_source()
    ids = [MemberId("STUDY_001", name, "table", V1) for name in members]
    content = SetContent(
        dict(tags or {}), tuple(Member(each, {"place": [str(place)]}) for place, each in enumerate(ids))
    )
    source.sets.content_of["STUDY_001", "safety"] = FakeSet(S1, {S1: content})
    return source


# -- payloads ------------------------------------------------------------------------------------------------------


def test_a_payload_tells_its_standing() -> None:
    source = make_source()
    source.standings["STUDY_001", "dm", V1] = Standing("full", 3)
    assert {"user.datom.verified": "full", "user.datom.cached": "3"} == told_of(source, *PAYLOAD)
    other = {"user.datom.verified": "pending", "user.datom.cached": "0"}
    assert other == told_of(source, "STUDY_001", "dm", f"@{V2}.parquet")


def test_a_standing_is_told_as_it_is_now_and_asks_nobody() -> None:
    source = make_source()

    async def work() -> list[bytes]:
        tree = make_tree(source)
        inode = (await walk(tree, *PAYLOAD)).inode
        source.asked.clear()
        told = []
        for verified in ("pending", "attested", "failed"):
            source.standings["STUDY_001", "dm", V1] = Standing(verified, 0)
            told.append(await tree.getxattr(inode, "user.datom.verified"))
        return told

    assert [b"pending", b"attested", b"failed"] == run(work)
    assert [] == source.asked


def test_a_payload_tells_what_is_recorded_of_its_version() -> None:
    source = make_source()
    source.facts.of_version["STUDY_001", "dm", V1] = ({"table": "dm", "author": "Bj\u00f6rn"}, {"nrow": "3"})
    assert {
        "user.datom.table": "dm",
        "user.datom.author": "Bj\u00f6rn",
        "user.datom.nrow": "3",
        "user.datom.ncol": "(not recorded)",
        "user.datom.verified": "pending",
        "user.datom.cached": "0",
    } == told_of(source, *PAYLOAD)


def test_to_list_names_and_to_ask_for_what_the_history_has_reads_nothing() -> None:
    source = make_source()
    source.facts.of_version["STUDY_001", "dm", V1] = ({"author": "A"}, {"nrow": "3"})

    async def work() -> bytes:
        tree = make_tree(source)
        inode = (await walk(tree, *PAYLOAD)).inode
        source.asked.clear()
        for _ in range(3):
            tree.listxattr(inode)
        return await tree.getxattr(inode, "user.datom.author")

    assert b"A" == run(work)
    assert [] == source.asked + source.facts.asked


def test_what_was_read_is_listed_as_it_is() -> None:
    source = make_source()
    source.facts.of_version["STUDY_001", "dm", V1] = ({}, {"nrow": "3"})

    async def work() -> tuple[str, ...]:
        tree = make_tree(source)
        inode = (await walk(tree, *PAYLOAD)).inode
        assert b"3" == await tree.getxattr(inode, "user.datom.nrow")
        return tuple(tree.listxattr(inode))

    assert ("user.datom.nrow", "user.datom.verified", "user.datom.cached") == run(work)


def test_a_history_that_is_not_in_memory_any_more_is_read_for_who_asks() -> None:
    source = make_source()

    async def work() -> None:
        tree = make_tree(source)
        inode = (await walk(tree, *PAYLOAD)).inode
        source._tables.clear()
        with pytest.raises(AttributeNotFound):
            await tree.getxattr(inode, "user.datom.author")

    run(work)
    assert 2 == source.asked.count("STUDY_001/dm")


# -- sets ----------------------------------------------------------------------------------------------------------


def test_a_version_of_a_set_tells_its_labels_and_those_of_its_members() -> None:
    source = with_set({"description": ["ADaM \u00fc"], "domain": ["a", "b"]}, "dm", "ex")
    source.facts.of_version["STUDY_001", "safety", S1] = ({"set": "safety"}, {})

    async def work() -> dict[str, str]:
        tree = make_tree(source)
        inode = (await walk(tree, *SET_VERSION)).inode
        await tree.readdir(inode)
        return {name: (await tree.getxattr(inode, name)).decode() for name in tree.listxattr(inode) if "col" not in name
                and "nrow" not in name}  # fmt: skip

    assert {
        "user.datom.set": "safety",
        "user.datom.tags": '{"description":["ADaM \u00fc"],"domain":["a","b"]}',
        "user.datom.member.dm.parquet": '{"place":["0"]}',
        "user.datom.member.ex.parquet": '{"place":["1"]}',
    } == run(work)


def test_members_are_listed_once_the_directory_was_looked_into_and_told_of_always() -> None:
    source = with_set({}, "dm")

    async def work() -> None:
        tree = make_tree(source)
        inode = (await walk(tree, *SET_VERSION)).inode
        assert ["user.datom.tags"] == list(tree.listxattr(inode))
        assert {"place": ["0"]} == json.loads(await tree.getxattr(inode, "user.datom.member.dm.parquet"))
        assert ["user.datom.tags", "user.datom.member.dm.parquet"] == list(tree.listxattr(inode))
        with pytest.raises(AttributeNotFound):
            await tree.getxattr(inode, "user.datom.member.ex.parquet")

    run(work)


def test_as_many_members_are_listed_as_the_kernel_takes_and_all_are_told_of() -> None:
    many = [f"{'m' * 30}{number}" for number in range(2000)]
    source = with_set({}, *many)

    async def work() -> list[str]:
        tree = make_tree(source)
        inode = (await walk(tree, *SET_VERSION)).inode
        await tree.readdir(inode)
        assert b'{"place":["1999"]}' == await tree.getxattr(inode, f"user.datom.member.{many[-1]}.parquet")
        return list(tree.listxattr(inode))

    names = run(work)
    assert 65_400 < sum(len(name) + 1 for name in names) <= 65_536


def test_a_member_whose_attribute_would_have_too_long_a_name_is_passed_over() -> None:
    long, project = "d" * 128, "P" * 91
    ids = [MemberId(project + end, long, "table", V1) for end in ("P", "Q")]
    source = make_source()
    content = SetContent({}, tuple(Member(each, {}) for each in ids))
    source.sets.content_of["STUDY_001", "safety"] = FakeSet(S1, {S1: content})

    async def work() -> list[str]:
        tree = make_tree(source)
        inode = (await walk(tree, *SET_VERSION)).inode
        assert 2 == len(await tree.readdir(inode))
        return list(tree.listxattr(inode))

    assert ["user.datom.tags"] == run(work)


# -- projects ------------------------------------------------------------------------------------------------------


def test_a_project_tells_where_it_lies_and_how_old_that_is() -> None:
    source = make_source()
    facts = {"project": "STUDY_001", "location": "/data", "source": "git", "checked_at": "2026-01-01T00:00:00Z",
             "table_count": "2", "set_count": "0"}  # fmt: skip
    source.facts.of_project["STUDY_001"] = facts
    assert {f"user.datom.{field}": value for field, value in facts.items()} == told_of(source, "STUDY_001")


def test_to_list_the_attributes_of_a_project_asks_nobody() -> None:
    source = make_source()
    assert 6 == len(listed(source, "STUDY_001"))
    assert [] == source.asked + source.facts.asked


# -- what is not there ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [(), ("STUDY_001", "dm"), ("STUDY_001", "dm.parquet"), ("STUDY_001", "safety"), (*SET_VERSION, "dm.parquet")],
)
def test_other_directories_and_links_have_none(names: tuple[str, ...]) -> None:
    assert {} == told_of(with_set({}, "dm"), *names)


@pytest.mark.parametrize("name", ["user.verified", "user.datom.", "user.datom.nothing", "user.datom.\udcff"])
@pytest.mark.parametrize("names", [(), ("STUDY_001",), PAYLOAD, SET_VERSION])
def test_an_attribute_that_is_not_there_is_said_by_name(names: tuple[str, ...], name: str) -> None:
    async def work() -> None:
        tree = make_tree(with_set())
        await tree.getxattr((await walk(tree, *names)).inode, name)

    with pytest.raises(AttributeNotFound) as caught:
        run(work)
    assert name == caught.value.name


@pytest.mark.parametrize(
    "name", ["", "verified", "security.selinux", "system.posix_acl_access", "trusted.datom.cached"]
)
def test_other_namespaces_are_told_from_a_name_that_is_not_there(name: str) -> None:
    with pytest.raises(AttributeForeign) as caught:
        run(lambda: make_tree(make_source()).getxattr(ROOT_INODE, name))
    assert name == caught.value.name


def test_a_forgotten_inode_has_no_attributes_to_tell() -> None:
    tree = make_tree(make_source())
    with pytest.raises(KeyError):
        tree.listxattr(12345)
    with pytest.raises(KeyError):
        run(lambda: tree.getxattr(12345, "user.datom.cached"))
