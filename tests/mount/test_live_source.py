"""What a running mount knows of projects and tables, when it asks again, and what it says while a store is away."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from trio.testing import wait_all_tasks_blocked

from datomfs.errors import ProjectNotFound, StoreDenied, StoreUnreachable, TableNotFound
from datomfs.layout import MANIFEST_KEY, history_key
from datomfs.vfs.source import Current, VersionView
from tests.cache.stores import make_reader
from tests.mount.bench import REFRESH_S, STALL_S, Bench, Runner
from tests.mounts import PROJECT


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner(make_reader(tmp_path / "cache"))


# -- views and their age -------------------------------------------------------------------------------------------


def test_a_project_view_has_current_versions_and_times(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        _, two = bench.project.tables["dm"]
        assert bench.source.known_project(PROJECT) is None
        view = await bench.source.project(PROJECT)
        assert {"dm": Current(two.version, two.time_ns)} == view.tables
        assert two.time_ns == view.time_ns
        assert view is bench.source.known_project(PROJECT)

    run(test)


def test_a_table_view_has_versions_newest_first_with_sizes_from_the_listing(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        one, two = bench.project.tables["dm"]
        bench.store.delete(one.key)
        assert bench.source.known_table(PROJECT, "dm") is None
        view = await bench.source.table(PROJECT, "dm")
        assert (VersionView(two.version, two.time_ns, 3), VersionView(one.version, one.time_ns, None)) == view.versions
        assert frozenset() == view.ambiguous
        assert view is bench.source.known_table(PROJECT, "dm")

    run(test)


def test_a_version_written_between_listing_and_history_is_not_taken_for_lost(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        listed = threading.Event()

        def write_after_the_listing(key: str) -> None:
            if key == history_key("dm") and listed.wait(30) and len(bench.project.tables["dm"]) == 2:
                bench.project.put("dm", b"three")

        bench.store.on_listed = listed.set
        bench.store.on_get = write_after_the_listing
        view = await bench.source.table(PROJECT, "dm")
        assert [5, 3, 3] == [version.size for version in view.versions]

    run(test)


def test_a_version_recorded_with_two_payloads_is_ambiguous(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        one, two = bench.project.tables["dm"]
        entries = [{"version": one.version, "data_sha": sha} for sha in (one.data_sha, two.data_sha)]
        bench.store.put(history_key("dm"), str(entries).replace("'", '"').encode())
        view = await bench.source.table(PROJECT, "dm")
        assert [one.version] == [version.version for version in view.versions]
        assert frozenset({one.version}) == view.ambiguous

    run(test)


def test_views_are_read_again_when_their_time_is_over(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        for _ in range(3):
            await bench.source.project(PROJECT)
            await bench.source.table(PROJECT, "dm")
        assert (1, 1) == (bench.store.reads[MANIFEST_KEY], bench.store.reads[history_key("dm")])
        bench.project.put("dm", b"three")
        bench.clock.jump(REFRESH_S - 1)
        assert 2 == len((await bench.source.table(PROJECT, "dm")).versions)
        bench.clock.jump(1)
        (three,) = [version.version for version in bench.project.tables["dm"][2:]]
        assert three == (await bench.source.project(PROJECT)).tables["dm"].version
        assert 3 == len((await bench.source.table(PROJECT, "dm")).versions)
        assert (2, 2) == (bench.store.reads[MANIFEST_KEY], bench.store.reads[history_key("dm")])

    run(test)


def test_many_who_ask_at_once_cost_one_read(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        views = await bench.collect(*[lambda: bench.source.table(PROJECT, "dm")] * 10)
        assert 1 == len({id(view) for view in views})
        assert 1 == bench.store.reads[history_key("dm")]

    run(test)


def test_a_fresh_look_finds_a_version_written_since(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        await bench.source.table(PROJECT, "dm")
        bench.project.put("dm", b"three")
        assert 2 == len((await bench.source.table(PROJECT, "dm")).versions)
        bench.clock.jump(2)
        assert 3 == len((await bench.source.table(PROJECT, "dm", fresh=True)).versions)

    run(test)


def test_fresh_looks_come_at_most_once_a_second(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        await bench.source.table(PROJECT, "dm")
        for _ in range(20):
            bench.clock.jump(0.1)
            await bench.source.table(PROJECT, "dm", fresh=True)
        assert bench.store.reads[history_key("dm")] <= 3

    run(test)


def test_a_table_read_before_its_project_is_not_fresh(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        await bench.source.table(PROJECT, "dm")
        (three,) = bench.project.put("dm", b"three")
        bench.clock.jump(0.1)
        assert three.version == (await bench.source.project(PROJECT)).tables["dm"].version
        assert three.version == (await bench.source.table(PROJECT, "dm", fresh=True)).resolve(three.version).version

    run(test)


def test_projects_are_those_of_the_configuration_and_cost_nothing(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        assert ("OTHER", PROJECT) == tuple(await bench.source.projects())
        assert not bench.store.reads

    run(test)


def test_what_does_not_exist_is_said_by_name(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        with pytest.raises(ProjectNotFound):
            await bench.source.project("NOWHERE")
        with pytest.raises(ProjectNotFound):
            await bench.source.project("OTHER")
        with pytest.raises(TableNotFound):
            await bench.source.table(PROJECT, "ex")

    run(test)


# -- a store that is away ------------------------------------------------------------------------------------------


@pytest.mark.expected_warnings
def test_while_a_store_is_away_what_was_known_is_served_with_one_warning(
    run: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(bench: Bench) -> None:
        view = await bench.source.table(PROJECT, "dm")
        bench.store.fault = StoreUnreachable("memory:live", "key", "cable cut")
        bench.clock.jump(90)
        for _ in range(3):
            answers = await bench.collect(*[lambda: bench.source.table(PROJECT, "dm")] * 5)
            assert [view] * 5 == answers
            bench.clock.jump(10)
        assert [f"{PROJECT}/dm is served as it was 90 s ago: memory:live could not be reached: cable cut"] == (
            caplog.messages
        )

    run(test)


@pytest.mark.expected_warnings
def test_a_store_that_is_away_is_left_alone_for_a_moment(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        await bench.source.project(PROJECT)
        bench.store.fault = StoreUnreachable("memory:live", "key", "cable cut")
        bench.clock.jump(REFRESH_S)
        for _ in range(10):
            await bench.source.project(PROJECT)
        assert 2 == bench.store.reads[MANIFEST_KEY]

    run(test)


@pytest.mark.expected_warnings
def test_a_store_that_is_back_is_read_again_and_may_be_missed_again(
    run: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(bench: Bench) -> None:
        for count in (2, 3, 4):
            assert count == len((await bench.source.table(PROJECT, "dm")).versions)
            bench.store.fault = StoreUnreachable("memory:live", "key", "cable cut")
            bench.clock.jump(REFRESH_S)
            assert count == len((await bench.source.table(PROJECT, "dm")).versions)
            bench.store.fault = None
            bench.project.put("dm", b"more")
            bench.clock.jump(5)
        assert 3 == len(caplog.messages)

    run(test)


@pytest.mark.expected_warnings
def test_access_that_was_withdrawn_counts_as_away(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        view = await bench.source.project(PROJECT)
        bench.store.fault = StoreDenied("memory:live", "key", "expired")
        bench.clock.jump(REFRESH_S)
        assert view is await bench.source.project(PROJECT)

    run(test)


def test_a_store_that_was_never_there_gives_its_error(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        bench.store.fault = StoreDenied("memory:live", "key", "expired")
        with pytest.raises(StoreDenied):
            await bench.source.project(PROJECT)
        with pytest.raises(StoreDenied):
            await bench.source.table(PROJECT, "dm")
        bench.store.fault = None
        assert {"dm"} == set((await bench.source.project(PROJECT)).tables)

    run(test)


def test_a_store_that_hangs_gives_an_error_in_time_and_its_answer_is_kept(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        bench.store.answering.clear()
        answer = await bench.time_out(lambda: bench.source.table(PROJECT, "dm"), STALL_S)
        assert isinstance(answer, StoreUnreachable)
        assert f"no answer for {PROJECT}/dm within 30 s" == answer.reason
        bench.store.answering.set()
        while bench.source.known_table(PROJECT, "dm") is None:
            await wait_all_tasks_blocked(0.01)
        assert 2 == len((await bench.source.table(PROJECT, "dm")).versions)
        assert 1 == bench.store.reads[history_key("dm")]

    run(test)


@pytest.mark.expected_warnings
def test_a_store_that_goes_on_hanging_delays_who_reads_old_views_only_once(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        view = await bench.source.project(PROJECT)
        bench.store.answering.clear()
        bench.clock.jump(REFRESH_S)
        assert view is await bench.time_out(lambda: bench.source.project(PROJECT), STALL_S)
        for _ in range(3):
            bench.clock.jump(10)
            assert view is await bench.time_out(lambda: bench.source.project(PROJECT), 1)
        assert 2 == bench.store.reads[MANIFEST_KEY]

    run(test)
