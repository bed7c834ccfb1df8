"""scripts/demo, run as a newcomer runs it: the story it prints, and that nothing of it stays."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

pytestmark = [pytest.mark.fuse, pytest.mark.slow, pytest.mark.xdist_group("demo")]


def mounts_under(folder: Path) -> list[str]:
    """The mounts below a folder."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [line.split()[4] for line in lines if line.split()[4].startswith(f"{folder}/")]


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """Where temporary folders go; whatever is still mounted in it afterwards is taken away."""
    yield tmp_path
    for mountpoint in mounts_under(tmp_path):
        subprocess.run(["fusermount3", "-uz", mountpoint], check=False)


def run_demo(temporary: Path, path: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(temporary), "PATH": path}
    return subprocess.run(
        [REPOSITORY / "scripts" / "demo"], env=environment, cwd="/", capture_output=True, text=True, check=False
    )


def after(lines: list[str], command: str) -> list[str]:
    """What was printed after a command, up to the next one."""
    at = next(index for index, line in enumerate(lines) if line.startswith(f"$ {command}"))
    rest = lines[at + 1 :]
    return rest[: next((index for index, line in enumerate(rest) if line.startswith(("$ ", "\x1b"))), len(rest))]


def test_the_demo_tells_its_story_and_leaves_nothing(temporary: Path) -> None:
    outcome = run_demo(temporary, os.environ["PATH"])
    assert (0, "") == (outcome.returncode, outcome.stderr)
    lines = [line for line in outcome.stdout.splitlines() if line]

    assert ["dm", "ex", "lb", "ae"] == [line.split()[0] for line in after(lines, "datomfs ls")[1:]]
    history = after(lines, "datomfs history")[1:]
    assert [f"extract of 2026-0{month}-28" for month in range(6, 0, -1)] == [
        found[0] for line in history if (found := re.search(r"extract of [\d-]+", line))
    ]
    current, first = history[0].split()[0], history[-1].split()[0]

    links = {line.split()[-3]: line.split()[-1] for line in after(lines, "ls -l mnt/EXAMPLE_201") if "->" in line}
    assert {"ae.parquet", "dm.parquet", "ex.parquet", "lb.parquet"} == set(links)
    assert f"dm/@{current}.parquet" == links["dm.parquet"]
    (real,) = after(lines, "realpath mnt/EXAMPLE_201/dm.parquet")
    assert real.endswith(f"/mnt/EXAMPLE_201/dm/@{current}.parquet")

    reads = [(lines[index], lines[index + 1]) for index, line in enumerate(lines) if line.startswith("$ python -c")]
    said = [(f"@{first}" in command, answer) for command, answer in reads]
    assert [
        (True, "9 subjects, says pyarrow"),
        (True, "9 subjects, says DuckDB"),
        (False, "48 subjects, says pyarrow"),
        (False, "48 subjects, says DuckDB"),
    ] == said
    assert "$ datomfs unmount mnt" == lines[-1]

    assert [] == mounts_under(temporary)
    assert [] == list(temporary.iterdir())


def test_a_demo_that_fails_half_way_leaves_no_mount_and_no_folder(temporary: Path) -> None:
    fakes = temporary.parent / "fakes"
    fakes.mkdir()
    (fakes / "realpath").write_text("#!/bin/sh\nexit 7\n", encoding="ascii")
    (fakes / "realpath").chmod(0o755)
    outcome = run_demo(temporary, f"{fakes}:{os.environ['PATH']}")
    assert 7 == outcome.returncode
    assert "mounted " in outcome.stdout
    assert [] == mounts_under(temporary)
    assert [] == list(temporary.iterdir())
