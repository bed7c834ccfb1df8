"""The rows that read much of little over S3: `ls` of a thousand names, `footers` of two hundred tables."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench_rows.measure import Figure, Goal
from scripts.bench_rows.places import Workshop
from scripts.bench_rows.remote import RemoteStudy
from scripts.bench_rows.sides import direct, make_figure, mounts, ours
from scripts.bench_rows.taking import OURS, Comparison, compare

_LIST_REQUESTS = 2
_LIST_S = 0.15
_AGAIN_MS = 10
_FOOTERS_S = 2


def ls(workshop: Workshop) -> Iterator[Figure]:
    """Four figures: what `ls -l` asks of 1,000 versions and of 1,000 tables, the first time and the second.

    Others list the folder of the 1,000 payloads in both.
    """
    remote = workshop.remote
    versions = remote.many_versions
    yield from _list(workshop, "ls, versions", versions, f"{versions.project}/many", "--list-versions")
    tables = remote.many_tables
    yield from _list(workshop, "ls, tables", tables, tables.project)


def footers(workshop: Workshop) -> Iterator[Figure]:
    """One figure: the parquet metadata of 200 tables one after another, each opened by its plain name."""
    remote = workshop.remote
    small, copies = remote.small, remote.small_copies
    comparison = compare(
        workshop.runs,
        [
            ours(remote, small.options, small.project, "read_footers"),
            *mounts(remote, remote.small_files, copies, "read_footers", tuned=False),
            direct(remote, "pyarrow's S3 reader", "read_footers_with_pyarrow_s3", copies),
        ],
    )
    goals = [Goal.at_most(_FOOTERS_S, comparison.series(OURS).median, "s")]
    yield make_figure(workshop, "footers", comparison, goals, remarks=f"{len(small.tables)} tables; ")


def _list(workshop: Workshop, name: str, study: RemoteStudy, path: str, *options: str) -> Iterator[Figure]:
    remote = workshop.remote
    theirs = f"{remote.many_versions.prefix}many/"
    comparison = compare(
        workshop.runs,
        [
            ours(remote, [*study.options, *options], path, "list_folder", times=2),
            *mounts(remote, remote.tiny_files, theirs, "list_folder", tuned=False, times=2),
            direct(remote, "obstore", "list_with_obstore", theirs, times=2),
        ],
    )
    goals = [*_request_goals(comparison), Goal.at_most(_LIST_S, comparison.series(OURS).median, "s")]
    yield make_figure(workshop, name, comparison, goals, remarks="both times: ")
    again_ms = comparison.series(OURS, 1).median * 1e3
    yield make_figure(
        workshop,
        f"{name}, again",
        comparison,
        [Goal.at_most(_AGAIN_MS, again_ms, "ms")],
        remarks="both times: ",
        time_number=1,
    )


def _request_goals(comparison: Comparison) -> list[Goal]:
    return [
        Goal.at_most(_LIST_REQUESTS, comparison.requests(OURS), "requests"),
        Goal.at_most(0, comparison.requests(OURS, "HEAD"), "HEAD"),
    ]
