"""One object of the cache in the hands of several processes."""

from __future__ import annotations

import os
from pathlib import Path

from datomfs.cache.block_file import map_path
from tests.cache.block_files import opened
from tests.cache.processes import NOBODY, as_root, folder_for_all, run, run_together

SIZE = 3_000_000
BODY = bytes(range(251)) * (SIZE // 251 + 1)

FILL = """
import sys
from pathlib import Path
from datomfs.cache.block_file import BlockFile
size, number = int(sys.argv[2]), int(sys.argv[3])
body = (bytes(range(251)) * (size // 251 + 1))[:size]
print("ready", flush=True)
sys.stdin.readline()
file = BlockFile(Path(sys.argv[1]), size)
step = (10_007, 30_011)[number]
starts = list(range(0, size, step))
for start in reversed(starts) if number else starts:
    if file.read(start, min(start + step, size)) is None:
        file.write(start, memoryview(body)[start : start + step])
    file.refresh()
    seen = file.read(0, min(start + step, size))
    assert seen is None or seen == body[: len(seen)]
print(file.is_complete and file.read(0, size) == body)
"""


def test_two_processes_fill_one_file_from_both_ends(tmp_path: Path) -> None:
    path = tmp_path / "object"
    assert ["True\n", "True\n"] == run_together(FILL, path, SIZE)
    with opened(path, SIZE) as file:
        assert BODY[:SIZE] == file.read(0, SIZE)


def test_two_processes_begin_one_file_at_the_same_moment(tmp_path: Path) -> None:
    for attempt in range(3):
        path = tmp_path / f"object-{attempt}"
        assert ["True\n", "True\n"] == run_together(FILL, path, 100_000)
        with opened(path, 100_000) as file:
            assert file.is_complete


@as_root
def test_whose_file_it_is_can_be_told() -> None:
    code = """
import os, sys
from pathlib import Path
from datomfs.cache.block_file import BlockFile
os.seteuid(int(sys.argv[2]))
file = BlockFile(Path(sys.argv[1]), 10)
print(file.is_ours)
os.seteuid(0)
print(file.is_ours)
"""
    with folder_for_all() as folder:
        assert "True\nFalse\n" == run(code, folder / "object", NOBODY)


@as_root
def test_a_file_of_somebody_elses_with_a_map_of_ours_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "object").write_bytes(b"0123456789")
    os.chown(tmp_path / "object", NOBODY, NOBODY)
    with opened(tmp_path / "object", 10) as file:
        assert os.geteuid() == map_path(file.path).stat().st_uid
        assert not file.is_ours
