"""One index in the hands of several processes, and in bad places."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from datomfs.cache.index import Index
from tests.cache.processes import run_together, running

WORK = """
import random, sys
from pathlib import Path
from datomfs.cache.index import Index
folder, quota, number = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
index, choose, most = Index(folder / "index.sqlite3"), random.Random(number), 0
for step in range(150):
    name = f"{number}-{choose.randrange(8)}"
    count = choose.randrange(1, 40)
    if index.reserve(name, count, quota=quota, in_use=frozenset(), remove=lambda name: None) and choose.random() < 0.3:
        index.release(name, choose.randrange(count))
    most = max(most, index.total())
print(most)
"""

DIE = """
import os, sys
from pathlib import Path
from datomfs.cache.index import Index
index = Index(Path(sys.argv[1]))
index.reserve("whole", 10, quota=100, in_use=frozenset(), remove=print)
def wait(name):
    print("inside", flush=True)
    sys.stdin.readline()
index.reserve("torn", 95, quota=100, in_use=frozenset(), remove=wait)
"""


def test_several_processes_keep_one_quota(tmp_path: Path) -> None:
    """They begin with no database, at the same moment."""
    said = run_together(WORK, tmp_path, 200, count=3)
    assert all(100 < int(most) <= 200 for most in said)
    with closing(Index(tmp_path / "index.sqlite3")) as index:
        assert sum(entry.bytes for entry in index.entries()) == index.total()


def test_a_process_killed_inside_a_transaction_leaves_nothing_to_mend(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite3"
    with running(DIE, path) as process:
        assert "inside\n" == process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
        with closing(Index(path)) as index:
            assert {"whole": 10} == {entry.name: entry.bytes for entry in index.entries()}
            assert index.reserve("next", 90, quota=100, in_use=frozenset(), remove=lambda name: None)


@pytest.mark.parametrize("garbage", [b"no database", b"\0" * 5000, b"SQLite format 3\0" + b"\xff" * 5000], ids=len)
def test_garbage_is_said_to_be_no_database(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "index.sqlite3"
    path.write_bytes(garbage)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        Index(path)
    assert caught.value.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        Index(tmp_path / "nowhere" / "index.sqlite3")
