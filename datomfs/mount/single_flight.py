"""One run of a piece of work, however many ask for it at once, and for as long as it gets on.

The work belongs to the mount's nursery, not to whoever asked first: a request that has waited too long without seeing
any progress goes away and the work goes on behind it, so that a retry finds it done or under way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar, cast

import trio

V = TypeVar("V")


class Progress:
    """How far a piece of work has got, counted in steps of its own. Reported from any thread, read in trio's."""

    def __init__(self) -> None:
        self.step_count = 0

    def report(self) -> None:
        """The work got further."""
        self.step_count += 1


class _Flight(Generic[V]):
    """A run under way and how many wait for it; once `done`, it holds a value or an error."""

    def __init__(self, settle: Callable[[V], object]) -> None:
        self.done = trio.Event()
        self.waiters = 0
        self.progress = Progress()
        self.value: V | None = None
        self.error: Exception | None = None
        self._settle = settle

    def settle_if_over(self) -> None:
        """The run is done, and everybody who waited for it has gone: its hold on the result ends."""
        if self.done.is_set() and not self.waiters and self.error is None:
            self._settle(cast("V", self.value))


class SingleFlight:
    """Work by key. All methods run in the trio thread; between two awaits nothing else does."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._flights: dict[Hashable, _Flight[Any]] = {}

    async def do(
        self,
        key: Hashable,
        work: Callable[[Progress], Awaitable[V]],
        *,
        stall_s: float,
        claim: Callable[[V], object] = lambda value: None,
        settle: Callable[[V], object] = lambda value: None,
    ) -> V:
        """The result of `work`, or of the run of the same key that is under way; its exception is raised for all.

        Raises trio.TooSlowError when this caller has waited `stall_s` seconds in which the work reported no progress.
        `claim` gets the result for each who waited for it, `settle` once after all of them, also where nobody did: a
        result that has to be given back is held by the run until everybody has taken hold of it.
        """
        flight: _Flight[V] | None = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(settle)
            self._nursery.start_soon(self._run, key, flight, work)
        flight.waiters += 1
        try:
            while not flight.done.is_set():
                seen = flight.progress.step_count
                with trio.move_on_after(stall_s):
                    await flight.done.wait()
                if not flight.done.is_set() and flight.progress.step_count == seen:
                    raise trio.TooSlowError
            if flight.error is not None:
                raise flight.error
            value = cast("V", flight.value)
            claim(value)
            return value
        finally:
            flight.waiters -= 1
            flight.settle_if_over()

    async def _run(self, key: Hashable, flight: _Flight[V], work: Callable[[Progress], Awaitable[V]]) -> None:
        try:
            flight.value = await work(flight.progress)
        except Exception as error:
            flight.error = error
        # Before the waiters wake: whoever asks from now on starts anew. A cancelled run wakes nobody: its waiters live
        # in the same mount and are cancelled with it.
        del self._flights[key]
        flight.done.set()
        flight.settle_if_over()
