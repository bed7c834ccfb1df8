"""The sides that rows over S3 have in common: our mount and the other mounts with a file of theirs, direct readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.bench_rows.measure import Beside, Figure, Goal, peak_memory
from scripts.bench_rows.peers import PeerMount
from scripts.bench_rows.places import Workshop
from scripts.bench_rows.remote import Remote
from scripts.bench_rows.taking import OURS, Comparison, Side, Taken, read

MB = 1e6


def ours(remote: Remote, options: Sequence[str], path: str, task: str, **given: Any) -> Side:
    """A task at `path` in a fresh mount of ours with an empty cache."""

    def take() -> Taken:
        with remote.mounted(options) as (root, pid):
            return read(
                remote.proxy, remote.environment, task, memory=lambda: peak_memory(pid), path=str(root / path), **given
            )

    return Side(OURS, take)


def mounts(
    remote: Remote, files: Mapping[str, Path], path: str, task: str, *, tuned: bool = True, **given: Any
) -> list[Side]:
    """The same task at `path` in a fresh mount of each other kind; `files` by key are what they must hold for it.

    Not `tuned` leaves out what is tuned for the first read of a large file.
    """
    peers = [peer for peer in remote.peers if tuned or not peer.tuned]
    return [_mount_side(remote, peer, files, path, task, given) for peer in peers]


def direct(remote: Remote, name: str, task: str, key: str, **given: Any) -> Side:
    """A task of objects, at a key or a prefix of the bucket."""

    def take() -> Taken:
        return read(remote.proxy, remote.environment, task, bucket=remote.bucket, key=key, **given)

    return Side(name, take)


def make_figure(
    workshop: Workshop,
    name: str,
    comparison: Comparison,
    goals: Sequence[Goal],
    *,
    remarks: str = "",
    time_number: int = 0,
    also_ours: str | None = None,
) -> Figure:
    """The figure of a comparison, of the first time each side did its work or of a later one.

    A side that is `also_ours` only serves the goals.
    """
    workshop.daemon_peaks[name] = comparison.memory(OURS)
    others = [other for other in comparison.taken if other not in (OURS, also_ours)]
    return Figure(
        name,
        comparison.series(OURS, time_number),
        tuple(Beside(other, comparison.series(other, time_number), _passed(comparison, other)) for other in others),
        f"{remarks}{_passed(comparison, OURS)}; daemon at most {comparison.memory(OURS) / (1 << 20):.0f} MiB",
        tuple(goals),
        tuple(comparison.failures.items()),
    )


def no_slower_than(comparison: Comparison, other: str, factor: float = 1.0) -> list[Goal]:
    """The goal of taking at most so many times as long as another side; none where that one could not be measured."""
    if other not in comparison.taken:
        return []
    ratio = comparison.series(OURS).median / comparison.series(other).median
    return [Goal.at_most(factor, ratio, f"x {other}'s time")]


def _passed(comparison: Comparison, name: str) -> str:
    heads = comparison.requests(name, "HEAD")
    requests = comparison.requests(name)
    return f"{comparison.received(name) / MB:,.1f} MB, {requests:,} requests{f' ({heads:,} HEAD)' if heads else ''}"


def _mount_side(
    remote: Remote, peer: PeerMount, files: Mapping[str, Path], path: str, task: str, given: Mapping[str, Any]
) -> Side:
    def take() -> Taken:
        remote.ensure(peer, files)
        with remote.new_folder() as folder, peer.serve(folder) as (root, _):
            return read(remote.proxy, remote.environment, task, path=str(root / path), **given)

    return Side(peer.name, take)
