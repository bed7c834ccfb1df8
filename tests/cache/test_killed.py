"""A process killed while it fetches: the next one reads right bytes, and goes on with what is there."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from datomfs.cache.folder import CacheFolder, Limits
from tests.cache.processes import running
from tests.cache.stores import RemoteStore, attest, make_reader, nothing, open_now, put, recorded

SIZE = 6_000_007
BODY = (b"".join(number.to_bytes(4, "big") for number in range(SIZE // 4 + 1)))[:SIZE]

FETCH = """
import sys
from pathlib import Path
from datomfs.cache.block_file import BlockFile
from tests.cache import stores
size, upload = int(sys.argv[2]), getattr(stores, sys.argv[3])
body = b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]
write = BlockFile.write
def write_and_tell(self, start, data):
    write(self, start, data)
    sys.stdout.write("wrote\\n")
    sys.stdout.flush()
BlockFile.write = write_and_tell
store = stores.RemoteStore()
info = upload(store, body)
payload = stores.open_now(stores.make_reader(Path(sys.argv[1])), store, info, stores.recorded(body))
for start in range(0, size, 128 << 10):
    payload.read(start, 128 << 10, stores.nothing)
print("done", flush=True)
sys.stdin.readline()
"""
"""Tells of each piece that it has written."""


@pytest.mark.parametrize("upload", [attest, put])
@pytest.mark.parametrize("writes", [1, 2, 3, 5, 8, 12])
def test_a_killed_process_leaves_only_right_bytes(tmp_path: Path, upload: object, writes: int) -> None:
    """It is killed when it has written a number of pieces, while others are under way."""
    with running(FETCH, tmp_path, SIZE, upload.__name__) as process:
        for _ in range(writes):
            if process.stdout.readline() == "done\n":
                break
        process.kill()
        process.wait()
    store = RemoteStore()
    info = upload(store, BODY)
    with closing(make_reader(tmp_path)) as reader:
        with closing(open_now(reader, store, info, recorded(BODY))) as payload:
            parts = range(0, SIZE, 128 << 10)
            assert BODY == b"".join(bytes(payload.read(start, 128 << 10, nothing)) for start in parts)
        _check_counted(tmp_path)


def _check_counted(path: Path) -> None:
    """What the next process finds is counted, in full and once."""
    with closing(CacheFolder(path, Limits(1 << 30, 0))) as folder:
        assert SIZE == sum(entry.bytes for entry in folder.entries()) == folder.total()


def test_what_a_killed_process_had_written_is_not_fetched_again(tmp_path: Path) -> None:
    with running(FETCH, tmp_path, SIZE, "attest") as process:
        for line in process.stdout:
            if line == "done\n":
                break
        process.kill()
        process.wait()
    store = RemoteStore()
    info = attest(store, BODY)
    with closing(make_reader(tmp_path)) as reader, closing(open_now(reader, store, info, recorded(BODY))) as payload:
        for start in range(0, SIZE, 128 << 10):
            assert BODY[start : start + (128 << 10)] == payload.read(start, 128 << 10, nothing)
    assert sum(length for _, length in store.ranges) <= 128 << 10
