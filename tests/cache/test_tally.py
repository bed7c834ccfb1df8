"""What is counted of reads and proofs, over payloads of real kinds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from datomfs.cache.proof import Recorded
from datomfs.cache.proving import Verify
from datomfs.cache.reader import Payload, PayloadReader
from datomfs.cache.standing import Verified
from datomfs.errors import PayloadMismatch
from datomfs.model.location import Location
from datomfs.store.local import LocalStore
from tests.cache.stores import RemoteStore, attest, open_now, put, read_parts, recorded, sha256

PART = 128 << 10
BODY = bytes(range(256)) * 8192  # 2 MiB
SMALL = b"some bytes"

MakeReaders = Callable[..., PayloadReader]


def proofs(reader: PayloadReader) -> dict[str, int]:
    """What was found, without what never was."""
    return {found.value: count for found, count in reader.tally.proofs.items() if count}


def read(payload: Payload, offset: int) -> None:
    """One part, as the mount reads it."""
    if payload.read_nowait(offset, PART) is None:
        payload.read(offset, PART, lambda: None)


def test_a_read_is_fetched_first_and_here_afterwards(make_readers: MakeReaders) -> None:
    store, reader = RemoteStore(), make_readers()
    payload = open_now(reader, store, attest(store, BODY), recorded(BODY))
    read(payload, 0)
    assert (0, 0, 1) == (reader.tally.at_once, reader.tally.from_disk, reader.tally.fetched)
    read(payload, 0)
    assert (1, 1) == (reader.tally.at_once + reader.tally.from_disk, reader.tally.fetched)
    payload.close()


def test_a_complete_copy_serves_every_read(make_readers: MakeReaders) -> None:
    store = RemoteStore()
    info = put(store, SMALL)
    open_now(make_readers(), store, info, recorded(SMALL)).close()
    reader = make_readers()
    payload = open_now(reader, store, info, recorded(SMALL))
    read_parts(payload)
    payload.close()
    assert (1, 0) == (reader.tally.at_once + reader.tally.from_disk, reader.tally.fetched)


@pytest.mark.parametrize("is_attested", [True, False])
def test_a_proof_counts_under_what_it_found(make_readers: MakeReaders, is_attested: bool) -> None:
    store, reader = RemoteStore(), make_readers()
    info = attest(store, BODY) if is_attested else put(store, BODY)
    open_now(reader, store, info, recorded(BODY)).close()
    assert {"attested" if is_attested else "full": 1} == proofs(reader)


def test_bytes_that_nothing_was_recorded_of_count_as_unrecorded(make_readers: MakeReaders) -> None:
    store, reader = RemoteStore(), make_readers()
    open_now(reader, store, put(store, SMALL), Recorded(None, sha256(b"values"))).close()
    assert {"unrecorded": 1} == proofs(reader)


def test_other_bytes_than_the_recorded_count_as_failed(make_readers: MakeReaders, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    for store in (RemoteStore(), LocalStore(Location("local", str(tmp_path / "store")))):
        reader = make_readers()
        info = put(store, SMALL)
        with pytest.raises(PayloadMismatch):
            open_now(reader, store, info, recorded(b"others"))
        assert {"failed": 1} == proofs(reader)


def test_files_that_are_read_in_place_are_proven_and_no_reads_of_the_cache(
    make_readers: MakeReaders, tmp_path: Path
) -> None:
    (tmp_path / "store").mkdir()
    store, reader = LocalStore(Location("local", str(tmp_path / "store"))), make_readers()
    payload = open_now(reader, store, put(store, SMALL), recorded(SMALL))
    read_parts(payload)
    payload.close()
    assert {"full": 1} == proofs(reader)
    assert (0, 0, 0) == (reader.tally.at_once, reader.tally.from_disk, reader.tally.fetched)


def test_a_deferred_proof_counts_when_it_is_made(make_readers: MakeReaders) -> None:
    store, reader = RemoteStore(), make_readers(verify=Verify.DEFERRED)
    begin = threading.Event()
    reader._prover.submit(lambda on_progress: begin.wait(30))  # all may be here before we have looked
    payload = open_now(reader, store, put(store, BODY), recorded(BODY))
    assert {} == proofs(reader)
    read(payload, 0)
    assert Verified.PENDING == payload.verified
    assert {} == proofs(reader)
    begin.set()
    payload.close()
