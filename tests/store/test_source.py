"""Sources of uploads are read as long as they were, and known by their hash."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datomfs.errors import SourceChanged
from datomfs.store.source import Source
from tests.store.contract import sha256


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of ten bytes."""
    made = tmp_path / "source"
    made.write_bytes(b"0123456789")
    return made


def test_chunks_give_the_whole_file(path: Path) -> None:
    body = bytes(range(256)) * 10_000
    path.write_bytes(body)
    with Source(path) as source:
        assert body == b"".join(source.chunks(sha256(body)))


def test_chunks_end_in_refusal_where_the_hash_is_another(path: Path) -> None:
    with Source(path) as source:
        chunks = source.chunks(sha256(b"other"))
        assert b"0123456789" == next(chunks)
        with pytest.raises(SourceChanged):
            next(chunks)


def test_appended_bytes_are_not_read(path: Path) -> None:
    with Source(path) as source:
        with path.open("ab") as file:
            file.write(b"more")
        assert (10, b"0123456789", b"") == (source.size, source.read(), source.read(1))


def test_file_that_became_shorter_is_refused(path: Path) -> None:
    with Source(path) as source:
        os.truncate(path, 4)
        with pytest.raises(SourceChanged):
            source.read()


def test_reading_again_from_the_start_hashes_anew(path: Path) -> None:
    with Source(path) as source:
        source.read(4)
        source.seek(0)
        source.read()
        source.check(sha256(b"0123456789"))


def test_bytes_left_out_are_noticed(path: Path) -> None:
    with Source(path) as source:
        source.seek(1)
        source.read()
        with pytest.raises(SourceChanged):
            source.check(sha256(b"0123456789"))


def test_position_is_that_of_a_file(path: Path) -> None:
    with Source(path) as source, path.open("rb") as file:
        for offset, whence in (
            (3, os.SEEK_SET),
            (2, os.SEEK_CUR),
            (-1, os.SEEK_END),
            (0, os.SEEK_END),
            (0, os.SEEK_SET),
        ):
            assert file.seek(offset, whence) == source.seek(offset, whence)
            assert file.tell() == source.tell()
            assert file.read(2) == source.read(2)
