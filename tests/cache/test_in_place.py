"""Files read where they lie, proven behind their readers."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from datomfs.cache.in_place import open_in_place
from datomfs.cache.proof import OnProgress, Proof, Proofs
from datomfs.cache.standing import Verified
from tests.cache.stores import recorded

BODY = os.urandom(100_000)


class WaitingProofs(Proofs):
    """Proofs that begin when they are told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def prove(self, fd: int, path: Path, on_progress: OnProgress) -> Proof:
        assert self.go_on.wait(30)
        return super().prove(fd, path, on_progress)


def provers() -> list[threading.Thread]:
    """The threads that prove files."""
    return [thread for thread in threading.enumerate() if thread.name == "datomfs-prover"]


def test_a_file_that_is_closed_while_it_is_proven_is_proven_to_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its descriptor's number is given to other files meanwhile."""
    path, proofs = tmp_path / "file", WaitingProofs()
    path.write_bytes(BODY)
    payload = open_in_place(path, recorded(BODY), "here", proofs)
    payload.prove_behind()
    payload.close()
    with (tmp_path / "other").open("w+b"), (tmp_path / "another").open("w+b"):
        proofs.go_on.set()
        for thread in provers():
            thread.join(30)
    assert Verified.FULL == payload.verified
    assert "" == caplog.text
