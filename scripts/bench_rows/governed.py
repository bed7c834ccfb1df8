"""The row `portfolio`: a mount of 300 governed projects x 100 tables x 50 versions, in folders and over S3."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from scripts.bench_rows.measure import Figure, Goal, RowUnavailable, Series, peak_memory
from scripts.bench_rows.mounting import serve_ours
from scripts.bench_rows.places import Workshop
from scripts.bench_rows.portfolios import Extent, put_in_bucket, put_in_folders
from scripts.bench_rows.reader import list_folder
from scripts.bench_rows.remote import FAR
from tests.latency_proxy import Line

_EXTENT = Extent(300, 100, 50)
_WALKED = 30
"""How many projects are walked through with all versions listed: three times what a daemon remembers of tables."""
_READY_S = 2
_AGAIN_MS = 100
_MEMORY_MIB = 200
_REQUESTS = {"the mountpoint": 2, "a project": 3, "a table": 2}
"""The most that a first look may ask: is gov storage there and what does it list; ref, ref and manifest; and so on."""
_REMOTE_VERSIONS = 10
"""Of the tables in the bucket: there is an upload to each, and a table takes two requests however many it has."""


def portfolio(workshop: Workshop) -> Iterator[Figure]:
    """Four figures: until the mount is ready, `ls -l` again, a walk through many projects, and requests over S3."""
    workshop.check_machine()
    extent = Extent(*(workshop.scaled(count) for count in (_EXTENT.projects, _EXTENT.tables, _EXTENT.versions)))
    size = f"{extent.projects:,} projects x {extent.tables} tables x {extent.versions} versions"
    with tempfile.TemporaryDirectory(dir=workshop.in_memory or workshop.folder) as folder:
        options = put_in_folders(Path(folder, "stores"), extent)
        taken = [_look(Path(folder), extent, options) for _ in range(workshop.runs)]
        ready = Series.of(seconds for seconds, _ in taken)
        yield Figure("portfolio, ready", ready, (), size, (Goal.at_most(_READY_S, ready.median, "s"),))
        again = Series.of(seconds for _, seconds in taken)
        goal = Goal.at_most(_AGAIN_MS, again.median * 1e3, "ms")
        yield Figure("portfolio, ls", again, (), "the slowest of mountpoint, project and table, again", (goal,))
        yield _walk(workshop, Path(folder), extent, options)
    yield _ask(workshop, extent)


def _look(folder: Path, extent: Extent, options: Sequence[str]) -> tuple[float, float]:
    """The seconds until a mount lists its projects, and the most that any kind of directory takes the second time."""
    start = time.perf_counter()
    with _mounted(folder, options) as (point, _):
        if len(os.listdir(point)) != extent.projects:
            raise RowUnavailable("not all projects are listed")
        ready_s = time.perf_counter() - start
        slowest_s = 0.0
        for path in _directories(point, extent):
            list_folder(str(path))()
            begin = time.perf_counter()
            list_folder(str(path))()
            slowest_s = max(slowest_s, time.perf_counter() - begin)
        return ready_s, slowest_s


def _walk(workshop: Workshop, folder: Path, extent: Extent, options: Sequence[str]) -> Figure:
    """`find` through a tenth of the projects, with all versions listed."""
    walked = extent.project_names[: max(1, min(_WALKED, extent.projects // 10))]
    with _mounted(folder, [*options, "--list-versions"]) as (point, pid):
        start = time.perf_counter()
        command = ["find", *(str(point / project) for project in walked), "-name", "@*", "-size", "-1000k"]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.count("\n")  # noqa: S603
        seconds = time.perf_counter() - start
        memory = workshop.daemon_peaks["portfolio, find"] = peak_memory(pid)
    if found != len(walked) * extent.tables * extent.versions:
        raise RowUnavailable(f"{found} versions were found")
    return Figure(
        "portfolio, find",
        Series((seconds,)),
        (),
        f"{found:,} versions of {len(walked)} projects, all listed, once; "
        f"{seconds * 1e3 / len(walked) / extent.tables:.2f} ms a table",
        (Goal.at_most(_MEMORY_MIB, memory / (1 << 20), "MiB"),),
    )


def _ask(workshop: Workshop, extent: Extent) -> Figure:
    """What a mount of the same over S3 asks for."""
    remote = workshop.remote
    with remote.new_folder() as folder:
        remote.proxy.set_line(Line())
        extent = replace(extent, versions=min(extent.versions, _REMOTE_VERSIONS))
        options = put_in_bucket(folder, extent, remote.bucket, remote.open_store, filled=1)
        remote.proxy.set_line(FAR)
        remote.proxy.reset()
        start = time.perf_counter()
        with remote.mounted(options) as (point, _):
            os.listdir(point)
            ready_s = time.perf_counter() - start
            counts = [remote.proxy.traffic().request_count]
            for path in list(_directories(point, extent))[1:]:
                list_folder(str(path))()
                counts.append(remote.proxy.traffic().request_count)
    asked = [after - before for before, after in zip([0, *counts], counts, strict=False)]
    goals = [
        Goal.at_most(limit, count, f"requests for {what}")
        for (what, limit), count in zip(_REQUESTS.items(), asked, strict=True)
    ]
    return Figure("portfolio, over S3", Series((ready_s,)), (), "until its projects are listed, once", tuple(goals))


def _directories(point: Path, extent: Extent) -> Iterator[Path]:
    """One of each kind."""
    project = point / extent.project_names[0]
    yield from (point, project, project / extent.table_names[-1])


@contextmanager
def _mounted(folder: Path, options: Sequence[str]) -> Iterator[tuple[Path, int]]:
    with tempfile.TemporaryDirectory(dir=folder) as home:
        point = Path(home, "mnt")
        with serve_ours(point, options, os.environ | {"DATOMFS_CACHE_PATH": f"{home}/cache"}) as pid:
            yield point, pid
