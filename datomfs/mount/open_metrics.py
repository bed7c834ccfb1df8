"""A daemon's report as OpenMetrics text, for a file that the node exporter's textfile collector reads.

Pure. The collector reads the older Prometheus format: what stands here is valid in both, so there are no types that
only one of them knows (`info`) and no timestamps; `# UNIT` and `# EOF` are comments to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from datomfs.mount.report import Report

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class _Family:
    """Samples of one name: each with the value of the family's one label, or with None where it has none."""

    name: str
    kind: str
    words: str
    label: str | None
    samples: Iterable[tuple[str | None, float]]


def render_metrics(report: Report) -> bytes:
    """All of a report. Every sample has the label `mountpoint`, so files of several mounts lie beside each other."""
    lines = [line for family in _families(report) for line in _render(family, report.mountpoint)]
    return "\n".join([*lines, "# EOF", ""]).encode()


def _families(report: Report) -> Iterator[_Family]:
    yield _Family(
        "datomfs_mount", "gauge", "A mount, and the release that serves it.", "version", [(report.version, 1)]
    )
    yield _gauge("start_time_seconds", "When the daemon began, since 1970.", report.started_at)
    yield _gauge(
        "written_time_seconds", "When this was written, since 1970; it is old when the daemon hangs.", report.written_at
    )
    yield _gauge("projects", "Projects that the mount shows.", report.project_count)
    yield _gauge(
        "projects_away",
        "Projects kept as they were, their store being away.",
        sum(each.away for each in report.documents),
    )
    if report.documents:
        oldest = min(each.read_at for each in report.documents)
        yield _gauge("oldest_document_time_seconds", "When the oldest documents were read, since 1970.", oldest)
    yield _gauge("open_files", "Payloads that programs have open.", report.open_files)
    yield _counters("requests", "Requests of the kernel.", "operation", report.requests)
    yield _counters("errors", "Requests that failed.", "errno", report.errors)
    yield _counter(
        "read_bytes", "Bytes given to programs; what the page cache gives is not among them.", report.bytes_read
    )
    yield _counter("document_reads", "Times that projects, tables, sets or listings were read.", report.documents_read)
    yield _counters("store_requests", "Requests to stores; a listing counts once.", "kind", report.store_requests)
    yield _counter("store_failures", "Requests to stores that failed.", report.store_failures)
    yield _counter("store_read_bytes", "Bytes that came from stores.", report.bytes_fetched)
    yield _counters("payload_reads", "Reads of fetched payloads, by where the bytes were.", "source", report.reads)
    yield _counters("proofs", "What proofs of payloads found.", "result", report.proofs)
    if report.cache_bytes is not None:
        yield _gauge("cache_bytes", "Bytes that the cache holds, for all who use it.", report.cache_bytes)
    yield _gauge("cache_limit_bytes", "Bytes that the cache may hold.", report.cache_limit)


def _gauge(name: str, words: str, value: float) -> _Family:
    return _Family(f"datomfs_{name}", "gauge", words, None, [(None, value)])


def _counter(name: str, words: str, value: float) -> _Family:
    return _Family(f"datomfs_{name}", "counter", words, None, [(None, value)])


def _counters(name: str, words: str, label: str, values: Mapping[str, int]) -> _Family:
    return _Family(f"datomfs_{name}", "counter", words, label, sorted(values.items()))


def _render(family: _Family, mountpoint: str) -> Iterator[str]:
    yield f"# HELP {family.name} {family.words}"
    yield f"# TYPE {family.name} {family.kind}"
    unit = family.name.rpartition("_")[2]
    if unit in ("bytes", "seconds"):
        yield f"# UNIT {family.name} {unit}"
    suffix = "_total" if family.kind == "counter" else ""
    for value, count in family.samples:
        labels = {"mountpoint": mountpoint, **({family.label: value} if family.label and value is not None else {})}
        text = ",".join(f'{name}="{label.translate(_ESCAPES)}"' for name, label in labels.items())
        yield f"{family.name}{suffix}{{{text}}} {count}"
