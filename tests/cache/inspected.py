"""What the tests of `cache.inspection` and `cache.scan` share: caches to be looked at, and ways to spoil them."""

from __future__ import annotations

import os
from pathlib import Path

from datomfs.cache.folder import CacheFolder
from datomfs.cache.inspection import Report, inspect
from datomfs.cache.reader import PayloadReader
from datomfs.cache.scan import find_objects
from tests.cache.stores import RemoteStore, make_reader, put, recorded, sha256

BODY = bytes(range(256)) * 4 * 3000
"""Three pieces."""
LONG_AGO_NS = 10**18


def bring(path: Path, body: bytes) -> PayloadReader:
    """A reader over a cache that has a payload with these bytes, complete; to be closed."""
    reader, store = make_reader(path), RemoteStore()
    reader.bring(store, put(store, body), recorded(body), lambda count: None)
    return reader


def look(folder: CacheFolder, *, quick: bool = False) -> Report:
    """Verify the whole cache."""
    return inspect(folder, find_objects(folder), quick=quick, on_progress=lambda name, count: None)


def add_partial(folder: CacheFolder, *pieces: int, body: bytes = BODY) -> Path:
    """An object this user is bringing, with some of its pieces, last touched long ago; where it lies."""
    name = folder.partial_name(sha256(body[::-1]))
    file = folder.open(name, len(body))
    assert file is not None
    for piece in pieces:
        file.write(piece << 20, memoryview(body)[piece << 20 : (piece + 1) << 20])
    file.close()
    folder.leave(name)
    folder.correct(name, file.stored_bytes, used_s=1)
    rest(folder.place(name))
    return folder.place(name)


def rest(path: Path) -> None:
    """Nobody has touched it for long."""
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))


def spoil(path: Path, offset: int = 5) -> None:
    """Turn one bit of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
    rest(path)


def counted(folder: CacheFolder) -> dict[str, int]:
    """The objects in the index, and their bytes."""
    return {entry.name: entry.bytes for entry in folder.entries() if entry.is_object}
