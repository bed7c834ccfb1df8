"""A block file with known bytes, for tests of what damage does to it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datomfs.cache.block_file import PIECE, BlockFile

BODY = os.urandom(40_000)
SIZE = len(BODY)
CUTS = [0, 5000, 5001, 20_000, 32_768, SIZE]
"""Pieces that end within pages, and one of a single byte."""


@contextmanager
def opened(path: Path, size: int = SIZE) -> Iterator[BlockFile]:
    """The block file at a path."""
    file = BlockFile(path, size)
    try:
        yield file
    finally:
        file.close()


def fill(path: Path, body: bytes = BODY) -> None:
    """Make a complete block file."""
    cuts = CUTS if body is BODY else [*range(0, len(body), PIECE), len(body)]
    with opened(path, len(body)) as file:
        for start, end in itertools.pairwise(cuts):
            file.write(start, memoryview(body)[start:end])


def put_back(path: Path, body: bytes = BODY) -> None:
    """Fetch again what is missing of a block file, and see that it is complete then, now and when next opened."""
    with opened(path, len(body)) as file:
        file.check(lambda: None)
        for gap in file.missing(0, len(body)):
            for start in range(gap.start, gap.end, PIECE):
                file.write(start, memoryview(body)[start : min(start + PIECE, gap.end)])
        assert file.is_complete
    with opened(path, len(body)) as file:
        assert [] == file.missing(0, len(body))
        assert body == file.read(0, len(body))


def flip(path: Path, bit: int) -> None:
    """Turn one bit of a file around, as disks do."""
    with path.open("r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))
