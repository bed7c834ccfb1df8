"""Processes of their own for tests of what several daemons share."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

DEADLINE_S = 60
ROOT = Path(__file__).parents[2]
NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """A folder that every user can write to; those of pytest are of one user."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@contextmanager
def running(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that runs `code` with `sys.argv[1:]`; killed at the end, if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> str:
    """What a process says until it ends, which it must do well."""
    said, errors = process.communicate(timeout=DEADLINE_S)
    assert (0, "") == (process.returncode, errors)
    return said


def run(code: str, *arguments: object) -> str:
    """What a process says."""
    with running(code, *arguments) as process:
        return finish(process)


def run_together(code: str, *arguments: object, count: int = 2) -> list[str]:
    """What several processes say, each told its number as the last argument.

    Each says `ready` in a line, and waits for a line, so that they begin at one moment.
    """
    with ExitStack() as stack:
        processes = [stack.enter_context(running(code, *arguments, number)) for number in range(count)]
        for process in processes:
            assert "ready\n" == process.stdout.readline()
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        return [finish(process) for process in processes]
