"""The row `daemon`: how soon a mount of many projects is ready when nobody answers, and what memory daemons take."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.bench_rows.measure import Figure, Goal, RowUnavailable, Series, peak_memory
from scripts.bench_rows.mounting import serve_ours
from scripts.bench_rows.places import Workshop

_PROJECTS = 1000
_READY_S = 1
_MEMORY_MIB = 200
_ROW = "daemon"


def daemon(workshop: Workshop) -> Iterator[Figure]:
    """One figure: `datomfs mount` of 1,000 configured projects, beside nobody.

    Its second goal is of the memory of our daemons in all rows over S3 that this run has measured before.
    """
    workshop.check_machine()
    taken = [_mount_offline(workshop) for _ in range(workshop.runs)]
    ready = Series.of(seconds for seconds, _ in taken)
    workshop.daemon_peaks[_ROW] = max(memory for _, memory in taken)
    row, peak = max(workshop.daemon_peaks.items(), key=lambda each: each[1])
    mib = peak / (1 << 20)
    memory = Goal.at_most(_MEMORY_MIB, mib, f"MiB in any of {len(workshop.daemon_peaks)} figures")
    yield Figure(
        _ROW,
        ready,
        (),
        f"until a mount of {workshop.scaled(_PROJECTS):,} projects answers; the most memory of a daemon, in {row}, "
        f"is {mib:.0f} MiB",
        (Goal.at_most(_READY_S, ready.median, "s"), memory),
    )


def _mount_offline(workshop: Workshop) -> tuple[float, int]:
    """The seconds until a mount answered, and its daemon's peak of memory once its projects were listed."""
    projects = workshop.scaled(_PROJECTS)
    with tempfile.TemporaryDirectory(dir=workshop.folder) as folder, _nobody() as endpoint:
        settings = Path(folder, "datomfs", "config.toml")
        settings.parent.mkdir()
        sections = [f'[project.STUDY_{number:04d}]\nstore = "s3://bench/{number}"\n' for number in range(projects)]
        settings.write_text(f'[s3]\nendpoint = "{endpoint}"\n\n{"".join(sections)}', encoding="utf-8")
        keys = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
        environment = os.environ | keys | {"XDG_CONFIG_HOME": folder, "DATOMFS_CACHE_PATH": f"{folder}/cache"}
        environment.pop("AWS_ENDPOINT_URL", None)
        point = Path(folder, "mnt")
        start = time.perf_counter()
        with serve_ours(point, [], environment) as pid:
            seconds = time.perf_counter() - start
            listed = len(os.listdir(point))
            if listed != projects:
                raise RowUnavailable(f"{listed} of {projects} projects are listed")
            return seconds, peak_memory(pid)


@contextmanager
def _nobody() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
