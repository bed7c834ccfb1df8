"""The rows that read a file over S3 from beginning to end: `seq`, `readers8`, `warm`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

from scripts.bench_rows.measure import Figure, Goal, forget_pages, peak_memory
from scripts.bench_rows.places import Workshop
from scripts.bench_rows.remote import Remote
from scripts.bench_rows.sides import MB, direct, make_figure, mounts, no_slower_than, ours
from scripts.bench_rows.taking import OURS, Comparison, Side, Taken, compare, read

_RANGES = "obstore, 8 x 8 MiB"
_GOAL_SPEED = 370
_GOAL_SHARE = 0.9
_ONE_READER = "datomfs, one reader"
_READERS = 8
_READERS_FACTOR = 1.2
_WHOLE_FACTOR = 1.01
"""Heads of answers and documents are no bytes of the file, and pass too."""
_NATIVE = "the file itself"
_TMPFS = "a copy in tmpfs"
_DISK_SPEED = 0.7


def seq(workshop: Workshop) -> Iterator[Figure]:
    """One figure: the first read of a file, beside other mounts and beside ranged GETs in parallel."""
    remote, big = workshop.remote, workshop.remote.big
    files = {big.key: big.file.path}
    comparison = compare(
        workshop.runs,
        [
            ours(remote, big.study.options, big.path, "read_whole"),
            *mounts(remote, files, big.key, "read_whole"),
            direct(remote, _RANGES, "fetch_with_obstore", big.key, size=big.file.size),
        ],
    )
    speed = big.file.size / comparison.series(OURS).median / MB
    goals = [Goal.at_least(_GOAL_SPEED, speed, "MB/s")]
    if _RANGES in comparison.taken:
        goals.append(_share_of(comparison, _RANGES))
    yield make_figure(workshop, "seq", comparison, goals, remarks=f"{big.file.size / MB:,.0f} MB, {speed:,.0f} MB/s; ")


def readers8(workshop: Workshop) -> Iterator[Figure]:
    """One figure: eight readers of one file at the same time, which nobody has read before."""
    remote, big = workshop.remote, workshop.remote.big
    several = "read_whole_by_several"
    one = ours(remote, big.study.options, big.path, several, readers=1)
    comparison = compare(
        workshop.runs,
        [
            ours(remote, big.study.options, big.path, several, readers=_READERS),
            replace(one, name=_ONE_READER),
            *mounts(remote, {big.key: big.file.path}, big.key, several, readers=_READERS),
        ],
    )
    goals = [
        Goal.at_most(_WHOLE_FACTOR, comparison.received(OURS) / big.file.size, "x the file's bytes"),
        *no_slower_than(comparison, _ONE_READER, _READERS_FACTOR),
    ]
    yield make_figure(workshop, "readers8", comparison, goals, also_ours=_ONE_READER)


def warm(workshop: Workshop) -> Iterator[Figure]:
    """Two figures: a second read, from memory, and one that finds the file in the mount's own cache on disk."""
    remote, big = workshop.remote, workshop.remote.big
    comparison = compare(
        workshop.runs,
        [
            ours(remote, big.study.options, big.path, "read_whole", times=2),
            *mounts(remote, {big.key: big.file.path}, big.key, "read_whole", tuned=False, times=2),
            *_native(workshop),
        ],
    )
    goals = [_share_of(comparison, _NATIVE, 1)] if _NATIVE in comparison.taken else []
    yield make_figure(workshop, "warm, page cache", comparison, goals, remarks="both reads: ", time_number=1)
    yield _from_disk(workshop)


def _from_disk(workshop: Workshop) -> Figure:
    remote, big = workshop.remote, workshop.remote.big
    files = {big.key: big.file.path}
    with remote.new_folder() as folder:
        sides = [_kept(remote, OURS, folder / "ours", lambda home: remote.mounted(big.study.options, home), big.path)]
        for peer in remote.peers:
            if peer.keeps_files and not peer.tuned:
                remote.ensure(peer, files)
                sides.append(_kept(remote, peer.name, folder / peer.name, peer.serve, big.key, peer.writes_down_s))
        comparison = compare(workshop.runs, sides)
    speed = big.file.size / comparison.series(OURS).median / 1e9
    goals = [Goal.at_least(_DISK_SPEED, speed, "GB/s")]
    return make_figure(workshop, "warm, disk cache", comparison, goals, remarks=f"{speed:.2f} GB/s; ")


def _kept(
    remote: Remote,
    name: str,
    home: Path,
    serve: Callable[[Path], AbstractContextManager[tuple[Path, int]]],
    path: str,
    wait_s: float = 0.0,
) -> Side:
    """A read of a file that an earlier mount has left in the cache in `home`, none of whose pages are in memory.

    That mount was left alone for `wait_s` after the file was closed.
    """

    def take() -> Taken:
        if not home.exists():
            home.mkdir()
            with serve(home) as (root, _):
                read(remote.proxy, remote.environment, "read_whole", path=str(root / path))
                time.sleep(wait_s)
        for file in (home / "cache").rglob("*"):
            if file.is_file() and file.stat().st_size:
                forget_pages(file)
        with serve(home) as (root, pid):
            where = str(root / path)
            return read(remote.proxy, remote.environment, "read_whole", memory=lambda: peak_memory(pid), path=where)

    return Side(name, take)


def _native(workshop: Workshop) -> list[Side]:
    """The file without a mount; and a copy in tmpfs, which is kept in pages as small as those of a mounted file."""
    remote, file = workshop.remote, workshop.remote.big.file.path
    places = {_NATIVE: file}
    if workshop.in_memory is not None:
        places[_TMPFS] = workshop.in_memory / file.name
        shutil.copyfile(file, places[_TMPFS])
    return [Side(name, partial(_read_here, remote, path)) for name, path in places.items()]


def _read_here(remote: Remote, file: Path) -> Taken:
    return read(remote.proxy, remote.environment, "read_whole", path=str(file), times=2)


def _share_of(comparison: Comparison, other: str, time_number: int = 0) -> Goal:
    """The goal of nearly the speed of another side."""
    share = comparison.series(other, time_number).median / comparison.series(OURS, time_number).median
    return Goal.at_least(_GOAL_SHARE, share, f"x the speed of {other}")
