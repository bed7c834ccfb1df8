"""One payload and all who read it: each range comes once, nobody waits for nothing, nothing is used after its end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from datomfs.cache.block_file import BlockFile
from datomfs.cache.extents import Range
from datomfs.cache.fetch import Urgency
from datomfs.cache.reader import PayloadReader
from datomfs.cache.remote import RemotePayload
from datomfs.cache.standing import Verified
from datomfs.errors import StoreDenied, StoreUnreachable
from tests.cache.stores import KEY, RemoteStore, attest, make_reader, nothing, open_now, put, recorded, settle, sha256

MIB = 1 << 20
BODY = os.urandom(5 * MIB + 3)


@pytest.fixture
def store() -> RemoteStore:
    return RemoteStore()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[PayloadReader]:
    with closing(make_reader(tmp_path)) as made:
        yield made


@pytest.fixture
def payload(reader: PayloadReader, store: RemoteStore) -> RemotePayload:
    """An attested payload, to be closed by the test."""
    opened = open_now(reader, store, attest(store, BODY), recorded(BODY))
    assert isinstance(opened, RemotePayload)
    return opened


@pytest.fixture
def submitted(reader: PayloadReader) -> threading.Event:
    """Set when a complete object is about to be hashed."""
    event, submit = threading.Event(), reader._prover.submit

    def tell(work: Callable[..., None]) -> None:
        submit(work)
        event.set()

    reader._prover.submit = tell
    return event


def in_time(work: Callable[[], bytes]) -> bytes:
    """What somebody gets who must not wait for good."""
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(bytes(work())), daemon=True)
    thread.start()
    thread.join(30)
    return found[0]


def test_many_readers_fetch_each_byte_once(payload: RemotePayload, store: RemoteStore) -> None:
    store.ranges.clear()
    together = threading.Barrier(8)

    def work(_: int) -> bytes:
        together.wait(30)
        parts = range(0, len(BODY), 128 << 10)
        return b"".join(
            bytes(payload.read_nowait(at, 128 << 10) or payload.read(at, 128 << 10, nothing)) for at in parts
        )

    with ThreadPoolExecutor(8) as pool:
        assert [BODY] * 8 == list(pool.map(work, range(8)))
    assert sum(length for _, length in store.ranges) <= len(BODY)
    payload.close()


def test_opening_a_payload_again_shares_it(payload: RemotePayload, reader: PayloadReader, store: RemoteStore) -> None:
    (info,) = store.list()
    assert payload is open_now(reader, store, info, recorded(BODY))
    payload.close()
    assert BODY[:9] == payload.read(0, 9, nothing)
    payload.close()
    again = open_now(reader, store, info, recorded(BODY))
    assert payload is not again
    again.close()


def test_a_payload_whose_files_are_closed_is_used_by_nobody(payload: RemotePayload) -> None:
    assert payload.acquire()
    payload.close()
    payload.close()
    assert not payload.acquire()


@pytest.mark.expected_warnings
def test_a_damaged_piece_over_a_good_one_is_not_waited_for(
    reader: PayloadReader, store: RemoteStore, tmp_path: Path
) -> None:
    """Two processes brought the same bytes in other pieces, and what the first one wrote was bad."""
    info = attest(store, BODY)
    place = tmp_path / "partial" / str(os.geteuid()) / sha256(BODY)
    place.parent.mkdir(parents=True)
    with closing(BlockFile(place, len(BODY))) as file:
        file.write(0, memoryview(BODY[::-1])[:500])
        file.write(0, memoryview(BODY)[: 64 << 10])
    opened = open_now(reader, store, info, recorded(BODY))
    assert BODY[:400] == in_time(lambda: opened.read(0, 400, nothing))
    opened.close()


def test_what_becomes_complete_after_its_last_reader_is_hashed_and_kept(
    payload: RemotePayload, reader: PayloadReader, store: RemoteStore, tmp_path: Path, submitted: threading.Event
) -> None:
    payload.fetch(0, 2 * MIB, nothing)
    payload.fetch(3 * MIB, len(BODY), nothing)
    asked, go_on = threading.Event(), threading.Event()
    store.ask = lambda start: asked.set() or go_on.wait(30)
    payload.bring([Range(2 * MIB, 3 * MIB)], Urgency.AHEAD)
    assert asked.wait(30)
    payload.close()
    go_on.set()
    assert submitted.wait(30)
    settle(reader)
    assert BODY == (tmp_path / "objects" / sha256(BODY)[:2] / sha256(BODY)).read_bytes()
    assert not payload.acquire()


def test_bytes_that_come_while_the_gate_closes_are_not_given(payload: RemotePayload) -> None:
    assert BODY[:9] == payload.read(0, 9, nothing)
    real = payload.blocks.read_nowait

    def read_and_close_the_gate(start: int, end: int) -> object:
        payload.is_open = False
        return real(start, end)

    payload.blocks.read_nowait = read_and_close_the_gate
    assert payload.read_nowait(0, 9) is None
    payload.close()


def test_a_denial_while_open_is_unreachable(payload: RemotePayload, store: RemoteStore) -> None:
    def deny(start: int) -> None:
        raise StoreDenied(store.url, KEY, "expired")

    store.ask = deny
    with pytest.raises(StoreUnreachable):
        payload.read(4 * MIB, 9, nothing)
    store.ask = lambda start: None
    assert BODY[4 * MIB : 4 * MIB + 9] == payload.read(4 * MIB, 9, nothing)
    payload.close()


def test_readers_are_told_when_all_ends(payload: RemotePayload, reader: PayloadReader, store: RemoteStore) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def wait(start: int) -> None:
        asked.set()
        go_on.wait(30)
        raise StoreUnreachable(store.url, KEY, "away")

    store.ask = wait
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(payload.read, 4 * MIB, 9, nothing)
        assert asked.wait(30)
        for fetcher in reader._fetchers.values():
            fetcher.stop()
        go_on.set()
        with pytest.raises(StoreUnreachable):
            waiting.result(30)
    payload.close()


def test_a_reader_that_fails_to_prove_a_complete_copy_leaves_nothing_open(
    store: RemoteStore, tmp_path: Path, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    """A piece of a copy that was not proven yet has rotted, and the store is away."""
    request.applymarker(pytest.mark.expected_warnings)
    info = attest(store, BODY)
    place = tmp_path / "partial" / str(os.geteuid()) / sha256(BODY)
    place.parent.mkdir(parents=True)
    with closing(BlockFile(place, len(BODY))) as file:
        for start in range(0, len(BODY), MIB):
            file.write(start, memoryview(BODY)[start : start + MIB])
    with place.open("r+b") as damaged:
        damaged.write(bytes([BODY[0] ^ 1]))
    before = set(os.listdir("/proc/self/fd"))
    with closing(make_reader(tmp_path)) as reader:
        store.delete(KEY)
        with pytest.raises(Exception, match=KEY):
            open_now(reader, store, info, recorded(BODY))
    assert before == set(os.listdir("/proc/self/fd"))


def test_unattested_bytes_in_place_of_rotten_ones_are_hashed_first(
    reader: PayloadReader, store: RemoteStore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.applymarker(pytest.mark.expected_warnings)
    info = put(store, BODY)
    opened = open_now(reader, store, info, recorded(BODY))
    assert Verified.FULL == opened.verified
    copy = tmp_path / "objects" / sha256(BODY)[:2] / sha256(BODY)
    with copy.open("r+b") as damaged:
        damaged.write(bytes([BODY[0] ^ 1]))
    store.answer = lambda start, data: data[::-1]
    with pytest.raises(Exception, match="expected sha256"):
        opened.read(0, 10, nothing)
    assert opened.read_nowait(0, 10) is None
    opened.close()
