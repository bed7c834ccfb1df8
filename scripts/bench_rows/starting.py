"""The row `help`: how long the command line takes to come up, beside a Python that does nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from scripts.bench_rows.measure import Figure, Series, beside_native, in_turn, seconds_of
from scripts.bench_rows.mounting import PROGRAM
from scripts.bench_rows.places import Workshop


def show_help(workshop: Workshop) -> Iterator[Figure]:
    """One figure, after one run of each that is not counted."""
    sides = (lambda: _run(PROGRAM, "--help"), lambda: _run(sys.executable, "-c", "pass"))
    in_turn(1, *sides)
    ours, native = in_turn(workshop.runs, *sides)
    yield beside_native("help", Series.of(ours), Series.of(native), "`datomfs --help` beside `python -c pass`")


def _run(*command: str) -> float:
    return seconds_of(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))  # noqa: S603 - no shell
