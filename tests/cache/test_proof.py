"""Proofs: hashed once, never served before, and again when anything moved."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datomfs.cache.proof import Proof, Proofs, Recorded, identify
from datomfs.errors import PayloadMismatch, SourceChanged
from tests.cache.stores import nothing, sha256

LONG_AGO_NS = 10**18


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    """An open file that holds `bytes`."""
    (tmp_path / "file").write_bytes(b"bytes")
    descriptor = os.open(tmp_path / "file", os.O_RDWR)
    yield descriptor
    os.close(descriptor)


def test_recorded_sha_proves_or_refuses() -> None:
    recorded = Recorded(sha256(b"a"), sha256(b"values"))
    assert recorded.check(sha256(b"a"), "here")
    with pytest.raises(PayloadMismatch) as caught:
        recorded.check(sha256(b"b"), "here")
    assert ("here", sha256(b"a"), sha256(b"b")) == (caught.value.where, caught.value.expected, caught.value.actual)


def test_data_sha_is_no_proof_where_a_file_sha_was_recorded() -> None:
    with pytest.raises(PayloadMismatch):
        Recorded(sha256(b"a"), sha256(b"b")).check(sha256(b"b"), "here")


def test_before_cv1_data_sha_is_tried_and_nothing_refused() -> None:
    assert Recorded(None, sha256(b"a")).check(sha256(b"a"), "here")
    assert not Recorded(None, sha256(b"a")).check(sha256(b"b"), "here")


def test_a_hash_begins_at_the_beginning_wherever_the_file_stands(fd: int, tmp_path: Path) -> None:
    os.lseek(fd, 3, os.SEEK_SET)
    assert sha256(b"bytes") == Proofs().prove(fd, tmp_path / "file", nothing).sha256
    assert 3 == os.lseek(fd, 0, os.SEEK_CUR)


def test_several_threads_may_prove_one_descriptor(fd: int, tmp_path: Path) -> None:
    body = os.urandom(1 << 16) * (9 * 16 + 1)
    os.pwrite(fd, body, 0)
    proofs, together = Proofs(), threading.Barrier(4)

    def work(_: int) -> str:
        together.wait(30)
        return proofs.prove(fd, tmp_path / "file", nothing).sha256

    with ThreadPoolExecutor(4) as pool:
        assert [sha256(body)] * 4 == list(pool.map(work, range(4)))


def test_hashing_tells_its_progress(fd: int, tmp_path: Path) -> None:
    os.truncate(fd, 10 << 20)
    told: list[None] = []
    Proofs().prove(fd, tmp_path / "file", lambda: told.append(None))
    assert 3 == len(told)


def test_a_settled_file_is_hashed_once(fd: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: os.fstat(fd).st_ctime + 2)
    proofs = Proofs()
    hashed: list[None] = []
    for _ in range(3):
        proof = proofs.prove(fd, tmp_path / "file", lambda: hashed.append(None))
        assert Proof(identify(fd), sha256(b"bytes")) == proof
    assert 1 == len(hashed)


def test_a_file_written_a_moment_ago_is_hashed_every_time(
    fd: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: os.fstat(fd).st_ctime + 0.5)
    proofs = Proofs()
    hashed: list[None] = []
    for _ in range(3):
        proofs.prove(fd, tmp_path / "file", lambda: hashed.append(None))
    assert 3 == len(hashed)


def test_a_file_that_changed_is_hashed_anew(fd: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: os.fstat(fd).st_ctime + 2)
    proofs = Proofs()
    proofs.prove(fd, tmp_path / "file", nothing)
    os.pwrite(fd, b"other", 0)
    os.utime(fd, ns=(LONG_AGO_NS, LONG_AGO_NS))
    assert sha256(b"other") == proofs.prove(fd, tmp_path / "file", nothing).sha256


def test_what_somebody_else_hashed_is_believed(fd: int, tmp_path: Path) -> None:
    proofs = Proofs()
    proofs.remember(Proof(identify(fd), "told"))
    assert "told" == proofs.prove(fd, tmp_path / "file", nothing).sha256


def test_a_file_that_changes_while_it_is_hashed_is_not_proven(fd: int, tmp_path: Path) -> None:
    with pytest.raises(SourceChanged):
        Proofs().prove(fd, tmp_path / "file", lambda: os.utime(fd, ns=(LONG_AGO_NS, LONG_AGO_NS)))
