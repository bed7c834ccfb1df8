"""Which range comes first, over how many connections, and what happens to those that wait when all ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from datomfs.cache.fetch import Fetcher, Urgency
from datomfs.errors import StoreUnreachable
from tests.cache.faulty import BODY, Clock, FaultyStore, Receiver, bring
from tests.cache.stores import KEY

AHEAD, DEMANDED = Urgency.AHEAD, Urgency.DEMANDED


@contextmanager
def held(fetcher: Fetcher, faulty_store: FaultyStore, receiver: Receiver) -> Iterator[None]:
    """With the only connection busy on the range at 0: what is submitted meanwhile waits."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(start: int) -> None:
        if start == 0:
            begun.set()
            assert go_on.wait(30)

    faulty_store.wait = wait
    fetcher.submit(KEY, 0, 1, receiver, DEMANDED)
    assert begun.wait(30)
    yield
    go_on.set()
    assert receiver.over.wait(30)


def test_what_somebody_waits_for_comes_before_what_nobody_does(
    make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore
) -> None:
    fetcher, receiver = make_fetcher(1), Receiver(faulty_store.info.etag, expected=5)
    with held(fetcher, faulty_store, receiver):
        for start, urgency in ((1, AHEAD), (2, DEMANDED), (3, AHEAD), (4, DEMANDED)):
            fetcher.submit(KEY, start, start + 1, receiver, urgency)
    assert [0, 2, 4, 1, 3] == receiver.begun


def test_hurried_jobs_take_their_place_among_those_that_are_waited_for(
    make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore
) -> None:
    fetcher, receiver = make_fetcher(1), Receiver(faulty_store.info.etag, expected=5)
    with held(fetcher, faulty_store, receiver):
        jobs = [fetcher.submit(KEY, start, start + 1, receiver, AHEAD) for start in (1, 2, 3)]
        fetcher.submit(KEY, 4, 5, receiver, DEMANDED)
        fetcher.hurry(jobs[1])
        fetcher.hurry(jobs[1])
    assert [0, 2, 4, 1, 3] == receiver.begun
    fetcher.hurry(jobs[0])
    assert AHEAD is jobs[0].urgency


def test_what_has_not_begun_can_be_withdrawn_once(
    make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore
) -> None:
    fetcher, receiver = make_fetcher(1), Receiver(faulty_store.info.etag, expected=3)
    with held(fetcher, faulty_store, receiver):
        jobs = [fetcher.submit(KEY, start, start + 1, receiver, AHEAD) for start in (1, 2, 3)]
        assert [True, False] == [fetcher.withdraw(jobs[1]) for _ in range(2)]
    assert [0, 1, 3] == receiver.begun
    assert not fetcher.withdraw(jobs[0])


def test_many_ranges_come_side_by_side_also_after_one_came_alone(
    make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore
) -> None:
    """The thread that brought the first one is idle, and must not bring all the others one after another."""
    fetcher = make_fetcher(4)
    bring(fetcher, faulty_store, 0, 1)
    together = threading.Barrier(4)
    faulty_store.wait = lambda start: together.wait(30)
    receiver = Receiver(faulty_store.info.etag, expected=4)
    for start in range(4):
        fetcher.submit(KEY, start, start + 1, receiver, DEMANDED)
    assert receiver.over.wait(30)
    assert [None] * 4 == [error for _, error in receiver.ends]


def test_no_more_connections_are_used_than_there_may_be(
    make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore
) -> None:
    fetcher, receiver = make_fetcher(2), Receiver(faulty_store.info.etag, expected=20)
    lock, counts = threading.Lock(), [0]

    def count(start: int) -> None:
        with lock:
            counts.append(counts[-1] + 1)

    def piece() -> None:
        with lock:
            counts.append(counts[-1] - 1)

    faulty_store.wait, receiver.on_piece = count, piece
    for start in range(20):
        fetcher.submit(KEY, start, start + 1, receiver, DEMANDED)
    assert receiver.over.wait(30)
    assert max(counts) <= 2


def test_stopping_tells_everybody_who_waits(make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore) -> None:
    fetcher, receiver = make_fetcher(1), Receiver(faulty_store.info.etag, expected=4)
    with held(fetcher, faulty_store, receiver):
        for start in (1, 2, 3):
            fetcher.submit(KEY, start, start + 1, receiver, AHEAD)
        fetcher.stop()
    assert [(1, None)] == [end for end in receiver.ends if end[1] is None]
    assert [1, 2, 3] == sorted(position for position, error in receiver.ends if isinstance(error, StoreUnreachable))
    assert [0] == receiver.begun


def test_after_stopping_nothing_is_asked_for(make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore) -> None:
    fetcher = make_fetcher(1)
    fetcher.stop()
    receiver = bring(fetcher, faulty_store)
    assert isinstance(receiver.ends[0][1], StoreUnreachable)
    assert [] == faulty_store.asked


def test_stopping_gives_up_what_waits_to_be_tried_again(faulty_store: FaultyStore) -> None:
    """This one pauses for real, and is woken."""
    clock, paused = Clock(), threading.Event()
    faulty_store.faults = [StoreUnreachable(faulty_store.url, KEY, "no answer")] * 3
    fetcher = Fetcher(faulty_store, deadline_s=3600, connections=1, clock=clock)
    wait = fetcher._pause

    def pause(seconds: float) -> None:
        paused.set()
        wait(seconds * 3600)

    fetcher._pause = pause
    receiver = Receiver(faulty_store.info.etag)
    fetcher.submit(KEY, 0, len(BODY), receiver, DEMANDED)
    assert paused.wait(30)
    fetcher.stop()
    assert receiver.over.wait(30)
    assert 1 == len(faulty_store.asked)


@pytest.mark.parametrize("connections", [1, 3])
def test_idle_threads_end_and_new_ones_begin(
    make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore, monkeypatch: pytest.MonkeyPatch, connections: int
) -> None:
    monkeypatch.setattr("datomfs.cache.fetch._IDLE_S", 0.0)
    fetcher = make_fetcher(connections)
    for _ in range(20):
        assert BODY[:10] == bring(fetcher, faulty_store, 0, 10).body
