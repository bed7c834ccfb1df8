"""Objects that change, go away and come back: bytes of the one that was meant, or an error; also after a restart."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from datomfs.cache.proof import Recorded
from datomfs.cache.proving import Verify
from datomfs.cache.reader import Payload, PayloadReader
from datomfs.cache.standing import Verified
from datomfs.errors import DatomfsError, ObjectChanged, ObjectMissing, PayloadMismatch, RecordedMissing
from datomfs.store.base import ObjectInfo, Store
from tests.cache.stores import KEY, RemoteStore, attest, make_reader, nothing, open_now, put, recorded, settle, sha256

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


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., PayloadReader]]:
    """Makes readers over one cache, each as a daemon of its own would have it."""
    readers: list[PayloadReader] = []

    def make(**options: Any) -> PayloadReader:
        readers.append(make_reader(tmp_path / "cache", **options))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


def read_all(payload: Payload) -> bytes:
    """All of a payload, as the kernel would read it."""
    parts = range(0, max(payload.size, len(BODY)), 128 << 10)
    return b"".join(bytes(payload.read_nowait(at, 128 << 10) or payload.read(at, 128 << 10, nothing)) for at in parts)


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
    make: Callable[..., PayloadReader], store: RemoteStore, upload: Upload, other: bytes
) -> None:
    info = upload(store, BODY)
    upload(store, other)
    with pytest.raises(DatomfsError):
        open_now(make(), store, info, recorded(BODY))


@others
@verifies
@pytest.mark.parametrize("record", [recorded(BODY), UNRECORDED, BY_DATA_SHA], ids=["sha", "nothing", "data_sha"])
@pytest.mark.parametrize("disk", [1 << 30, 0], ids=["disk", "no disk"])
@pytest.mark.expected_warnings
def test_an_attested_object_that_changes_between_two_ranges_gives_no_other_bytes(
    make: Callable[..., PayloadReader], store: RemoteStore, other: bytes, verify: Verify, record: Recorded, disk: int
) -> None:
    reader = make(verify=verify, quota=disk)
    with closing(open_now(reader, store, attest(store, BODY), record)) as payload:
        assert BODY[: 64 << 10] == payload.read(0, 64 << 10, nothing)
        attest(store, other)
        check_only_right_bytes(payload)
        assert len(BODY) == payload.size


@others
def test_a_deferred_object_that_changes_between_two_ranges_gives_no_other_bytes(
    make: Callable[..., PayloadReader], store: RemoteStore, other: bytes
) -> None:
    reader = make(verify=Verify.DEFERRED)
    with closing(open_now(reader, store, put(store, BODY), recorded(BODY))) as payload:
        assert BODY[4 * MIB : 4 * MIB + 9] == payload.read(4 * MIB, 9, nothing)
        put(store, other)
        check_only_right_bytes(payload)


@both
@verifies
def test_an_object_that_is_all_here_does_not_change_any_more(
    make: Callable[..., PayloadReader], store: RemoteStore, upload: Upload, verify: Verify
) -> None:
    reader, info = make(verify=verify), upload(store, BODY)
    payload = open_now(reader, store, info, recorded(BODY))
    assert BODY == read_all(payload)
    settle(reader)
    upload(store, OTHER)
    asked = len(store.ranges), store.heads
    assert BODY == read_all(payload)
    payload.close()
    for again in (reader, make(verify=verify)):
        with closing(open_now(again, store, info, recorded(BODY))) as payload:
            assert BODY == read_all(payload)
    assert asked == (len(store.ranges), store.heads)


@both
@verifies
def test_an_object_that_changed_while_a_part_of_it_was_here_does_not_open_after_a_restart(
    make: Callable[..., PayloadReader], store: RemoteStore, upload: Upload, verify: Verify
) -> None:
    info = upload(store, BODY)
    if upload is attest or verify is Verify.DEFERRED:
        with closing(open_now(make(verify=verify), store, info, recorded(BODY))) as payload:
            payload.read(2 * MIB, 9, nothing)
    upload(store, OTHER)
    reader = make()
    (listed,) = store.list()
    for each in (info, listed):
        with pytest.raises(DatomfsError):
            open_now(reader, store, each, recorded(BODY))


# -- equal bytes ---------------------------------------------------------------------------------------------------


@both
@verifies
@pytest.mark.parametrize("body", [BODY, BODY[:1000]], ids=["large", "small"])
def test_an_object_uploaded_again_since_it_was_listed_opens(
    make: Callable[..., PayloadReader], store: RemoteStore, upload: Upload, verify: Verify, body: bytes
) -> None:
    info = upload(store, body)
    upload(store, body)
    with closing(open_now(make(), store, info, recorded(body))) as payload:
        assert body == payload.read(0, len(body), nothing)


@verifies
@pytest.mark.parametrize("record", [recorded(BODY), BY_DATA_SHA], ids=["sha", "data_sha"])
def test_an_attested_object_uploaded_again_between_two_ranges_goes_on(
    make: Callable[..., PayloadReader], store: RemoteStore, verify: Verify, record: Recorded
) -> None:
    reader = make(verify=verify)
    with closing(open_now(reader, store, attest(store, BODY), record)) as payload:
        for at in (4 * MIB, 2 * MIB, 0):
            assert BODY[at : at + 9] == payload.read(at, 9, nothing)
            attest(store, BODY)
        assert BODY == read_all(payload)
        settle(reader)
        assert Verified.FULL == payload.verified


def test_parts_of_two_uploads_of_equal_bytes_are_one_object_after_a_restart(
    make: Callable[..., PayloadReader], store: RemoteStore
) -> None:
    with closing(open_now(make(), store, attest(store, BODY), recorded(BODY))) as payload:
        payload.read(0, 2 * MIB, nothing)
    info = attest(store, BODY)
    store.ranges.clear()
    with closing(open_now(make(), store, info, recorded(BODY))) as payload:
        assert BODY == read_all(payload)
    assert sum(length for _, length in store.ranges) < len(BODY) - 2 * MIB + (128 << 10)


# -- gone ----------------------------------------------------------------------------------------------------------


@both
def test_an_object_that_is_gone_does_not_open(
    make: Callable[..., PayloadReader], store: RemoteStore, upload: Upload
) -> None:
    info = upload(store, BODY)
    store.delete(KEY)
    with pytest.raises((ObjectMissing, RecordedMissing)):
        open_now(make(), store, info, recorded(BODY))


@verifies
def test_an_object_that_goes_away_between_two_ranges_is_an_error_and_goes_on_when_it_is_back(
    make: Callable[..., PayloadReader], store: RemoteStore, verify: Verify
) -> None:
    with closing(open_now(make(verify=verify), store, attest(store, BODY), recorded(BODY))) as payload:
        assert BODY[:9] == payload.read(0, 9, nothing)
        store.delete(KEY)
        with pytest.raises(ObjectMissing):
            payload.read(4 * MIB, 9, nothing)
        assert BODY[:9] == payload.read(0, 9, nothing)
        attest(store, BODY)
        assert BODY == read_all(payload)


# -- a bit of the cache flips too ----------------------------------------------------------------------------------


def flip_a_bit(cache: Path, at: int) -> None:
    """Rot in whatever object lies in a cache."""
    (path,) = [each for each in cache.glob("*/*/*") if each.is_file() and each.suffix != ".map"]
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


@both
@verifies
@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.expected_warnings
def test_what_rots_is_fetched_again(
    make: Callable[..., PayloadReader],
    store: RemoteStore,
    tmp_path: Path,
    upload: Upload,
    verify: Verify,
    restarted: bool,
) -> None:
    reader, info = make(verify=verify), upload(store, BODY)
    payload = open_now(reader, store, info, recorded(BODY))
    assert BODY == read_all(payload)
    settle(reader)
    flip_a_bit(tmp_path / "cache", 3 * MIB + 5)
    if restarted:
        payload.close()
        reader = make(verify=verify)
        payload = open_now(reader, store, info, recorded(BODY))
    store.ranges.clear()
    assert BODY == read_all(payload)
    assert 0 < sum(length for _, length in store.ranges) <= 2 * MIB
    settle(reader)
    assert Verified.FULL == payload.verified
    payload.close()


@both
@pytest.mark.parametrize("replaced", [OTHER, None], ids=["changed", "gone"])
@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.expected_warnings
def test_what_rots_of_an_object_that_changed_is_an_error_and_all_else_is_served(
    make: Callable[..., PayloadReader],
    store: RemoteStore,
    tmp_path: Path,
    upload: Upload,
    replaced: bytes | None,
    restarted: bool,
) -> None:
    reader, info = make(), upload(store, BODY)
    payload = open_now(reader, store, info, recorded(BODY))
    assert BODY == read_all(payload)
    settle(reader)
    flip_a_bit(tmp_path / "cache", 3 * MIB + 5)
    store.delete(KEY)
    if replaced is not None:
        upload(store, replaced)
    if restarted:
        payload.close()
        payload = open_now(make(), store, info, recorded(BODY))
    assert BODY[:MIB] == payload.read(0, MIB, nothing)
    with pytest.raises((ObjectChanged, ObjectMissing, PayloadMismatch)):
        payload.read(3 * MIB, MIB, nothing)
    payload.close()
