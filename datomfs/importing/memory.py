"""Whether a file fits into memory, told before it is read: what is read here is read whole.

A table has to be in memory to be hashed and written anyway, so reading in pieces would only move the end of it. What
reading takes at its peak was measured as a multiple of the file's size (docs/importing.md).
"""

from __future__ import annotations

from pathlib import Path

from datomfs.errors import MemoryShort
from datomfs.model.sizes import render_size

_PEAK_OF_SHEETS, _PEAK_OF_OTHERS = 80, 25
_PEAKS = {"csv": 9, "tsv": 9, "txt": 9, "psv": 9, "parquet": 4, "xls": _PEAK_OF_SHEETS, "xlsx": _PEAK_OF_SHEETS}
PEAK_OF_ODD_TEXT = 30
"""Of text whose rows are read one by one."""

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def check_format(path: Path, format_: str) -> None:
    """Raise MemoryShort where a file of a format needs more memory than is free."""
    check_memory(path, _PEAKS.get(format_, _PEAK_OF_OTHERS))


def check_memory(path: Path, peak: int) -> None:
    """Raise MemoryShort where reading a file takes more than is free: `peak` times its size. Passes if nobody knows."""
    needed = path.stat().st_size * peak
    available = find_free_memory()
    if available is not None and needed > available:
        raise MemoryShort(str(path), render_size(needed), render_size(available))


def find_free_memory() -> int | None:
    """The bytes this process may still take, by the kernel and by its control group; None where neither tells."""
    known = [free for free in (_free_of_system(), _free_of_group()) if free is not None]
    return min(known, default=None)


def _free_of_system() -> int | None:
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return None if found is None else int(found) * 1024


def _free_of_group() -> int | None:
    try:
        limit, used = ((_GROUP / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - int(used))
