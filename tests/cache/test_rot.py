"""Rot in the cache: what comes in its place is proven like everything else, and nothing unproven stays."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from datomfs.cache.proving import Verify
from datomfs.cache.reader import PayloadReader
from datomfs.cache.standing import Verified
from datomfs.errors import DatomfsError, ObjectChanged, ObjectMissing, PayloadMismatch
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
)

MIB = 1 << 20
BODY = os.urandom(5 * MIB + 3)
OTHER = BODY[::-1]

Upload = Callable[[Store, bytes], ObjectInfo]
both = pytest.mark.parametrize("upload", [attest, put])
verifies = pytest.mark.parametrize("verify", list(Verify))
pytestmark = pytest.mark.expected_warnings


@pytest.fixture
def store() -> RemoteStore:
    return RemoteStore()


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
def test_what_rots_is_fetched_again(
    make_readers: Callable[..., PayloadReader],
    store: RemoteStore,
    tmp_path: Path,
    upload: Upload,
    verify: Verify,
    restarted: bool,
) -> None:
    reader, info = make_readers(verify=verify), upload(store, BODY)
    payload = open_now(reader, store, info, recorded(BODY))
    assert BODY == read_parts(payload)
    settle(reader)
    flip_a_bit(tmp_path / "cache", 3 * MIB + 5)
    if restarted:
        payload.close()
        reader = make_readers(verify=verify)
        payload = open_now(reader, store, info, recorded(BODY))
    store.ranges.clear()
    assert BODY == read_parts(payload)
    assert 0 < sum(length for _, length in store.ranges) <= 2 * MIB
    settle(reader)
    assert Verified.FULL == payload.verified
    payload.close()


@both
@pytest.mark.parametrize("replaced", [OTHER, None], ids=["changed", "gone"])
@pytest.mark.parametrize("restarted", [False, True])
def test_what_rots_of_an_object_that_changed_is_an_error_and_all_else_is_served(
    make_readers: Callable[..., PayloadReader],
    store: RemoteStore,
    tmp_path: Path,
    upload: Upload,
    replaced: bytes | None,
    restarted: bool,
) -> None:
    reader, info = make_readers(), upload(store, BODY)
    payload = open_now(reader, store, info, recorded(BODY))
    assert BODY == read_parts(payload)
    settle(reader)
    flip_a_bit(tmp_path / "cache", 3 * MIB + 5)
    store.delete(KEY)
    if replaced is not None:
        upload(store, replaced)
    if restarted:
        payload.close()
        payload = open_now(make_readers(), store, info, recorded(BODY))
    assert BODY[:MIB] == payload.read(0, MIB, nothing)
    with pytest.raises((ObjectChanged, ObjectMissing, PayloadMismatch)):
        payload.read(3 * MIB, MIB, nothing)
    payload.close()


@both
@pytest.mark.parametrize("body", [BODY, BODY[:1000]], ids=["large", "small"])
def test_bytes_that_were_fetched_for_rotten_ones_and_not_proven_are_in_no_copy(
    make_readers: Callable[..., PayloadReader],
    store: RemoteStore,
    tmp_path: Path,
    upload: Upload,
    body: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process ends between the two."""
    info, reader = upload(store, body), make_readers()
    with closing(open_now(reader, store, info, recorded(body))) as payload:
        for start in range(0, len(body), MIB):
            payload.read(start, MIB, nothing)
        settle(reader)
    flip_a_bit(tmp_path / "cache", 5)
    other = upload(store, body[::-1])
    for listed in (other, info):
        reader = make_readers()
        with monkeypatch.context() as patch:
            patch.setattr("datomfs.cache.proving.Proving._judge", end)
            with pytest.raises(DatomfsError), closing(open_now(reader, store, listed, recorded(body))) as payload:
                payload.read(0, 100, nothing)
        reader.close()
    again = upload(store, body)
    for listed in (again, again):
        with closing(open_now(make_readers(), store, listed, recorded(body))) as payload:
            assert body[:100] == payload.read(0, 100, nothing)


def end(*_: object) -> None:
    """For what the process does not live to do."""
    raise ObjectMissing("memory:remote", KEY)


def test_a_copy_whose_rotten_piece_was_proven_again_is_whole_again(
    make_readers: Callable[..., PayloadReader], store: RemoteStore, tmp_path: Path
) -> None:
    info = put(store, BODY)
    with closing(open_now(make_readers(), store, info, recorded(BODY))):
        flip_a_bit(tmp_path / "cache", 5)
    with closing(open_now(make_readers(), store, info, recorded(BODY))) as payload:
        assert BODY[:9] == payload.read(0, 9, nothing)
        assert (Verified.FULL, len(BODY)) == (payload.verified, payload.cached)
    store.delete(KEY)
    with closing(open_now(make_readers(), store, info, recorded(BODY))) as payload:
        assert BODY == read_parts(payload)
