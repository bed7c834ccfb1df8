"""What the tree says of what was found: attributes, inodes, and what the kernel is owed for each lookup."""

from __future__ import annotations

import stat

import pytest

from datomfs.errors import (
    DatomfsError,
    NotFound,
    PayloadResized,
    ProjectNotFound,
    RecordedMissing,
    TableNotFound,
)
from datomfs.vfs.nodes import ROOT_INODE, Attrs, PayloadFile, ProjectDir, TableDir, TableLink, inode_of
from datomfs.vfs.tree import PIN_TTL_S
from tests.vfs.fake_source import FakeSource, FakeTable
from tests.vfs.trees import MOUNTED_NS, REFRESH_S, V1, V2, look, make_source, make_tree, run, walk

# -- attributes ----------------------------------------------------------------------------------------------------


def test_attributes_of_a_payload_are_those_of_its_version_and_may_be_believed_for_an_hour() -> None:
    attrs = look(make_source(), "STUDY_001", "dm", f"@{V2}.parquet")
    inode = inode_of(PayloadFile("STUDY_001", "dm", V2, 0, 0))
    assert Attrs(inode, stat.S_IFREG | 0o444, len(b"payload two"), 2 * 10**9, PIN_TTL_S) == attrs


def test_times_of_moving_names_are_those_of_their_last_change() -> None:
    source = make_source()
    assert MOUNTED_NS == look(source).time_ns
    assert 7 * 10**9 == look(source, "STUDY_001", "dm").time_ns
    assert 7 * 10**9 == look(source, "STUDY_001", "dm.parquet").time_ns


def test_moving_names_are_believed_as_long_as_documents_are() -> None:
    for names in ((), ("STUDY_001", "dm"), ("STUDY_001", "dm.parquet")):
        assert REFRESH_S == look(make_source(), *names).ttl_s


def test_a_project_nobody_looked_into_is_dated_like_the_mount_and_not_believed() -> None:
    source = make_source()

    async def work() -> list[tuple[int, float]]:
        tree = make_tree(source)
        before = await walk(tree, "STUDY_001")
        await tree.readdir(before.inode)
        after = tree.getattr(before.inode)
        return [(before.time_ns, before.ttl_s), (after.time_ns, after.ttl_s)]

    assert [(MOUNTED_NS, 0.0), (9 * 10**9, REFRESH_S)] == run(work)


def test_a_table_that_went_away_is_not_found_any_more() -> None:
    source = make_source()

    async def work() -> None:
        tree = make_tree(source)
        project = (await walk(tree, "STUDY_001")).inode
        table = (await walk(tree, "STUDY_001", "dm")).inode
        source.content["STUDY_001"] = {}
        with pytest.raises(NotFound):
            await tree.lookup(project, "dm")
        with pytest.raises(TableNotFound):
            tree.getattr(table)
        with pytest.raises(TableNotFound):
            await tree.readdir(table)

    run(work)


def test_a_project_that_is_not_known_yet_has_a_name_and_no_tables() -> None:
    source = make_source()

    async def work() -> None:
        tree = make_tree(source)
        tree.remember(TableDir("STUDY_002", "dm"))
        assert MOUNTED_NS == (await walk(tree, "STUDY_002")).time_ns
        with pytest.raises(ProjectNotFound):
            tree.getattr(inode_of(TableDir("STUDY_002", "dm")))

    run(work)


# -- what the kernel is owed ---------------------------------------------------------------------------------------


def test_every_spelling_of_a_version_is_one_inode_in_every_tree() -> None:
    names = (f"@{V1[:6]}.parquet", f"@{V1}.parquet", f"dm_{V1[:10]}.parquet")
    assert 1 == len({look(make_source(), "STUDY_001", "dm", name).inode for name in names})


def test_an_inode_is_known_until_all_its_lookups_are_taken_back() -> None:
    async def work() -> None:
        tree = make_tree(make_source())
        inode = (await walk(tree, "STUDY_001")).inode
        await walk(tree, "STUDY_001")
        tree.remember(ProjectDir("STUDY_001"))
        tree.forget(inode, 2)
        assert inode == tree.getattr(inode).inode
        tree.forget(inode, 1)
        with pytest.raises(KeyError):
            tree.getattr(inode)

    run(work)


