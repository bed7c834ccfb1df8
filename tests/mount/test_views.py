"""Views and their age: read by the clock, kept while nobody answers, and begun with what an earlier mount kept."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from datomfs.errors import DatomfsError, DocumentInvalid, RefForbidden, StoreUnreachable
from datomfs.mount.views import Kept, Views
from datomfs.mount.work import Work

AWAY = StoreUnreachable("store", "key", "cable cut")
REFRESH_S = 60.0


class Bench:
    """Views of words, a store of one word that may fail or hang, and what changes were told."""

    def __init__(self, nursery: trio.Nursery, clock: MockClock) -> None:
        self.clock = clock
        self.answer: str | DatomfsError = "one"
        self.answering = trio.Event()
        self.answering.set()
        self.kept: Kept[str] | None = None
        self.reads = 0
        self.told: list[tuple[str, str, str]] = []
        self.views: Views[str, str] = Views(
            Work(nursery, stall_s=30.0),
            refresh_s=REFRESH_S,
            limit=3,
            on_change=lambda key, before, after: self.told.append((key, before, after)),
        )

    async def get(self, key: str = "key") -> str:
        return await self.views.get(key, self._read, "a word", recall=self._recall)

    async def _read(self) -> str:
        self.reads += 1
        await self.answering.wait()
        if isinstance(self.answer, DatomfsError):
            raise self.answer
        return self.answer

    async def _recall(self) -> Kept[str] | None:
        return self.kept


def run(test: Callable[[Bench], Awaitable[None]]) -> None:
    clock = MockClock()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await test(Bench(nursery, clock))
            nursery.cancel_scope.cancel()

    trio.run(main, clock=clock)


def test_a_change_is_told_once_and_what_stays_is_not() -> None:
    async def test(bench: Bench) -> None:
        assert "one" == await bench.get()
        for word in ("one", "two", "two"):
            bench.answer = word
            bench.views.expire("key")
            assert word == await bench.get()
        assert [("key", "one", "two")] == bench.told

    run(test)


def test_of_many_keys_those_looked_at_last_are_known() -> None:
    async def test(bench: Bench) -> None:
        for key in "abacda":
            await bench.get(key)
        assert (["a", "c", "d"], 4) == (sorted(bench.views.keys), bench.reads)

    run(test)


@pytest.mark.parametrize("error", [RefForbidden("P", "/etc", "ref.json"), DocumentInvalid("ref.json", "broken")])
def test_what_says_that_nothing_is_away_is_an_error_though_an_older_view_is_known(error: DatomfsError) -> None:
    async def test(bench: Bench) -> None:
        await bench.get()
        bench.answer = error
        bench.clock.jump(REFRESH_S)
        with pytest.raises(type(error)):
            await bench.get()
        bench.answer = "mended"
        assert "mended" == await bench.get()

    run(test)


# -- what an earlier mount kept ------------------------------------------------------------------------------------


def test_a_store_that_answers_is_believed_and_what_was_kept_is_not() -> None:
    async def test(bench: Bench) -> None:
        bench.kept = Kept("kept", 7)
        assert "one" == await bench.get()
        known = bench.views.find("key")
        assert known is not None
        assert (0.0, False) == (known.read_s, known.away)
        assert [] == bench.told

    run(test)


@pytest.mark.expected_warnings
def test_while_a_store_is_away_what_was_kept_is_served_with_its_age(caplog: pytest.LogCaptureFixture) -> None:
    async def test(bench: Bench) -> None:
        bench.answer = AWAY
        bench.kept = Kept("kept", time.time_ns() - 3600 * 10**9)
        for _ in range(3):
            assert "kept" == await bench.get()
            bench.clock.jump(1)
        known = bench.views.find("key")
        assert known is not None
        assert -3660 < known.read_s < -3590
        assert known.away
        (message,) = caplog.messages
        assert message.startswith("a word is served as it was 36")
        bench.answer = "back"
        bench.clock.jump(5)
        assert "back" == await bench.get()
        assert [("key", "kept", "back")] == bench.told

    run(test)


@pytest.mark.expected_warnings
def test_a_store_that_hangs_is_waited_for_for_seconds_and_its_answer_comes_in_when_it_comes() -> None:
    async def test(bench: Bench) -> None:
        bench.answering = trio.Event()
        bench.kept = Kept("kept", 7)
        answers: list[str] = []

        async def ask() -> None:
            answers.append(await bench.get())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            bench.clock.jump(2.9)
            await wait_all_tasks_blocked()
            assert [] == answers
            bench.clock.jump(0.1)
        assert ["kept"] == answers
        bench.answering.set()
        await wait_all_tasks_blocked()
        assert "one" == await bench.get()
        assert 1 == bench.reads

    run(test)


def test_what_was_read_while_somebody_looked_for_what_was_kept_is_not_read_again() -> None:
    async def test(bench: Bench) -> None:
        looked = trio.Event()

        async def look() -> Kept[str] | None:
            await looked.wait()
            return Kept("kept", 7)

        async with trio.open_nursery() as nursery:
            answers: list[str] = []

            async def ask() -> None:
                answers.append(await bench.views.get("key", bench._read, "a word", recall=look))

            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            assert "one" == await bench.get()
            looked.set()
        assert (["one"], 1) == (answers, bench.reads)

    run(test)


def test_where_nothing_was_kept_the_error_is_told() -> None:
    async def test(bench: Bench) -> None:
        bench.answer = AWAY
        with pytest.raises(StoreUnreachable):
            await bench.get()
        assert bench.views.find("key") is None

    run(test)
