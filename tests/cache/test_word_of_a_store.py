"""What a store says of an object is believed as long as its bytes bear it out, and as long as it is that object."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from datomfs.cache.reader import SMALL, Payload, PayloadReader
from datomfs.cache.standing import Verified
from datomfs.errors import PayloadMismatch
from datomfs.store.base import ObjectInfo
from tests.cache.stores import KEY, RemoteStore, make_reader, nothing, recorded, sha256
from tests.mounts import eventually

BODY = bytes(range(256)) * (3 * SMALL // 256)
OTHER = BODY[::-1]


@pytest.fixture
def store() -> RemoteStore:
    return RemoteStore()


def upload(store: RemoteStore, folder: Path, body: bytes) -> ObjectInfo:
    """An object whose SHA-256 the store attests, as a listing shows it."""
    source = folder / "source"
    source.write_bytes(body)
    store.delete(KEY)
    store.upload(KEY, source, sha256=sha256(body))
    (info,) = store.list()
    return info


def open_payload(reader: PayloadReader, store: RemoteStore, info: ObjectInfo) -> Payload:
    return reader.open(store, info, recorded(BODY), nothing)


def read_all(payload: Payload) -> bytes:
    return bytes(payload.read(0, payload.size, nothing))


@pytest.mark.expected_warnings
def test_who_gave_other_bytes_than_attested_is_not_believed_again(tmp_path: Path, store: RemoteStore) -> None:
    info = upload(store, tmp_path, BODY)
    reader = make_reader(tmp_path / "cache")
    store.answer = lambda start, data: data.translate(bytes(255 - value for value in range(256)))
    read = Event()
    reader._prover.submit(lambda on_progress: read.wait(30))  # it may know before we have read to the end
    payload = open_payload(reader, store, info)
    assert not reader.has_failed(store, info, recorded(BODY))
    assert BODY != read_all(payload)
    read.set()
    eventually(lambda: payload.verified is Verified.FAILED)
    assert reader.has_failed(store, info, recorded(BODY))
    with pytest.raises(PayloadMismatch):
        payload.read(0, 10, nothing)
    with pytest.raises(PayloadMismatch):  # hashed before anything is given
        open_payload(reader, store, info)
    payload.close()
    assert (Verified.FAILED, 0) == reader.standing(store, info, recorded(BODY))
    store.answer = lambda start, data: data
    payload = open_payload(reader, store, info)
    assert Verified.FULL is payload.verified
    assert BODY == read_all(payload)
    assert not reader.has_failed(store, info, recorded(BODY))
    payload.close()
    reader.close()


class HashingStore(RemoteStore):
    """One whose etags are made of the bytes, as those of S3 often are: bytes that come back have theirs again."""

    def _keep(self, key: str, body: bytes, **conditions: Any) -> ObjectInfo:
        info = replace(super()._keep(key, body, **conditions), etag=sha256(body)[:8])
        self._objects[key] = body, info
        return info


def test_an_object_that_was_away_for_a_moment_is_found_again(tmp_path: Path) -> None:
    store = HashingStore()
    info = upload(store, tmp_path, BODY)
    upload(store, tmp_path, OTHER)
    reader = make_reader(tmp_path / "cache")
    with pytest.raises(PayloadMismatch):
        open_payload(reader, store, info)
    assert info.etag == upload(store, tmp_path, BODY).etag
    payload = open_payload(reader, store, info)
    assert BODY == read_all(payload)
    payload.close()
    reader.close()


def test_a_footer_that_does_not_come_is_not_waited_for(tmp_path: Path, store: RemoteStore) -> None:
    info = upload(store, tmp_path, BODY)
    over, waited = Event(), []
    store.ask = lambda start: start == info.size - (64 << 10) and waited.append(over.wait(30))
    reader = make_reader(tmp_path / "cache", stall_s=0.3)
    payload = open_payload(reader, store, info)
    assert BODY[:100] == payload.read(0, 100, nothing)
    assert [] == waited
    over.set()
    payload.close()
    reader.close()
