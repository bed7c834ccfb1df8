"""What a refresh does and says, and how often it may be asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from datomfs.errors import StoreUnreachable
from datomfs.layout import CONTROL_REFRESH, MANIFEST_KEY
from datomfs.mount.control import Control
from datomfs.vfs.nodes import ROOT_INODE, ProjectDir, inode_of
from tests.cache.stores import make_reader
from tests.mount.bench import Bench, Runner
from tests.mounts import PROJECT


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner(make_reader(tmp_path / "cache"))


def test_only_that_attribute_of_the_root_refreshes(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        control = Control(bench.source)
        await bench.source.project(PROJECT)
        assert await control.ask(ROOT_INODE, "user.datom.verified", 1) is None
        assert await control.ask(inode_of(ProjectDir(PROJECT)), CONTROL_REFRESH, 1) is None
        assert 1 == bench.store.reads[MANIFEST_KEY]
        assert b"nothing has changed" == await control.ask(ROOT_INODE, CONTROL_REFRESH, 1)
        assert 2 == bench.store.reads[MANIFEST_KEY]

    run(test)


def test_what_nobody_has_looked_at_is_not_read(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        assert "nothing has changed" == await Control(bench.source).refresh()
        assert not bench.store.reads

    run(test)


def test_what_changed_is_said_by_name(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        await bench.source.projects()
        await bench.source.project(PROJECT)
        (_, old) = bench.project.tables["dm"]
        (new,) = bench.project.put("dm", b"three")
        (ex,) = bench.project.put("ex", b"ex")
        told = await Control(bench.source).refresh()
        assert [
            f"{PROJECT}/dm: {old.version[:8]} -> {new.version[:8]}",
            f"{PROJECT}/ex is new: {ex.version[:8]}",
        ] == told.splitlines()

    run(test)


def test_a_hundred_changes_are_said_and_the_rest_counted(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        await bench.source.projects()
        await bench.source.project(PROJECT)
        for number in range(130):
            bench.project.put(f"t{number}", b"x")
        lines = (await Control(bench.source).refresh()).splitlines()
        assert (101, "and 30 more") == (len(lines), lines[-1])

    run(test)


def test_a_process_that_asks_twice_is_told_the_same_and_another_waits_its_turn(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        control = Control(bench.source)
        await bench.source.project(PROJECT)
        answers: list[bytes | None] = []

        async def ask(pid: int) -> None:
            answers.append(await control.ask(ROOT_INODE, CONTROL_REFRESH, pid))

        for _ in range(3):
            await ask(1)
        assert (2, 1) == (bench.store.reads[MANIFEST_KEY], len(set(answers)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, 2)
            await wait_all_tasks_blocked(0.01)
            assert (3, 2) == (len(answers), bench.store.reads[MANIFEST_KEY])
            bench.clock.jump(1)
        assert (4, 3) == (len(answers), bench.store.reads[MANIFEST_KEY])
        bench.clock.jump(6)
        await ask(1)
        assert 4 == bench.store.reads[MANIFEST_KEY]

    run(test)


@pytest.mark.expected_warnings
def test_a_store_that_is_away_is_said_and_stops_nothing(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        await bench.source.projects()
        await bench.source.project(PROJECT)
        bench.store.fault = StoreUnreachable("memory:live", "key", "cable cut")
        told = await Control(bench.source).refresh()
        assert f"{PROJECT} is served as it was: its store did not answer" == told

    run(test)
