"""Running the command line in a test: in this process, or as the process a user starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its exit code, and what it wrote to standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.out.splitlines()


class Datomfs(Protocol):
    """The fixture `datomfs`: runs the command line with these arguments."""

    def __call__(self, *arguments: object) -> Outcome: ...


def run_process(
    *arguments: object,
    environment: Mapping[str, str] | None = None,
    stdout: int = subprocess.PIPE,
    encoding: str = "utf-8",
) -> Outcome:
    """`python -m datomfs ARGUMENTS`, under the environment of the test and `environment`, as a user has it.

    `stdout` is another file descriptor for its standard output, `encoding` what it writes in.
    """
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    result = subprocess.run(
        [sys.executable, "-m", "datomfs", *map(os.fsencode, map(str, arguments))],
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding=encoding,
        env={**ours, "PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": encoding, **(environment or {})},
        check=False,
    )
    return Outcome(result.returncode, result.stdout or "", result.stderr)
