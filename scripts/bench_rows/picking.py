"""The rows that read parts of a file over S3: `cols-pyarrow`, `cols-duckdb`, `cols-own-layout`, `random`."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench_rows.measure import Figure, Goal
from scripts.bench_rows.places import Workshop
from scripts.bench_rows.reader import random_reads as reads_of
from scripts.bench_rows.remote import RemoteFile
from scripts.bench_rows.sides import MB, direct, make_figure, mounts, no_slower_than, ours
from scripts.bench_rows.taking import OURS, Comparison, Side, compare

_FOREIGN_FACTOR = 1.25
_OWN_FACTOR = 1.08
_RANDOM_FACTOR = 3
_RANDOM_S = 1.8
_PYARROW, _POLARS, _HTTPFS = "pyarrow's S3 reader", "polars' S3 reader", "DuckDB's httpfs"


def cols_pyarrow(workshop: Workshop) -> Iterator[Figure]:
    """One figure: pyarrow reads two of twenty columns, beside other mounts and its own and polars' way to S3."""
    big = workshop.remote.big
    yield _pick(workshop, "cols-pyarrow", big, "pick_with_pyarrow", _FOREIGN_FACTOR, with_mounts=True)


def cols_duckdb(workshop: Workshop) -> Iterator[Figure]:
    """One figure: the same with DuckDB."""
    yield _pick(workshop, "cols-duckdb", workshop.remote.big, "pick_with_duckdb", _FOREIGN_FACTOR, with_mounts=True)


def cols_own_layout(workshop: Workshop) -> Iterator[Figure]:
    """Two figures: both on a payload that datomfs laid out, beside direct readers of the same object."""
    own = workshop.remote.own_layout
    for task in ("pick_with_pyarrow", "pick_with_duckdb"):
        name = f"cols-own-layout, {task.rpartition('_')[2]}"
        yield _pick(workshop, name, own, task, _OWN_FACTOR, with_mounts=False)


def random_reads(workshop: Workshop) -> Iterator[Figure]:
    """One figure: 150 reads here and there, beside other mounts."""
    remote, big = workshop.remote, workshop.remote.big
    comparison = compare(
        workshop.runs,
        [
            ours(remote, big.study.options, big.path, "read_at_random"),
            *mounts(remote, {big.key: big.file.path}, big.key, "read_at_random"),
        ],
    )
    asked = sum(size for _, size in reads_of(big.file.size))
    goals = [
        Goal.at_most(_RANDOM_FACTOR, comparison.received(OURS) / asked, "x the bytes asked for"),
        Goal.at_most(_RANDOM_S, comparison.series(OURS).median, "s"),
    ]
    yield make_figure(workshop, "random", comparison, goals, remarks=f"{asked / MB:.1f} MB asked for; ")


def _pick(workshop: Workshop, name: str, file: RemoteFile, task: str, factor: float, *, with_mounts: bool) -> Figure:
    remote = workshop.remote
    sides = [ours(remote, file.study.options, file.path, task)]
    if with_mounts:
        sides += mounts(remote, {file.key: file.file.path}, file.key, task)
    direct_sides = _direct(workshop, file, task)
    comparison = compare(workshop.runs, [*sides, *direct_sides])
    return make_figure(
        workshop,
        name,
        comparison,
        [_bytes_goal(comparison, file, factor), *no_slower_than(comparison, direct_sides[0].name)],
        remarks=f"{file.file.picked_bytes / MB:.1f} MB of columns; ",
    )


def _direct(workshop: Workshop, file: RemoteFile, task: str) -> list[Side]:
    remote = workshop.remote
    if task == "pick_with_duckdb":
        return [direct(remote, _HTTPFS, "pick_with_httpfs", file.key)]
    return [
        direct(remote, _PYARROW, "pick_with_pyarrow_s3", file.key),
        direct(remote, _POLARS, "pick_with_polars_s3", file.key),
    ]


def _bytes_goal(comparison: Comparison, file: RemoteFile, factor: float) -> Goal:
    return Goal.at_most(factor, comparison.received(OURS) / file.file.picked_bytes, "x the columns' bytes")
