"""Objects that change, go away and come back: bytes of the one that was meant, or an error; also after a restart."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing

import pytest

from datomfs.cache.proof import Recorded
from datomfs.cache.proving import Verify
from datomfs.cache.reader import Payload, PayloadReader
from datomfs.cache.standing import Verified
from datomfs.errors import DatomfsError, ObjectMissing, RecordedMissing
from datomfs.store.base import ObjectInfo, Store
from tests.cache.stores import (
    KEY,
    RemoteStore,
    attest,
    nothing,
    open_now,
    put,
    read_parts,
    recorded,
    settle,
    sha256,
)

MIB = 1 << 20
BODY = os.urandom(5 * MIB + 3)
OTHER = BODY[::-1]
SHORTER = OTHER[: 3 * MIB]
UNRECORDED = Recorded(None, sha256(b"the values"))
BY_DATA_SHA = Recorded(None, sha256(BODY))

Upload = Callable[[Store, bytes], ObjectInfo]
both = pytest.mark.parametrize("upload", [attest, put])
verifies = pytest.mark.parametrize("verify", list(Verify))
others = pytest.mark.parametrize("other", [OTHER, SHORTER, b"", OTHER + OTHER], ids=len)


@pytest.fixture
def store() -> RemoteStore:
    return RemoteStore()


def check_only_right_bytes(payload: Payload) -> None:
    """Every range is right or an error, and there is an error."""
    failures = 0
    for start in range(0, len(BODY), MIB):
        try:
            assert BODY[start : start + MIB] == payload.read(start, MIB, nothing)
        except DatomfsError:
            failures += 1
    assert failures > 0


# -- other bytes ---------------------------------------------------------------------------------------------------


@both
@others
def test_an_object_that_changed_since_it_was_listed_does_not_open(
    make_readers: Callable[..., PayloadReader], store: RemoteStore, upload: Upload, other: bytes
) -> None:
    info = upload(store, BODY)
    upload(store, other)
    with pytest.raises(DatomfsError):
        open_now(make_readers(), store, info, recorded(BODY))


@others
@verifies
@pytest.mark.parametrize("record", [recorded(BODY), UNRECORDED, BY_DATA_SHA], ids=["sha", "nothing", "data_sha"])
@pytest.mark.parametrize("disk", [1 << 30, 0], ids=["disk", "no disk"])
@pytest.mark.expected_warnings
def test_an_attested_object_that_changes_between_two_ranges_gives_no_other_bytes(
    make_readers: Callable[..., PayloadReader],
    store: RemoteStore,
    other: bytes,
    verify: Verify,
    record: Recorded,
    disk: int,
) -> None:
    reader = make_readers(verify=verify, quota=disk)
    with closing(open_now(reader, store, attest(store, BODY), record)) as payload:
        assert BODY[: 64 << 10] == payload.read(0, 64 << 10, nothing)
        attest(store, other)
        check_only_right_bytes(payload)
        assert len(BODY) == payload.size


@others
def test_a_deferred_object_that_changes_between_two_ranges_gives_no_other_bytes(
    make_readers: Callable[..., PayloadReader], store: RemoteStore, other: bytes
) -> None:
    reader = make_readers(verify=Verify.DEFERRED)
    with closing(open_now(reader, store, put(store, BODY), recorded(BODY))) as payload:
        assert BODY[4 * MIB : 4 * MIB + 9] == payload.read(4 * MIB, 9, nothing)
        put(store, other)
        check_only_right_bytes(payload)


@both
@verifies
def test_an_object_that_is_all_here_does_not_change_any_more(
    make_readers: Callable[..., PayloadReader], store: RemoteStore, upload: Upload, verify: Verify
) -> None:
    reader, info = make_readers(verify=verify), upload(store, BODY)
    payload = open_now(reader, store, info, recorded(BODY))
    assert BODY == read_parts(payload)
    settle(reader)
    upload(store, OTHER)
    asked = len(store.ranges), store.heads
    assert BODY == read_parts(payload)
    payload.close()
    for again in (reader, make_readers(verify=verify)):
        with closing(open_now(again, store, info, recorded(BODY))) as payload:
            assert BODY == read_parts(payload)
    assert asked == (len(store.ranges), store.heads)


@both
@verifies
def test_an_object_that_changed_while_a_part_of_it_was_here_does_not_open_after_a_restart(
    make_readers: Callable[..., PayloadReader], store: RemoteStore, upload: Upload, verify: Verify
) -> None:
    info = upload(store, BODY)
    if upload is attest or verify is Verify.DEFERRED:
        with closing(open_now(make_readers(verify=verify), store, info, recorded(BODY))) as payload:
            payload.read(2 * MIB, 9, nothing)
    upload(store, OTHER)
    reader = make_readers()
    (listed,) = store.list()
    for each in (info, listed):
        with pytest.raises(DatomfsError):
            open_now(reader, store, each, recorded(BODY))


# -- equal bytes ---------------------------------------------------------------------------------------------------


@both
@verifies
@pytest.mark.parametrize("body", [BODY, BODY[:1000]], ids=["large", "small"])
def test_an_object_uploaded_again_since_it_was_listed_opens(
    make_readers: Callable[..., PayloadReader], store: RemoteStore, upload: Upload, verify: Verify, body: bytes
) -> None:
    info = upload(store, body)
    upload(store, body)
    with closing(open_now(make_readers(), store, info, recorded(body))) as payload:
        assert body == payload.read(0, len(body), nothing)


@verifies
@pytest.mark.parametrize("record", [recorded(BODY), BY_DATA_SHA], ids=["sha", "data_sha"])
def test_an_attested_object_uploaded_again_between_two_ranges_goes_on(
    make_readers: Callable[..., PayloadReader], store: RemoteStore, verify: Verify, record: Recorded
) -> None:
    reader = make_readers(verify=verify)
    with closing(open_now(reader, store, attest(store, BODY), record)) as payload:
        for at in (4 * MIB, 2 * MIB, 0):
            assert BODY[at : at + 9] == payload.read(at, 9, nothing)
            attest(store, BODY)
        assert BODY == read_parts(payload)
        settle(reader)
        assert Verified.FULL == payload.verified


def test_parts_of_two_uploads_of_equal_bytes_are_one_object_after_a_restart(
    make_readers: Callable[..., PayloadReader], store: RemoteStore
) -> None:
    with closing(open_now(make_readers(), store, attest(store, BODY), recorded(BODY))) as payload:
        payload.read(0, 2 * MIB, nothing)
    info = attest(store, BODY)
    store.ranges.clear()
    with closing(open_now(make_readers(), store, info, recorded(BODY))) as payload:
        assert BODY == read_parts(payload)
    assert sum(length for _, length in store.ranges) < len(BODY) - 2 * MIB + (128 << 10)


# -- gone ----------------------------------------------------------------------------------------------------------


@both
def test_an_object_that_is_gone_does_not_open(
    make_readers: Callable[..., PayloadReader], store: RemoteStore, upload: Upload
) -> None:
    info = upload(store, BODY)
    store.delete(KEY)
    with pytest.raises((ObjectMissing, RecordedMissing)):
        open_now(make_readers(), store, info, recorded(BODY))


@verifies
def test_an_object_that_goes_away_between_two_ranges_is_an_error_and_goes_on_when_it_is_back(
    make_readers: Callable[..., PayloadReader], store: RemoteStore, verify: Verify
) -> None:
    with closing(open_now(make_readers(verify=verify), store, attest(store, BODY), recorded(BODY))) as payload:
        assert BODY[:9] == payload.read(0, 9, nothing)
        store.delete(KEY)
        with pytest.raises(ObjectMissing):
            payload.read(4 * MIB, 9, nothing)
        assert BODY[:9] == payload.read(0, 9, nothing)
        attest(store, BODY)
        assert BODY == read_parts(payload)
