"""How the rows over S3 are measured: sides in turn, each reading in a fresh process, with what passed the proxy.

A side is whoever reads: a mount with a reader, or a reader without one. One that fails is named with the reason and
left out from then on, except ours, without which there is no row.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.bench_rows.measure import MountFailed, RowUnavailable, Series
from tests.latency_proxy import LatencyProxy, Traffic

OURS = "datomfs"

_REPOSITORY = Path(__file__).parents[2]
_DEADLINE_S = 150
_QUIET_S = 0.1
_SETTLE_S = 2.0
_SHOWN = 160


class SideFailed(Exception):
    """A side cannot be measured; the text says why."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One measurement: the seconds of each time the work was done, what it found, what passed, the daemon's peak."""

    seconds: tuple[float, ...]
    found: int
    traffic: Traffic
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Side:
    """Who reads, and one measurement of it, from nothing to nothing. `take` raises SideFailed or MountFailed."""

    name: str
    take: Callable[[], Taken]


@dataclass(slots=True)
class Comparison:
    """All measurements of each side that lasted, in the order of the sides, and why the others did not."""

    taken: dict[str, list[Taken]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def series(self, name: str, time_number: int = 0) -> Series:
        """The times of a side: of the first time it did its work, or of a later one."""
        return Series.of(one.seconds[time_number] for one in self.taken[name])

    def received(self, name: str) -> int:
        """The most bytes that passed in a measurement of a side."""
        return max(one.traffic.received for one in self.taken[name])

    def requests(self, name: str, method: str | None = None) -> int:
        """The most requests in a measurement of a side, all or those of a method."""
        counts = [one.traffic.requests for one in self.taken[name]]
        return max(sum(each.values()) if method is None else each.get(method, 0) for each in counts)

    def memory(self, name: str) -> int:
        """The highest peak of the daemon's memory, in bytes."""
        return max(one.memory for one in self.taken[name])


def compare(runs: int, sides: Sequence[Side]) -> Comparison:
    """Measure the sides in turn, `runs` rounds. Raises RowUnavailable when the first of them, ours, fails."""
    comparison = Comparison({side.name: [] for side in sides})
    for _ in range(runs):
        for side in sides:
            if side.name not in comparison.taken:
                continue
            try:
                taken = side.take()
                _check_answer(comparison, side.name, taken)
                comparison.taken[side.name].append(taken)
            except (SideFailed, MountFailed, OSError, subprocess.SubprocessError) as error:
                if side is sides[0]:
                    raise RowUnavailable(f"{side.name} failed: {_short(error)}") from error
                del comparison.taken[side.name]
                comparison.failures[side.name] = _short(error)
    return comparison


def read(
    proxy: LatencyProxy, environment: Mapping[str, str], task: str, *, memory: Callable[[], int] = int, **given: Any
) -> Taken:
    """Let a fresh process do a task of `reader`, with the counters at zero before it. Raises SideFailed.

    `memory` is asked afterwards. What the reader's end set going and did not wait for is counted too.
    """
    proxy.reset()
    command = [sys.executable, "-m", "scripts.bench_rows.reader", task, json.dumps(given)]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command,
            cwd=_REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_DEADLINE_S,
        )
    except subprocess.TimeoutExpired as error:
        raise SideFailed(f"{task} took more than {_DEADLINE_S} s") from error
    if done.returncode:
        raise SideFailed((done.stderr.strip().splitlines() or ["it ended without a word"])[-1])
    answer = json.loads(done.stdout)
    return Taken(tuple(answer["seconds"]), answer["found"], _settled(proxy), memory())


def _settled(proxy: LatencyProxy) -> Traffic:
    deadline = time.monotonic() + _SETTLE_S
    before = proxy.traffic()
    while time.monotonic() < deadline:
        time.sleep(_QUIET_S)
        now = proxy.traffic()
        if now == before:
            break
        before = now
    return before


def _check_answer(comparison: Comparison, name: str, taken: Taken) -> None:
    others = [one.found for series in comparison.taken.values() for one in series]
    if others and taken.found != others[0]:
        raise SideFailed(f"{name} found {taken.found} where others found {others[0]}")


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= _SHOWN else f"…{text[-_SHOWN:]}"
