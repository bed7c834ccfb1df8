"""Whether a file fits into memory, told before it is read: what is read here is read whole.

A table has to be in memory to be hashed and written anyway, so reading in pieces would only move the end of it. What
reading takes at its peak was measured as a multiple of the file's size (docs/importing.md).
"""

from __future__ import annotations

from pathlib import Path

from datomfs.errors import MemoryShort
from datomfs.model.sizes import render_size

_PEAK = {"csv": 4, "tsv": 4, "txt": 4, "psv": 4, "parquet": 4, "xls": 40, "xlsx": 40}
_PEAK_OF_OTHERS = 12
_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def check_memory(path: Path, format_: str) -> None:
    """Raise MemoryShort where reading a file would take more memory than is free, if the system tells."""
    needed = path.stat().st_size * _PEAK.get(format_, _PEAK_OF_OTHERS)
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