def test_a_listing_counts_no_lookup() -> None:
    async def work() -> None:
        tree = make_tree(make_source())
        await tree.readdir((await walk(tree, "STUDY_001")).inode)
        with pytest.raises(KeyError):
            tree.getattr(inode_of(TableLink("STUDY_001", "dm")))

    run(work)


def test_the_root_is_never_forgotten() -> None:
    tree = make_tree(make_source())
    tree.forget(ROOT_INODE, 5)
    assert ROOT_INODE == tree.getattr(ROOT_INODE).inode


def test_forgetting_what_is_not_known_does_no_harm() -> None:
    make_tree(make_source()).forget(12345, 1)


def test_a_payload_is_opened_by_its_version_read_and_closed() -> None:
    source = make_source()

    async def work() -> bytes:
        tree = make_tree(source)
        handle = await tree.open((await walk(tree, "STUDY_001", "dm", "@111111.parquet")).inode)
        assert ("STUDY_001", "dm", V1) == source.opened[handle]
        data = await tree.read(handle, 1, 10)
        tree.close(handle)
        return data

    assert b"ne" == run(work)
    assert {} == source.opened


def test_a_payload_of_another_size_than_listed_is_opened_after_another_look() -> None:
    """The kernel reads no further than it was told: it must not be told what a listing said on a bad day."""
    source = make_source()
    source.sizes["STUDY_001", "dm", V1] = 5

    async def work() -> list[int]:
        tree = make_tree(source)
        listed = await walk(tree, "STUDY_001", "dm", "@111111.parquet")
        with pytest.raises(PayloadResized):
            await tree.open(listed.inode)
        assert {} == source.opened
        again = await walk(tree, "STUDY_001", "dm", "@111111.parquet")
        tree.close(await tree.open(again.inode))
        return [listed.size, again.size, tree.getattr(again.inode).size]

    assert [len(b"one"), 5, 5] == run(work)


def test_a_directory_cannot_be_opened_as_a_file() -> None:
    async def work() -> None:
        tree = make_tree(make_source())
        with pytest.raises(IsADirectoryError):
            await tree.open((await walk(tree, "STUDY_001", "dm")).inode)

    run(work)


def test_lookup_of_a_lost_version_leaves_no_inode_behind() -> None:
    source = FakeSource({"P": {"dm": FakeTable(V1, {V1: None})}})

    async def work() -> DatomfsError:
        tree = make_tree(source)
        with pytest.raises(RecordedMissing) as caught:
            await walk(tree, "P", "dm", "@111111.parquet")
        with pytest.raises(KeyError):
            tree.getattr(inode_of(PayloadFile("P", "dm", V1, 0, 0)))
        return caught.value

    assert "the payload of P/dm@111111aa is recorded but missing from the store" == run(work).what


# -- what the kernel may believe -----------------------------------------------------------------------------------


def test_a_moving_name_is_believed_for_as_long_as_what_it_was_read_from() -> None:
    source = make_source()
    names = [("STUDY_001",), ("STUDY_001", "dm"), ("STUDY_001", "dm.parquet")]
    look(source, *names[1])
    assert [REFRESH_S] * 3 == [look(source, *each).ttl_s for each in names]
    source.believed["STUDY_001"] = 7.0
    assert [7.0] * 3 == [look(source, *each).ttl_s for each in names]
    source.believed[None] = 3.0
    assert [3.0, 7.0, 7.0] == [look(source, *each).ttl_s for each in names]
    assert PIN_TTL_S == look(source, "STUDY_001", "dm", f"@{V1}.parquet").ttl_s


def test_what_moves_of_a_project_is_all_the_kernel_knows_of_it_but_pins() -> None:
    async def work() -> tuple[set[int], set[int]]:
        tree = make_tree(make_source())
        moving = {(await walk(tree, *each)).inode for each in [("STUDY_001",), ("STUDY_001", "dm.parquet")]}
        moving.add((await walk(tree, "STUDY_001", "dm")).inode)
        await walk(tree, "STUDY_001", "dm", f"@{V1}.parquet")
        await walk(tree, "STUDY_002", "dm.parquet")
        return moving, set(tree.moving_inodes("STUDY_001"))

    expected, actual = run(work)
    assert expected == actual
