"""A project as of a moment: which names there are, what such a directory holds, and where its links lead."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import pytest

from datomfs.errors import DocumentInvalid, NotFound, ProjectNotFound, TableNotFound
from datomfs.layout import parse_when
from datomfs.vfs.as_of_room import AsOfRoom
from datomfs.vfs.nodes import AsOfDir
from datomfs.vfs.source import Current, MomentView
from datomfs.vfs.tree import PIN_TTL_S
from tests.vfs.fake_source import FakeSource, FakeTable, version
from tests.vfs.trees import ODD, REFRESH_S, V1, V3, look, make_source, make_tree, run, walk

DAY = "2026-03-31"
SECOND = "20260331T235959Z"
DAY_NS = 1_774_915_200 * 10**9
"""When that day began."""


def end_of(text: str) -> int:
    """The last nanosecond of a moment."""
    when = parse_when(text)
    assert when is not None
    return when.time_ns


@pytest.fixture
def source() -> FakeSource:
    """The usual source; on that day dm was at its first version, and there was no other table."""
    made = make_source()
    made.moments["STUDY_001", end_of(DAY)] = MomentView({"dm": Current(V1, 3 * 10**9)})
    return made


def listed(source: FakeSource, *names: str) -> Sequence[str]:
    """What a directory lists, in a fresh tree."""

    async def work() -> Sequence[str]:
        tree = make_tree(source)
        return [name for name, _, _ in await tree.readdir((await walk(tree, *names)).inode)]

    return run(work)


def target(source: FakeSource, *names: str) -> str:
    """Where a link points, in a fresh tree."""

    async def work() -> str:
        tree = make_tree(source)
        return await tree.readlink((await walk(tree, *names)).inode)

    return run(work)


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [DAY, SECOND])
def test_a_moment_holds_a_link_to_each_table_that_existed_and_nothing_else(source: FakeSource, text: str) -> None:
    assert ["dm.parquet"] == listed(source, "STUDY_001", f"@{text}")
    assert f"../dm/@{V1[:8]}.parquet" == target(source, "STUDY_001", f"@{text}", "dm.parquet")


def test_moments_resolve_and_are_not_listed(source: FakeSource) -> None:
    assert [name for name in listed(source, "STUDY_001") if name.startswith("@")] == []


def test_before_the_first_version_a_directory_is_empty(source: FakeSource) -> None:
    assert [] == listed(source, "STUDY_001", "@2001-01-01")


@pytest.mark.parametrize(
    "name",
    ["@", "@2026", "@2026-02-30", "@20260331", "@2026-3-1", "@2026-03-31 ", "@20260331T246060Z", "@@2026-03-31", DAY],
)
def test_what_is_no_moment_is_not_found(source: FakeSource, name: str) -> None:
    with pytest.raises(NotFound):
        look(source, "STUDY_001", name)


@pytest.mark.parametrize(
    "name", ["ex.parquet", f"{ODD}.parquet", "dm", "dm.csv", f"@{V1[:8]}.parquet", f"@{DAY}", ".datom"]
)
def test_what_did_not_exist_then_is_not_found_there(source: FakeSource, name: str) -> None:
    with pytest.raises(NotFound):
        look(source, "STUDY_001", f"@{DAY}", name)


def test_a_moment_is_found_without_asking_anybody(source: FakeSource) -> None:
    room = AsOfRoom(source, lambda: end_of(DAY) + 1)
    assert AsOfDir("STUDY_001", DAY, end_of(DAY)) == room.find_directory("STUDY_001", f"@{DAY}")
    assert [] == source.asked


# -- moments that are not over -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "over_ns"), [(DAY, DAY_NS + 86_400 * 10**9), ("20260331T120000Z", DAY_NS + 43_201 * 10**9)]
)
def test_a_moment_is_there_as_soon_as_it_is_over(source: FakeSource, text: str, over_ns: int) -> None:
    times = iter((over_ns - 1, over_ns))
    room = AsOfRoom(source, lambda: next(times))
    assert None is room.find_directory("P", f"@{text}")
    assert AsOfDir("P", text, end_of(text)) == room.find_directory("P", f"@{text}")


def test_the_log_tells_once_of_a_moment_that_is_not_over(source: FakeSource, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="datomfs")
    room = AsOfRoom(source, lambda: DAY_NS)
    for name in (f"@{DAY}", f"@{DAY}", "@2026-04-01", "@2026-03-30"):
        room.find_directory("STUDY_001", name)
    assert ["STUDY_001/@2026-03-31", "STUDY_001/@2026-04-01"] == [line.split()[0] for line in caplog.messages]


# -- attributes ----------------------------------------------------------------------------------------------------


def test_a_moment_is_dated_by_itself_and_its_links_by_their_versions(source: FakeSource) -> None:
    day = look(source, "STUDY_001", f"@{DAY}")
    link = look(source, "STUDY_001", f"@{DAY}", "dm.parquet")
    assert (end_of(DAY) - 999_999_999, PIN_TTL_S) == (day.time_ns, day.ttl_s)
    assert (3 * 10**9, REFRESH_S) == (link.time_ns, link.ttl_s)
    assert len(target(source, "STUDY_001", f"@{DAY}", "dm.parquet")) == link.size


def test_a_moment_before_1970_is_dated_1970(source: FakeSource) -> None:
    assert 0 == look(source, "STUDY_001", "@0001-01-01").time_ns


def test_a_link_has_as_many_digits_as_tell_the_version(source: FakeSource) -> None:
    twin = version(f"{V1[:10]}f")
    tables = source.content["STUDY_001"]
    assert isinstance(tables, dict)
    tables["dm"] = FakeTable(twin, {twin: b"x", V1: b"one"})

    async def work() -> str:
        tree = make_tree(source)
        await source.table("STUDY_001", "dm")
        return await tree.readlink((await walk(tree, "STUDY_001", f"@{DAY}", "dm.parquet")).inode)

    assert f"../dm/@{V1[:11]}.parquet" == run(work)


# -- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_table_of_which_nobody_can_say_is_an_error_and_no_other_is(source: FakeSource) -> None:
    broken = DocumentInvalid("the history of ex", "a test broke it")
    source.moments["STUDY_001", end_of(DAY)] = MomentView({"dm": Current(V3, 1)}, {"ex": broken})
    assert f"../dm/@{V3[:8]}.parquet" == target(source, "STUDY_001", f"@{DAY}", "dm.parquet")
    asks: list[Callable[[], object]] = [
        lambda: look(source, "STUDY_001", f"@{DAY}", "ex.parquet"),
        lambda: listed(source, "STUDY_001", f"@{DAY}"),
    ]
    for ask in asks:
        with pytest.raises(DocumentInvalid):
            ask()


def test_a_project_that_cannot_be_read_says_so_in_its_moments(source: FakeSource) -> None:
    source.content["STUDY_002"] = ProjectNotFound("STUDY_002", "a test asked")
    with pytest.raises(ProjectNotFound):
        listed(source, "STUDY_002", f"@{DAY}")


def test_a_link_the_kernel_still_knows_points_where_it_would_now(source: FakeSource) -> None:
    async def work() -> tuple[str, str, int]:
        tree = make_tree(source)
        inode = (await walk(tree, "STUDY_001", f"@{DAY}", "dm.parquet")).inode
        before = await tree.readlink(inode)
        source.moments["STUDY_001", end_of(DAY)] = MomentView({"dm": Current(V3, 4 * 10**9)})
        return before, await tree.readlink(inode), tree.getattr(inode).time_ns

    assert (f"../dm/@{V1[:8]}.parquet", f"../dm/@{V3[:8]}.parquet", 4 * 10**9) == run(work)


def test_a_link_whose_table_has_no_version_there_any_more_is_not_found(source: FakeSource) -> None:
    async def work() -> None:
        tree = make_tree(source)
        inode = (await walk(tree, "STUDY_001", f"@{DAY}", "dm.parquet")).inode
        source.moments["STUDY_001", end_of(DAY)] = MomentView({})
        await tree.readlink(inode)

    with pytest.raises(TableNotFound):
        run(work)
