"""One run for many, and work that goes on behind whoever gave up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from datomfs.mount.single_flight import Progress, SingleFlight

STALL_S = 30.0


class Work:
    """A piece of work that a test ends when it likes. Counts its runs."""

    def __init__(self) -> None:
        self.runs = 0
        self.finish = trio.Event()
        self.result: str | Exception = "done"
        self.progress = Progress()

    async def __call__(self, progress: Progress) -> str:
        self.runs += 1
        self.progress = progress
        await self.finish.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def run(test: Callable[[SingleFlight, Work, MockClock], Awaitable[None]]) -> None:
    """A test with a flight board, a piece of work and a clock that stands still."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await test(SingleFlight(nursery), Work(), clock)
            nursery.cancel_scope.cancel()

    clock = MockClock()
    trio.run(main, clock=clock)


async def ask(flights: SingleFlight, work: Work, answers: list[object], key: str = "key") -> None:
    """What a caller gets: a result, or an error."""
    try:
        answers.append(await flights.do(key, work, stall_s=STALL_S))
    except Exception as error:
        answers.append(error)


def test_one_run_serves_all_who_ask_meanwhile() -> None:
    async def test(flights: SingleFlight, work: Work, clock: MockClock) -> None:
        answers: list[object] = []
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(ask, flights, work, answers)
            await wait_all_tasks_blocked()
            work.finish.set()
        assert (1, ["done"] * 10) == (work.runs, answers)

    run(test)


def test_different_keys_run_on_their_own() -> None:
    async def test(flights: SingleFlight, work: Work, clock: MockClock) -> None:
        work.finish.set()
        async with trio.open_nursery() as nursery:
            for key in ("a", "b"):
                nursery.start_soon(ask, flights, work, [], key)
        assert 2 == work.runs

    run(test)


def test_whoever_asks_later_gets_a_run_of_his_own() -> None:
    async def test(flights: SingleFlight, work: Work, clock: MockClock) -> None:
        work.finish.set()
        await flights.do("key", work, stall_s=STALL_S)
        await flights.do("key", work, stall_s=STALL_S)
        assert 2 == work.runs

    run(test)


def test_an_error_reaches_all_and_is_not_kept() -> None:
    async def test(flights: SingleFlight, work: Work, clock: MockClock) -> None:
        answers: list[object] = []
        work.result = error = ValueError("no")
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask, flights, work, answers)
            await wait_all_tasks_blocked()
            work.finish.set()
        assert [error] * 3 == answers
        work.result = "done"
        assert "done" == await flights.do("key", work, stall_s=STALL_S)

    run(test)


def test_who_waited_too_long_goes_away_and_a_retry_joins_the_work() -> None:
    async def test(flights: SingleFlight, work: Work, clock: MockClock) -> None:
        answers: list[object] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, flights, work, answers)
            await wait_all_tasks_blocked()
            clock.jump(STALL_S)
        assert [trio.TooSlowError] == [type(answer) for answer in answers]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, flights, work, answers)
            await wait_all_tasks_blocked()
            work.finish.set()
        assert (1, "done") == (work.runs, answers[1])

    run(test)


def test_each_waits_as_long_as_he_wants() -> None:
    async def test(flights: SingleFlight, work: Work, clock: MockClock) -> None:
        answers: list[object] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, flights, work, answers)
            await wait_all_tasks_blocked()
            clock.jump(STALL_S - 1)
            nursery.start_soon(ask, flights, work, answers)
            await wait_all_tasks_blocked()
            clock.jump(1)
            await wait_all_tasks_blocked()
            assert [trio.TooSlowError] == [type(answer) for answer in answers]
            work.finish.set()
        assert "done" == answers[1]

    run(test)


def test_work_that_gets_on_may_take_its_time() -> None:
    async def test(flights: SingleFlight, work: Work, clock: MockClock) -> None:
        answers: list[object] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, flights, work, answers)
            for _ in range(5):
                await wait_all_tasks_blocked()
                work.progress.report()
                clock.jump(STALL_S)
            await wait_all_tasks_blocked()
            assert [] == answers
            clock.jump(STALL_S)
        assert [trio.TooSlowError] == [type(answer) for answer in answers]

    run(test)


@pytest.mark.parametrize("waiters", [0, 1, 3])
def test_a_result_is_given_back_once_after_all_who_waited_have_taken_hold_of_it(waiters: int) -> None:
    seen: list[str] = []

    async def test(flights: SingleFlight, work: Work, clock: MockClock) -> None:
        def claim(value: object) -> None:
            seen.append("claimed")

        def settle(value: object) -> None:
            seen.append("settled")

        async def ask_for_it(patience_s: float) -> None:
            with trio.move_on_after(patience_s):
                await flights.do("key", work, stall_s=STALL_S, claim=claim, settle=settle)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_for_it, 1)
            await wait_all_tasks_blocked()
            for _ in range(waiters):
                nursery.start_soon(ask_for_it, 2)
            await wait_all_tasks_blocked()
            clock.jump(1)
            await wait_all_tasks_blocked()
            work.finish.set()
        await wait_all_tasks_blocked()

    run(test)
    assert ["claimed"] * waiters + ["settled"] == seen


def test_an_error_that_nobody_waited_for_harms_nobody() -> None:
    seen: list[object] = []

    async def test(flights: SingleFlight, work: Work, clock: MockClock) -> None:
        work.result = ValueError("no")
        with trio.move_on_after(0):
            await flights.do("key", work, stall_s=STALL_S, claim=seen.append, settle=seen.append)
        work.finish.set()
        await wait_all_tasks_blocked()

    run(test)
    assert [] == seen
