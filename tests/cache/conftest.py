"""What tests of the cache get: readers as of several daemons, and fetchers whose pauses take no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from datomfs.cache.fetch import Fetcher
from datomfs.cache.reader import PayloadReader
from tests.cache.faulty import DEADLINE_S, Clock, FaultyStore
from tests.cache.stores import make_reader


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


@pytest.fixture
def make_readers(tmp_path: Path) -> Iterator[Callable[..., PayloadReader]]:
    """Makes readers over one cache, each as a daemon of its own would have it."""
    readers: list[PayloadReader] = []

    def make(**options: Any) -> PayloadReader:
        readers.append(make_reader(tmp_path / "cache", **options))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()
