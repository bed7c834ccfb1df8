"""What the tests of fetching get: a store that can fail, and fetchers whose pauses take no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from datomfs.cache.fetch import Fetcher
from tests.cache.faulty import DEADLINE_S, Clock, FaultyStore


@pytest.fixture
def faulty_store() -> FaultyStore:
    return FaultyStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_fetcher(faulty_store: FaultyStore, clock: Clock) -> Iterator[Callable[..., Fetcher]]:
    """Makes fetchers, which are stopped at the end."""
    made: list[Fetcher] = []

    def make(connections: int = 4) -> Fetcher:
        made.append(
            Fetcher(
                faulty_store,
                deadline_s=DEADLINE_S,
                connections=connections,
                clock=clock,
                pause=lambda s: clock.pause(s),
            )
        )
        return made[-1]

    yield make
    for fetcher in made:
        fetcher.stop()
