"""What a daemon reports of itself: the values, and the JSON they lie in beside its pid file.

Whoever asks how a mount does reads that file and never the mount, which may hang. Nothing here touches the kernel; the
daemon writes (`mount.beat`), `datomfs status` reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

BEAT_S = 2.0
"""How often a daemon looks whether there is news to write."""
HEARTBEAT_S = 10.0
"""How old the file of a daemon without news gets before it is written again."""
SILENT_S = 30.0
"""A daemon whose file is older than this does not work any more, whatever its process does."""

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class DocumentAge:
    """A project whose documents were read: when (seconds since 1970), and whether its store has been away since."""

    project: str
    read_at: float
    away: bool


@dataclass(frozen=True, slots=True)
class Report:
    """One daemon at one moment. Times are seconds since 1970, sizes bytes; counts begin with the process.

    `process_start` tells the process from a later one of the same pid: ticks since the machine began, field 22 of
    proc_pid_stat(5).
    `cache_bytes` is None where the cache cannot be asked.
    """

    mountpoint: str
    version: str
    pid: int
    process_start: int
    started_at: float
    written_at: float
    project_count: int = 0
    documents: Sequence[DocumentAge] = ()
    documents_read: int = 0
    open_files: int = 0
    requests: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    bytes_read: int = 0
    store_requests: Mapping[str, int] = field(default_factory=dict)
    store_failures: int = 0
    bytes_fetched: int = 0
    cache_path: str = ""
    cache_bytes: int | None = None
    cache_limit: int = 0
    reads: Mapping[str, int] = field(default_factory=dict)
    proofs: Mapping[str, int] = field(default_factory=dict)
    log: str | None = None


def render_report(report: Report) -> bytes:
    """The report as one JSON document."""
    return json.dumps({"format": _FORMAT, **asdict(report)}, separators=(",", ":")).encode()


def parse_report(data: bytes) -> Report:
    """What `render_report` made. Raises ValueError for anything else: a file may be torn, or of another release."""
    fields = json.loads(data)
    if not isinstance(fields, dict) or fields.pop("format", None) != _FORMAT:
        raise ValueError("it is no report of this release")
    try:
        documents = [DocumentAge(**_checked(document, _DOCUMENT)) for document in fields.pop("documents")]
        return Report(documents=documents, **_checked(fields, _REPORT))
    except (TypeError, KeyError) as error:
        raise ValueError(f"it lacks something, or has too much: {error}") from error


def _checked(fields: Any, kinds: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(fields, dict):
        raise ValueError(f"{fields!r} has no fields")  # noqa: TRY004 - told as all that is wrong with a document
    for name, value in fields.items():
        kind = kinds.get(name, int)
        counts = value.values() if kind is dict and isinstance(value, dict) else []
        if not isinstance(value, kind) or not all(isinstance(count, int) for count in counts):
            raise ValueError(f"{name} cannot be {value!r}")
    return fields


_DOCUMENT = {"project": str, "read_at": (int, float)}
_REPORT = {
    **dict.fromkeys(("mountpoint", "version", "cache_path"), str),
    **dict.fromkeys(("started_at", "written_at"), (int, float)),
    **dict.fromkeys(("requests", "errors", "store_requests", "reads", "proofs"), dict),
    "cache_bytes": (int, type(None)),
    "log": (str, type(None)),
}
"""What is no whole number; mappings are from names to such."""


def find_process_start(pid: int) -> int | None:
    """When a process began, in ticks since the machine did, or None where there is none (proc_pid_stat(5))."""
    try:
        stat = Path("/proc", str(pid), "stat").read_bytes()
    except OSError:
        return None
    # The second field is the program's name in parentheses, which may hold blanks and parentheses.
    state, *others = stat.rpartition(b")")[2].split()
    return None if state in (b"Z", b"X") else int(others[18])
