"""The tree against a source in memory: names, listings and links."""

from __future__ import annotations

import stat

import pytest

from datomfs.errors import NotFound, RecordedMissing, StoreDenied, VersionAmbiguous, VersionNotFound
from datomfs.vfs.nodes import PayloadFile, inode_of
from tests.vfs.fake_source import FakeSource, FakeTable, version
from tests.vfs.trees import ODD, V1, V2, V3, dm_of, look, make_source, make_tree, run, walk


def listed(source: FakeSource, *names: str, list_versions: bool = False) -> list[str]:
    """The names that a directory lists in a fresh tree."""

    async def work() -> list[str]:
        tree = make_tree(source, list_versions=list_versions)
        return [name for name, _, _ in await tree.readdir((await walk(tree, *names)).inode)]

    return run(work)


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix_length", [6, 7, 8, 20, 63, 64])
@pytest.mark.parametrize("lead", ["@", "dm_"])
def test_a_version_resolves_by_any_unique_prefix_in_both_spellings(lead: str, prefix_length: int) -> None:
    attrs = look(make_source(), "STUDY_001", "dm", f"{lead}{V1[:prefix_length]}.parquet")
    assert inode_of(PayloadFile("STUDY_001", "dm", V1, 3, 0)) == attrs.inode
    assert len(b"one") == attrs.size


def test_an_old_version_resolves_though_it_is_not_listed() -> None:
    assert ["@222222bb.parquet"] == listed(make_source(), "STUDY_001", "dm")
    assert stat.S_ISREG(look(make_source(), "STUDY_001", "dm", f"@{V1}.parquet").mode)


@pytest.mark.parametrize(
    "names",
    [
        ("STUDY_003",),
        ("study_001",),
        ("STUDY_001", "ex"),
        ("STUDY_001", "DM"),
        ("STUDY_001", "ex.parquet"),
        ("STUDY_001", "dm.csv"),
        ("STUDY_001", ".parquet"),
        ("STUDY_001", "@111111aa.parquet"),
        ("STUDY_001", ODD + ".parquet.parquet"),
        ("STUDY_001", "dm", "dm"),
        ("STUDY_001", "dm", "111111aa.parquet"),
        ("STUDY_001", "dm", "@11111.parquet"),
        ("STUDY_001", "dm", "@111111AA.parquet"),
        ("STUDY_001", "dm", "@11111g.parquet"),
        ("STUDY_001", "dm", "@111111aa"),
        ("STUDY_001", "dm", "@.parquet"),
        ("STUDY_001", "dm", "ex_111111aa.parquet"),
        ("STUDY_001", "dm", f"@{V1}0.parquet"),
        ("STUDY_001", "dm", "@999999.parquet"),
    ],
)
def test_what_does_not_exist_is_not_found(names: tuple[str, ...]) -> None:
    with pytest.raises(NotFound):
        look(make_source(), *names)


@pytest.mark.parametrize("depth", [(), ("STUDY_001",), ("STUDY_001", "dm")])
@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../STUDY_002", "/", "a/b", "x" * 300, b"\xff\xfe".decode(errors="surrogateescape"),
     b"@111111\xff.parquet".decode(errors="surrogateescape"), "@" + "\uff11" * 6 + ".parquet", "dm\n", "*", "[dm]"],
)  # fmt: skip
def test_a_hostile_name_is_not_found(depth: tuple[str, ...], name: str) -> None:
    with pytest.raises(NotFound):
        look(make_source(), *depth, name)


def test_an_unknown_version_is_looked_for_again() -> None:
    source = make_source()

    async def work() -> int:
        tree = make_tree(source)
        directory = (await walk(tree, "STUDY_001", "dm")).inode
        with pytest.raises(VersionNotFound):
            await tree.lookup(directory, "@444444.parquet")
        dm = dm_of(source)
        dm.payloads = {version("444444"): b"four!", **dm.payloads}
        return (await tree.lookup(directory, "@444444.parquet")).size

    assert len(b"four!") == run(work)


def test_a_prefix_of_several_versions_names_them() -> None:
    source = FakeSource({"P": {"dm": FakeTable(V1, {version("abcdef1"): b"", version("abcdef2"): b""})}})
    with pytest.raises(VersionAmbiguous) as caught:
        look(source, "P", "dm", "@abcdef.parquet")
    assert (version("abcdef1"), version("abcdef2")) == caught.value.matches
    assert stat.S_ISREG(look(source, "P", "dm", "@abcdef1.parquet").mode)


def test_a_version_recorded_twice_with_other_bytes_never_resolves() -> None:
    source = FakeSource({"P": {"dm": FakeTable(V2, {V1: b"", V2: b""}, ambiguous=frozenset({V1}))}})
    with pytest.raises(VersionAmbiguous):
        look(source, "P", "dm", f"@{V1}.parquet")
    assert stat.S_ISREG(look(source, "P", "dm", f"@{V2}.parquet").mode)


def test_a_version_whose_bytes_are_lost_is_an_integrity_error_not_unknown() -> None:
    source = FakeSource({"P": {"dm": FakeTable(V1, {V1: None})}})
    with pytest.raises(RecordedMissing):
        look(source, "P", "dm", f"@{V1}.parquet")


def test_a_file_and_a_link_have_no_entries() -> None:
    async def work() -> None:
        tree = make_tree(make_source())
        for names in (("STUDY_001", "dm.parquet"), ("STUDY_001", "dm", f"@{V1}.parquet")):
            inode = (await walk(tree, *names)).inode
            with pytest.raises(NotADirectoryError):
                await tree.lookup(inode, "x")
            with pytest.raises(NotADirectoryError):
                await tree.readdir(inode)

    run(work)


