"""When bytes are served: attested at once, unattested when hashed, deferred before, and what is said of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from datomfs.cache.proof import Recorded
from datomfs.cache.proving import Verify
from datomfs.cache.reader import PayloadReader
from datomfs.cache.standing import Verified
from datomfs.errors import PayloadMismatch
from datomfs.store.base import ObjectInfo
from tests.cache.stores import RemoteStore, attest, make_reader, nothing, open_now, put, recorded, settle, sha256

MIB = 1 << 20
BODY = os.urandom(5 * MIB + 3)
OTHER = BODY[:-1] + bytes([BODY[-1] ^ 1])
NOWHERE = Recorded(None, sha256(b"the values"))


@pytest.fixture
def store() -> RemoteStore:
    return RemoteStore()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[PayloadReader]:
    with closing(make_reader(tmp_path / "cache")) as made:
        yield made


@pytest.fixture
def deferring(tmp_path: Path) -> Iterator[PayloadReader]:
    with closing(make_reader(tmp_path / "cache", verify=Verify.DEFERRED)) as made:
        yield made


def fetched(store: RemoteStore) -> int:
    """How many bytes were asked for."""
    return sum(length for _, length in store.ranges)


# -- strict --------------------------------------------------------------------------------------------------------


def test_an_attested_object_is_streamed(reader: PayloadReader, store: RemoteStore) -> None:
    with closing(open_now(reader, store, attest(store, BODY), recorded(BODY))) as payload:
        assert BODY[2 * MIB : 2 * MIB + 9] == payload.read(2 * MIB, 9, nothing)
        assert Verified.ATTESTED == payload.verified
        assert fetched(store) < MIB


def test_what_a_store_attested_is_known_after_the_last_reader_has_gone(
    reader: PayloadReader, store: RemoteStore
) -> None:
    info = attest(store, BODY)
    assert Verified.PENDING == reader.standing(store, info, recorded(BODY))[0]
    with closing(open_now(reader, store, info, recorded(BODY))) as payload:
        payload.read(2 * MIB, 9, nothing)
    verified, cached = reader.standing(store, info, recorded(BODY))
    assert (Verified.ATTESTED, True) == (verified, 0 < cached < len(BODY))
    assert Verified.PENDING == reader.standing(store, replace(info, etag="another"), recorded(BODY))[0]
    assert Verified.PENDING == reader.standing(store, info, recorded(OTHER))[0]


def test_an_attested_object_is_hashed_when_it_is_complete(reader: PayloadReader, store: RemoteStore) -> None:
    info = attest(store, BODY)
    with closing(open_now(reader, store, info, recorded(BODY))) as payload:
        assert BODY == payload.read(0, len(BODY), nothing)
        settle(reader)
        assert (Verified.FULL, len(BODY)) == (payload.verified, payload.cached)
    assert (Verified.FULL, len(BODY)) == reader.standing(store, info, recorded(BODY))


def test_an_object_that_the_store_attests_otherwise_is_refused_before_a_byte_comes(
    reader: PayloadReader, store: RemoteStore
) -> None:
    info = attest(store, OTHER)
    with pytest.raises(PayloadMismatch) as caught:
        open_now(reader, store, info, recorded(BODY))
    assert (sha256(BODY), sha256(OTHER)) == (caught.value.expected, caught.value.actual)
    assert Verified.FAILED == reader.standing(store, info, recorded(BODY))[0]


def test_bytes_that_are_not_those_the_store_attests_are_noticed_when_they_are_complete(
    reader: PayloadReader, store: RemoteStore, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    request.applymarker(pytest.mark.expected_warnings)
    store.answer = lambda start, data: data[:-1] + bytes([data[-1] ^ 1])
    with closing(open_now(reader, store, attest(store, BODY), recorded(BODY))) as payload:
        payload.read(0, len(BODY), nothing)
        settle(reader)
        assert Verified.FAILED == payload.verified
        with pytest.raises(PayloadMismatch):
            payload.read(0, 10, nothing)
        assert payload.read_nowait(0, 10) is None
    assert sha256(BODY) in caplog.text


def test_an_unattested_object_is_hashed_before_its_first_byte_is_served(
    reader: PayloadReader, store: RemoteStore
) -> None:
    info = put(store, BODY)
    with closing(open_now(reader, store, info, recorded(BODY))) as payload:
        assert (Verified.FULL, len(BODY)) == (payload.verified, payload.cached)
        assert fetched(store) >= len(BODY)
        store.delete(info.key)
        assert BODY == payload.read(0, len(BODY), nothing)


def test_an_unattested_object_of_other_bytes_is_never_served(reader: PayloadReader, store: RemoteStore) -> None:
    info = put(store, OTHER)
    for _ in range(2):
        with pytest.raises(PayloadMismatch):
            open_now(reader, store, info, recorded(BODY))
    assert Verified.FAILED == reader.standing(store, info, recorded(BODY))[0]


def test_a_grid_of_other_bytes_is_not_used_for_the_right_ones(reader: PayloadReader, store: RemoteStore) -> None:
    with pytest.raises(PayloadMismatch):
        open_now(reader, store, put(store, BODY + bytes(9 * MIB)), recorded(BODY))
    with closing(open_now(reader, store, attest(store, BODY), recorded(BODY))) as payload:
        assert BODY == payload.read(0, len(BODY), nothing)


def test_without_a_disk_an_unattested_object_is_read_again_as_it_was_hashed(tmp_path: Path, store: RemoteStore) -> None:
    with (
        closing(make_reader(tmp_path, quota=0, memory=2 * MIB)) as reader,
        closing(open_now(reader, store, put(store, BODY), recorded(BODY))) as payload,
    ):
        assert Verified.FULL == payload.verified
        assert BODY == b"".join(payload.read(start, 128 << 10, nothing) for start in range(0, len(BODY), 128 << 10))


@pytest.mark.parametrize("memory", [2 * MIB, 8 * MIB, 64 * MIB])
@pytest.mark.parametrize("put_there", [attest, put])
def test_without_a_disk_nothing_is_fetched_that_memory_cannot_keep_until_it_is_read(
    tmp_path: Path, store: RemoteStore, put_there: Callable[..., ObjectInfo], memory: int
) -> None:
    body = os.urandom(20 * MIB)
    with (
        closing(make_reader(tmp_path, quota=0, memory=memory)) as reader,
        closing(open_now(reader, store, put_there(store, body), recorded(body))) as payload,
    ):
        for start in range(0, len(body), 128 << 10):
            payload.read_nowait(start, 128 << 10) or payload.read(start, 128 << 10, nothing)
    hashed_before = 0 if put_there is attest else len(body)
    assert fetched(store) <= 1.25 * len(body) + hashed_before


# -- nothing recorded ----------------------------------------------------------------------------------------------


def test_an_attested_object_of_unrecorded_bytes_is_streamed_and_said_so(
    reader: PayloadReader, store: RemoteStore
) -> None:
    with closing(open_now(reader, store, attest(store, BODY), NOWHERE)) as payload:
        assert BODY[:9] == payload.read(0, 9, nothing)
        assert Verified.UNRECORDED == payload.verified


def test_a_data_sha_that_the_store_attests_is_a_proof(reader: PayloadReader, store: RemoteStore) -> None:
    with closing(open_now(reader, store, attest(store, BODY), Recorded(None, sha256(BODY)))) as payload:
        assert BODY == payload.read(0, len(BODY), nothing)
        settle(reader)
        assert Verified.FULL == payload.verified


# -- deferred ------------------------------------------------------------------------------------------------------


def test_deferred_bytes_are_served_before_they_are_hashed(deferring: PayloadReader, store: RemoteStore) -> None:
    with closing(open_now(deferring, store, put(store, BODY), recorded(BODY))) as payload:
        assert BODY[2 * MIB : 2 * MIB + 9] == payload.read(2 * MIB, 9, nothing)
        assert Verified.PENDING == payload.verified
        assert fetched(store) < MIB
        assert BODY == payload.read(0, len(BODY), nothing)
        settle(deferring)
        assert Verified.FULL == payload.verified


@pytest.mark.expected_warnings
def test_deferred_bytes_that_are_other_ones_are_noticed_and_not_served_again(
    deferring: PayloadReader, store: RemoteStore, caplog: pytest.LogCaptureFixture
) -> None:
    info = put(store, OTHER)
    with closing(open_now(deferring, store, info, recorded(BODY))) as payload:
        assert OTHER == payload.read(0, len(BODY), nothing)
        settle(deferring)
        assert Verified.FAILED == payload.verified
        with pytest.raises(PayloadMismatch):
            payload.read(0, 10, nothing)
        with pytest.raises(PayloadMismatch):
            open_now(deferring, store, info, recorded(BODY))
    assert f"{sha256(BODY)}" in caplog.text
    assert Verified.FAILED == deferring.standing(store, info, recorded(BODY))[0]
    with pytest.raises(PayloadMismatch):
        open_now(deferring, store, info, recorded(BODY))


def test_what_was_complete_and_not_hashed_when_all_ended_is_hashed_the_next_time(
    tmp_path: Path, store: RemoteStore
) -> None:
    info = put(store, BODY)
    with closing(make_reader(tmp_path, verify=Verify.DEFERRED)) as ended:
        ended._prover.submit = lambda work: None  # it does not live to do that
        payload = open_now(ended, store, info, recorded(BODY))
        assert BODY == payload.read(0, len(BODY), nothing)
        assert Verified.PENDING == payload.verified
        payload.close()
        payload.close()
    with (
        closing(make_reader(tmp_path, verify=Verify.DEFERRED)) as reader,
        closing(open_now(reader, store, info, recorded(BODY))) as payload,
    ):
        settle(reader)
        assert Verified.FULL == payload.verified
    assert os.path.exists(tmp_path / "objects" / sha256(BODY)[:2] / sha256(BODY))
