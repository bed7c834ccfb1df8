"""The rows that read a file over S3 from beginning to end: `seq`, `readers8`, `warm`."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench_rows.measure import Figure, Goal
from scripts.bench_rows.places import Workshop
from scripts.bench_rows.sides import MB, direct, make_figure, mounts, ours
from scripts.bench_rows.taking import OURS, compare

_RANGES = "obstore, 8 x 8 MiB"
_GOAL_SPEED = 370
_GOAL_SHARE = 0.9


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
        share = comparison.series(_RANGES).median / comparison.series(OURS).median
        goals.append(Goal.at_least(_GOAL_SHARE, share, "x the speed of ranged GETs"))
    yield make_figure(workshop, "seq", comparison, goals, remarks=f"{big.file.size / MB:,.0f} MB, {speed:,.0f} MB/s; ")
