"""A payload as a file: what libraries may do with it."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.cache.standing import Verified
from datomfs.cli.payload_file import PayloadFile
from datomfs.errors import StoreUnreachable

BODY = bytes(range(100))


class Bytes:
    """A payload in memory, whose store may be away."""

    verified = Verified.FULL
    size = cached = len(BODY)

    def __init__(self) -> None:
        self.is_away = False
        self.closed_count = 0

    def read_nowait(self, offset: int, length: int) -> bytes | None:
        return None

    def read(self, offset: int, length: int, on_progress: object) -> bytes:
        if self.is_away:
            raise StoreUnreachable("s3://b", "k", "cable cut")
        return BODY[offset : offset + length]

    def close(self) -> None:
        self.closed_count += 1


_step = st.tuples(st.just("seek"), st.integers(0, 120), st.sampled_from([os.SEEK_SET, os.SEEK_CUR])) | st.tuples(
    st.just("read"), st.integers(0, 120), st.just(0)
)


@given(st.lists(_step))
def test_it_reads_as_a_file_in_memory_does(steps: list[tuple[str, int, int]]) -> None:
    ours, plain = PayloadFile(Bytes()), io.BytesIO(BODY)
    for what, number, whence in steps:
        if what == "seek":
            assert plain.seek(number, whence) == ours.seek(number, whence)
        else:
            assert plain.read(number) == ours.read(number)
        assert plain.tell() == ours.tell()
    assert 0 == ours.seek(-200, os.SEEK_END)
    assert BODY[-8:] == (ours.seek(-8, os.SEEK_END), ours.read())[1]


def test_what_the_store_says_reaches_the_reader() -> None:
    payload = Bytes()
    payload.is_away = True
    with pytest.raises(StoreUnreachable):
        PayloadFile(payload).read(1)


def test_closing_it_gives_the_payload_back_once() -> None:
    payload = Bytes()
    with PayloadFile(payload) as file:
        assert file.readable()
        assert file.seekable()
    file.close()
    assert 1 == payload.closed_count
