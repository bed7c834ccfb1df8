"""Bringing ranges: again from where it broke, and nobody is left waiting."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from datomfs.cache.block_file import PIECE
from datomfs.cache.fetch import Fetcher, Urgency
from datomfs.errors import DatomfsError, ObjectChanged, ObjectMissing, StoreDenied, StoreUnreachable
from tests.cache.faulty import BODY, DEADLINE_S, Clock, FaultyStore, Receiver, bring
from tests.cache.stores import KEY

UNREACHABLE = StoreUnreachable("memory:faulty", KEY, "no answer")


def test_a_range_comes_in_pieces_the_first_one_small(
    make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore
) -> None:
    receiver = bring(make_fetcher(), faulty_store)
    assert BODY == receiver.body
    assert [(len(BODY), None)] == receiver.ends
    assert 256 << 10 == len(receiver.pieces[0][1])
    assert PIECE == max(len(piece) for _, piece in receiver.pieces)


def test_what_breaks_off_goes_on_from_where_it_broke(
    make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore, clock: Clock
) -> None:
    faulty_store.faults = [UNREACHABLE, 1_000_000, UNREACHABLE, 7, 0]
    receiver = bring(make_fetcher(), faulty_store, 100)
    assert BODY[100:] == receiver.body
    assert [100, 100, 1_000_100, 1_000_100, 1_000_107, 1_000_107] == [start for start, _ in faulty_store.asked]
    assert {len(BODY)} == {start + length for start, length in faulty_store.asked}


def test_pauses_grow_and_begin_anew_when_something_came(
    make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore, clock: Clock
) -> None:
    faulty_store.faults = [UNREACHABLE, UNREACHABLE, UNREACHABLE, 5, UNREACHABLE]
    bring(make_fetcher(), faulty_store)
    for planned, made in zip([0.1, 0.2, 0.4, 0.1, 0.2], clock.pauses, strict=True):
        assert planned / 2 <= made <= planned * 1.5


def test_nothing_for_the_deadline_is_the_end_and_the_last_reason_is_told(
    make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore, clock: Clock
) -> None:
    faulty_store.faults = [UNREACHABLE] * 1000
    receiver = bring(make_fetcher(), faulty_store)
    assert [(0, UNREACHABLE)] == receiver.ends
    assert DEADLINE_S / 2 < clock.now_s <= DEADLINE_S + 5
    assert max(clock.pauses) <= 7.5


def test_a_job_that_gets_on_may_take_longer_than_the_deadline(
    make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore, clock: Clock
) -> None:
    faulty_store.faults = [fault for _ in range(100) for fault in (*[UNREACHABLE] * 5, 10)]
    receiver = bring(make_fetcher(), faulty_store)
    assert BODY == receiver.body
    assert clock.now_s > 2 * DEADLINE_S


@pytest.mark.parametrize(
    "error",
    [StoreDenied("memory:faulty", KEY, "no"), ObjectMissing("memory:faulty", KEY), ObjectChanged("memory:faulty", KEY)],
    ids=lambda error: type(error).__name__,
)
def test_what_fails_for_good_fails_at_once(
    make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore, clock: Clock, error: DatomfsError
) -> None:
    faulty_store.faults = [3 * PIECE, error]
    receiver = bring(make_fetcher(), faulty_store)
    assert [(3 * PIECE, error)] == receiver.ends
    assert BODY[: 3 * PIECE] == receiver.body
    assert 1 == len(clock.pauses)


def test_bytes_of_another_object_are_not_taken(make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore) -> None:
    receiver = Receiver(faulty_store.info.etag)
    faulty_store.put(KEY, BODY[::-1])
    make_fetcher().submit(KEY, 0, 10, receiver, Urgency.DEMANDED)
    assert receiver.over.wait(30)
    assert [0] == [position for position, _ in receiver.ends]
    assert isinstance(receiver.ends[0][1], ObjectChanged)
    assert [] == receiver.pieces


def test_a_server_that_dribbles_is_asked_again_for_the_rest_three_times_within_the_deadline(
    make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore, clock: Clock
) -> None:
    def dribble(wanted: int) -> int:
        clock.now_s += 1
        return 1000

    faulty_store.step = dribble
    receiver = bring(make_fetcher(), faulty_store, 0, 100_000)
    assert BODY[:100_000] == receiver.body
    assert 10 * [10_000] == [len(piece) for _, piece in receiver.pieces]
    assert [(start, 100_000 - start) for start in range(0, 100_000, 10_000)] == faulty_store.asked


@pytest.mark.expected_warnings
def test_a_fault_of_ours_leaves_nobody_waiting(make_fetcher: Callable[..., Fetcher], faulty_store: FaultyStore) -> None:
    def fail(wanted: int) -> int:
        raise RuntimeError("a fault of ours")

    faulty_store.step = fail
    assert isinstance(bring(make_fetcher(), faulty_store).ends[0][1], StoreUnreachable)
    faulty_store.step = lambda wanted: wanted
    receiver = Receiver(faulty_store.info.etag)
    receiver.begin = fail
    fetcher = make_fetcher(1)
    fetcher.submit(KEY, 0, 10, receiver, Urgency.DEMANDED)
    assert receiver.over.wait(30)
    assert isinstance(receiver.ends[0][1], StoreUnreachable)
    assert BODY == bring(fetcher, faulty_store).body
