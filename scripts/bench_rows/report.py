"""Figures as a markdown table, the machine they were taken on, and their place in docs/performance.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from datomfs import __version__
from scripts.bench_rows.measure import Beside, Figure, Goal, Series, in_ms

_BEGIN = "<!-- figures: written by `scripts/bench --write`, not by hand -->"
_END = "<!-- end of figures -->"
_HEAD = ("| row | datomfs | | beside it | ratio | goals |", "|---|---|---|---|---|---|")


def describe_machine(folder: Path, runs: int) -> str:
    """One line: processor, kernel, versions, the file system of `folder`, the load, how often was measured."""
    load = os.getloadavg()[0]
    return (
        f"{_processor()}, {os.cpu_count()} cores; Linux {platform.release()}, {_file_system(folder)}; "
        f"Python {platform.python_version()}, pyarrow {pa.__version__}, datomfs {__version__}; "
        f"load {load:.1f} at the start; {runs} runs of each side, in turn."
    )


def render_report(machine: str, figures: Sequence[Figure], unavailable: Sequence[str]) -> str:
    """The machine, the table, and a line for each row or side that could not be measured."""
    absent = [f"{figure.name}: {name} is missing: {why}" for figure in figures for name, why in figure.absent]
    missing = [f"- {line}" for line in (*unavailable, *absent)]
    return "\n".join([machine, "", *_HEAD, *map(_line, figures), *([""] if missing else []), *missing])


def replace_figures(page: str, report: str) -> str:
    """The page with the report between its two markers. Raises ValueError where they are not there."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError("the page has no place for figures: both markers must stand in it")
    return f"{before}{begin}\n\n{report}\n\n{end}{after}"


def _line(figure: Figure) -> str:
    beside = "<br>".join(_beside(one) for one in figure.beside) or "-"
    ratio = "-" if figure.ratio is None else f"{figure.ratio:.2f}"
    goals = "<br>".join(_goal(goal) for goal in figure.goals) or "-"
    cells = (figure.name, _times(figure.ours), figure.remarks, beside, ratio, goals)
    return f"| {' | '.join(cells)} |"


def _beside(one: Beside) -> str:
    return f"{one.name} {_times(one.series)}{', ' if one.remarks else ''}{one.remarks}"


def _goal(goal: Goal) -> str:
    return f"{goal.text}: {'yes' if goal.reached else '**no**'}, {goal.came_to}"


def _times(series: Series) -> str:
    return f"{in_ms(series.median)} ms ({in_ms(min(series.seconds))}-{in_ms(max(series.seconds))})"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        left, _, right = line.partition(" - ")
        if left.split()[2] == wanted:
            return right.split()[0]
    return "an unknown file system"
