"""Clock, memory and page cache: how a figure comes about.

Two sides of a row are measured in turn, A B A B, so that a disturbance of the machine falls on both. What needs memory
counted runs in a fresh process of its own, as a user's command would. Linux only: /proc, posix_fadvise, mincore.
"""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_STATUS = Path("/proc/self/status")
_RESET_PEAK = "5"


class RowUnavailable(Exception):
    """This machine cannot measure the row; the text says why."""


class MountFailed(Exception):
    """A program did not mount; the text has its name and the end of what it said."""

    def __init__(self, program: str, said: str) -> None:
        lines = said.strip().splitlines()
        super().__init__(f"{program} does not mount: {lines[-1] if lines else 'it said nothing'}")


@dataclass(frozen=True, slots=True)
class Series:
    """The times of one side, in seconds, in the order they were taken."""

    seconds: tuple[float, ...]

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Series:
        """A series of these."""
        return cls(tuple(seconds))

    @property
    def median(self) -> float:
        """What stands for the side."""
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class Beside:
    """Who does the same without datomfs: its times, and what else there is to say of it."""

    name: str
    series: Series
    remarks: str = ""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a row is to reach, what it came to, and whether that is enough."""

    text: str
    came_to: str
    reached: bool

    @classmethod
    def at_most(cls, limit: float, value: float, unit: str) -> Goal:
        """A value that is not to exceed a limit."""
        return cls(f"≤ {limit:g} {unit}", f"{value:.3g}", value <= limit)

    @classmethod
    def at_least(cls, limit: float, value: float, unit: str) -> Goal:
        """A value that is not to fall below a limit."""
        return cls(f"≥ {limit:g} {unit}", f"{value:.3g}", value >= limit)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: ours, those beside it, what else there is to say of ours, and what it is to reach."""

    name: str
    ours: Series
    beside: tuple[Beside, ...]
    remarks: str
    goals: tuple[Goal, ...] = ()
    absent: tuple[tuple[str, str], ...] = ()
    """Who should stand beside us and does not, and why."""

    @property
    def ratio(self) -> float | None:
        """Our time in times of the fastest beside us; None where nobody is."""
        if not self.beside:
            return None
        return self.ours.median / min(one.series.median for one in self.beside)


def beside_native(name: str, ours: Series, native: Series, remarks: str) -> Figure:
    """A figure of ours and of what the machine does without us."""
    return Figure(name, ours, (Beside("native", native),), remarks)


@dataclass(frozen=True, slots=True)
class Spent:
    """What one piece of work took: seconds, bytes of memory at its peak beyond those at its start; and its answer."""

    seconds: float
    memory: int
    answer: str


def in_turn(runs: int, *sides: Callable[[], T]) -> list[list[T]]:
    """The results of each side, after `runs` rounds through all of them."""
    results: list[list[T]] = [[] for _ in sides]
    for _ in range(runs):
        for side, taken in zip(sides, results, strict=True):
            taken.append(side())
    return results


def in_ms(seconds: float) -> str:
    """Seconds as people read them here: whole milliseconds from 100 on, three digits below."""
    ms = seconds * 1e3
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:.3g}"


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_new_process(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` gives in a process that has done nothing else; both ways through pickle."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *args, **kwargs).result()


def spend(work: Callable[[], str]) -> Spent:
    """Time and memory of `work` in this process.

    The peak is VmHWM, which the kernel can be told to forget (proc_pid_clear_refs(5)). getrusage's ru_maxrss cannot be
    used: a process inherits its parent's.
    """
    Path("/proc/self/clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    before = _memory("VmRSS")
    start = time.perf_counter()
    answer = work()
    seconds = time.perf_counter() - start
    return Spent(seconds, _memory("VmHWM") - before, answer)


def peak_memory(pid: int) -> int:
    """The most memory a process has had, in bytes."""
    return _memory("VmHWM", Path(f"/proc/{pid}/status"))


def forget_pages(file: Path) -> None:
    """Drop a file from the page cache, and see that it is gone. Raises RowUnavailable where files live in memory."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        left = _resident_pages(opened.fileno())
    if left:
        raise RowUnavailable(f"{left} pages stay in memory; TMPDIR must name a folder on a disk")


def _resident_pages(fd: int) -> int:
    """How many pages of a file are in the page cache (mincore(2))."""
    # A private writable mapping, which is never written to, is the only one ctypes gives the address of.
    with mmap.mmap(fd, 0, access=mmap.ACCESS_COPY) as mapping:
        pages = (ctypes.c_ubyte * -(-len(mapping) // mmap.PAGESIZE))()
        first = ctypes.c_char.from_buffer(mapping)
        failed = ctypes.CDLL(None, use_errno=True).mincore(
            ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(len(mapping)), pages
        )
        del first  # the mapping cannot be closed as long as somebody knows its address
    if failed:
        raise OSError(ctypes.get_errno(), "mincore")
    return sum(page & 1 for page in pages)


def _memory(field: str, status: Path = _STATUS) -> int:
    for line in status.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise ValueError(f"no {field} in {status}")