# -- listings ------------------------------------------------------------------------------------------------------


def test_the_root_lists_projects_and_asks_nobody() -> None:
    source = make_source()
    source.content["BROKEN"] = StoreDenied("s3://x", "key", "no")
    assert ["BROKEN", "STUDY_001", "STUDY_002"] == listed(source)
    assert [] == source.asked


def test_a_broken_project_gives_its_error_when_entered_and_spares_the_others() -> None:
    source = make_source()
    source.content["BROKEN"] = StoreDenied("s3://x", "key", "no")
    assert stat.S_ISDIR(look(source, "BROKEN").mode)
    with pytest.raises(StoreDenied):
        listed(source, "BROKEN")
    assert ["@111111aa.parquet"] == listed(source, "STUDY_002", "dm")


def test_a_project_lists_a_directory_and_a_link_per_table_and_reads_no_history() -> None:
    source = make_source()
    assert [ODD, f"{ODD}.parquet", "dm", "dm.parquet"] == listed(source, "STUDY_001")
    assert {"STUDY_001"} == set(source.asked)


def test_all_versions_are_listed_on_request_without_those_whose_bytes_are_lost() -> None:
    source = make_source()
    assert ["@333333cc.parquet", "@222222bb.parquet", "@111111aa.parquet"] == listed(
        source, "STUDY_001", "dm", list_versions=True
    )
    source = make_source()
    dm_of(source).payloads[V3] = None
    assert ["@222222bb.parquet", "@111111aa.parquet"] == listed(source, "STUDY_001", "dm", list_versions=True)


def test_a_lost_current_version_makes_its_listing_fail() -> None:
    source = FakeSource({"P": {"dm": FakeTable(V1, {V1: None, V2: b""})}})
    with pytest.raises(RecordedMissing):
        listed(source, "P", "dm")


def test_names_have_more_digits_where_eight_are_not_unique() -> None:
    long, longer, other = version("abcdef1234"), version("abcdef1235"), V1
    source = FakeSource({"P": {"dm": FakeTable(long, dict.fromkeys((long, longer, other), b""))}})
    assert ["@abcdef1234.parquet"] == listed(source, "P", "dm")
    assert ["@abcdef1234.parquet", "@abcdef1235.parquet", "@111111aa.parquet"] == listed(
        source, "P", "dm", list_versions=True
    )


def test_a_current_version_newer_than_the_known_history_is_listed() -> None:
    source = make_source()

    async def work() -> list[str]:
        tree = make_tree(source)
        directory = (await walk(tree, "STUDY_001", "dm")).inode
        await tree.readdir(directory)
        dm = dm_of(source)
        dm.current, dm.payloads = version("444444dd"), {version("444444dd"): b"four!", **dm.payloads}
        return [name for name, _, _ in await tree.readdir(directory)]

    assert ["@444444dd.parquet"] == run(work)


def test_listed_entries_are_what_a_lookup_finds() -> None:
    async def work() -> None:
        tree = make_tree(make_source())
        for names in ((), ("STUDY_001",), ("STUDY_001", "dm"), ("STUDY_001", ODD)):
            directory = (await walk(tree, *names)).inode
            for name, node, attrs in await tree.readdir(directory):
                assert inode_of(node) == attrs.inode
                assert attrs == await tree.lookup(directory, name)

    run(work)


# -- links ---------------------------------------------------------------------------------------------------------


def read_link(source: FakeSource, project: str, name: str) -> str:
    """A link's text in a fresh tree; what it points to resolves to the current version."""

    async def work() -> str:
        tree = make_tree(source)
        link = await walk(tree, project, name)
        text = await tree.readlink(link.inode)
        assert len(text.encode()) == link.size
        directory, file = text.split("/")
        assert stat.S_ISREG((await walk(tree, project, directory, file)).mode)
        return text

    return run(work)


def test_a_link_is_relative_and_points_to_the_current_version() -> None:
    assert "dm/@222222bb.parquet" == read_link(make_source(), "STUDY_001", "dm.parquet")
    assert f"{ODD}/@111111aa.parquet" == read_link(make_source(), "STUDY_001", f"{ODD}.parquet")


def test_a_link_has_as_many_digits_as_its_known_history_needs() -> None:
    long, longer = version("abcdef1234"), version("abcdef1235")
    source = FakeSource({"P": {"dm": FakeTable(long, dict.fromkeys((long, longer), b""))}})

    async def work() -> list[str]:
        tree = make_tree(source)
        link = await walk(tree, "P", "dm.parquet")
        before = await tree.readlink(link.inode)
        await tree.readdir((await walk(tree, "P", "dm")).inode)
        return [before, await tree.readlink(link.inode)]

    assert ["dm/@abcdef12.parquet", "dm/@abcdef1234.parquet"] == run(work)


def test_a_link_moves_with_its_table() -> None:
    source = make_source()

    async def work() -> str:
        tree = make_tree(source)
        link = await walk(tree, "STUDY_001", "dm.parquet")
        dm_of(source).current = V3
        return await tree.readlink(link.inode)

    assert "dm/@333333cc.parquet" == run(work)


def test_only_links_can_be_read_as_links() -> None:
    async def work() -> None:
        tree = make_tree(make_source())
        with pytest.raises(NotADirectoryError):
            await tree.readlink((await walk(tree, "STUDY_001", "dm")).inode)

    run(work)
