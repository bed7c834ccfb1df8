"""The metrics, by the parsers of both formats that read them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from datomfs.mount.open_metrics import render_metrics
from datomfs.mount.report import DocumentAge, Report

REPORT = Report(
    "/mnt/datom", "0.1.0", 7, 99, 1000.5, 2000.25,
    project_count=3,
    documents=[DocumentAge("STUDY_001", 1999.5, False), DocumentAge("STUDY_002", 1500.0, True)],
    documents_read=9, open_files=4, requests={"read": 5, "lookup": 6}, errors={"EIO": 1}, bytes_read=10,
    store_requests={"get": 1, "list": 2}, store_failures=8, bytes_fetched=11, cache_path="/c", cache_bytes=12,
    cache_limit=100, reads={"memory": 1, "disk": 2, "store": 3}, proofs={"full": 1, "failed": 2},
)  # fmt: skip

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(report: Report) -> Samples:
    """All samples by name and the labels other than the mountpoint's, by the strict parser."""
    found: Samples = {}
    for family in parse_open_metrics(render_metrics(report).decode()):
        assert family.documentation
        for sample in family.samples:
            labels = dict(sample.labels)
            assert report.mountpoint == labels.pop("mountpoint")
            assert sample.timestamp is None
            found[sample.name, tuple(labels.items())] = sample.value
    return found


def test_all_of_a_report_is_told() -> None:
    assert {
        ("datomfs_mount", (("version", "0.1.0"),)): 1,
        ("datomfs_start_time_seconds", ()): 1000.5,
        ("datomfs_written_time_seconds", ()): 2000.25,
        ("datomfs_projects", ()): 3,
        ("datomfs_projects_away", ()): 1,
        ("datomfs_oldest_document_time_seconds", ()): 1500,
        ("datomfs_open_files", ()): 4,
        ("datomfs_requests_total", (("operation", "read"),)): 5,
        ("datomfs_requests_total", (("operation", "lookup"),)): 6,
        ("datomfs_errors_total", (("errno", "EIO"),)): 1,
        ("datomfs_read_bytes_total", ()): 10,
        ("datomfs_document_reads_total", ()): 9,
        ("datomfs_store_requests_total", (("kind", "get"),)): 1,
        ("datomfs_store_requests_total", (("kind", "list"),)): 2,
        ("datomfs_store_failures_total", ()): 8,
        ("datomfs_store_read_bytes_total", ()): 11,
        ("datomfs_payload_reads_total", (("source", "memory"),)): 1,
        ("datomfs_payload_reads_total", (("source", "disk"),)): 2,
        ("datomfs_payload_reads_total", (("source", "store"),)): 3,
        ("datomfs_proofs_total", (("result", "full"),)): 1,
        ("datomfs_proofs_total", (("result", "failed"),)): 2,
        ("datomfs_cache_bytes", ()): 12,
        ("datomfs_cache_limit_bytes", ()): 100,
    } == samples(REPORT)


def test_what_is_not_known_is_not_told() -> None:
    names = {name for name, _ in samples(replace(REPORT, documents=(), cache_bytes=None, errors={}))}
    assert names.isdisjoint({"datomfs_oldest_document_time_seconds", "datomfs_cache_bytes", "datomfs_errors_total"})


def test_counters_and_units_are_declared() -> None:
    families = {family.name: family for family in parse_open_metrics(render_metrics(REPORT).decode())}
    assert ("counter", "bytes") == (
        families["datomfs_store_read_bytes"].type,
        families["datomfs_store_read_bytes"].unit,
    )
    assert ("gauge", "seconds") == (
        families["datomfs_start_time_seconds"].type,
        families["datomfs_start_time_seconds"].unit,
    )
    assert {"counter", "gauge"} == {family.type for family in families.values()}  # the older format knows no others


def test_the_older_format_that_the_exporter_reads_has_the_same_samples() -> None:
    text = render_metrics(REPORT).decode()
    older, newer = (
        sorted(str((*sample[:2], float(sample[2]))) for family in parse(text) for sample in family.samples)
        for parse in (parse_prometheus, parse_open_metrics)
    )
    assert older == newer


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_mountpoint_of_any_name_is_a_label(name: str) -> None:
    assert samples(replace(REPORT, mountpoint=f"/{name}"))


@pytest.mark.parametrize("number", [0, 2**53, 2**63])
def test_large_numbers_are_numbers(number: int) -> None:
    assert float(number) == samples(replace(REPORT, bytes_read=number))["datomfs_read_bytes_total", ()]
