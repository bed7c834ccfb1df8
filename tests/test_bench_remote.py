"""How `scripts/bench` measures over S3: sides, readers, other mounts; at a size where nothing takes long."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from scripts.bench_rows import __main__ as bench
from scripts.bench_rows.measure import MountFailed, RowUnavailable
from scripts.bench_rows.mounting import is_mounted, serve_in_foreground
from scripts.bench_rows.peers import S3fs
from scripts.bench_rows.reader import random_reads
from scripts.bench_rows.taking import OURS, Side, SideFailed, Taken, compare, read
from scripts.bench_rows.wide import PICKED, wide_table, write_foreign
from tests.latency_proxy import LatencyProxy, Traffic, start_proxy
from tests.mounts import kernel_test


@pytest.fixture(scope="module")
def proxy() -> Iterator[LatencyProxy]:
    """A proxy in front of nothing, for readers that ask nothing of it."""
    proxy = start_proxy(1)
    yield proxy
    proxy.stop()


def giving(found: int, **requests: int) -> Taken:
    return Taken((1.0,), found, Traffic(sum(requests.values()) * 100, 1, 1, requests))


# -- sides ---------------------------------------------------------------------------------------------------------


def test_each_round_asks_every_side_once() -> None:
    order: list[str] = []

    def noting(name: str) -> Side:
        def take() -> Taken:
            order.append(name)
            return giving(1)

        return Side(name, take)

    compare(3, [noting(name) for name in (OURS, "other", "third")])
    assert [OURS, "other", "third"] * 3 == order


def test_a_side_that_fails_is_named_with_the_reason_and_asked_no_more() -> None:
    asked: list[int] = []

    def refuse() -> Taken:
        asked.append(1)
        raise SideFailed("it is not installed")

    comparison = compare(3, [Side(OURS, lambda: giving(1)), Side("broken", refuse)])
    assert {"broken": "it is not installed"} == comparison.failures
    assert [OURS] == list(comparison.taken)
    assert [1] == asked


def test_a_side_that_finds_something_else_is_no_comparison() -> None:
    comparison = compare(3, [Side(OURS, lambda: giving(5)), Side("other", lambda: giving(4))])
    assert {"other": "other found 4 where others found 5"} == comparison.failures


def test_without_ours_there_is_no_row() -> None:
    def fail() -> Taken:
        raise MountFailed("datomfs", "line\nit cannot")

    with pytest.raises(RowUnavailable, match="datomfs failed: datomfs does not mount: it cannot"):
        compare(3, [Side(OURS, fail), Side("other", lambda: giving(1))])


def test_what_counts_is_the_most_that_passed() -> None:
    answers = iter([giving(1, GET=2), giving(1, GET=3, HEAD=1), giving(1, GET=1)])
    comparison = compare(3, [Side(OURS, lambda: next(answers))])
    assert 400 == comparison.received(OURS)
    assert (4, 1) == (comparison.requests(OURS), comparison.requests(OURS, "HEAD"))


# -- readers -------------------------------------------------------------------------------------------------------


def test_readers_find_what_is_in_a_file(proxy: LatencyProxy, tmp_path: Path) -> None:
    file = write_foreign(tmp_path / "wide.parquet", 500)
    environment = dict(os.environ)
    whole = read(proxy, environment, "read_whole", path=str(file.path), times=2)
    assert (file.size, 2) == (whole.found, len(whole.seconds))
    for task in ("pick_with_pyarrow", "pick_with_duckdb"):
        assert 500 == read(proxy, environment, task, path=str(file.path)).found
    assert 500 == read(proxy, environment, "read_footers", path=str(tmp_path)).found
    assert 1 == read(proxy, environment, "list_folder", path=str(tmp_path)).found
    assert file.size == read(proxy, environment, "read_whole_by_several", path=str(file.path), readers=3).found


def test_a_reader_that_fails_says_why(proxy: LatencyProxy, tmp_path: Path) -> None:
    with pytest.raises(SideFailed, match="No such file or directory"):
        read(proxy, dict(os.environ), "read_whole", path=str(tmp_path / "nowhere"))


def test_random_reads_are_the_same_ones_each_time_and_lie_in_the_file() -> None:
    reads = random_reads(500 << 20)
    assert reads == random_reads(500 << 20)
    assert 150 == len(reads)
    assert all(4096 <= size <= 1 << 20 and start + size <= 500 << 20 for start, size in reads)


def test_the_wide_file_is_the_same_each_time_in_groups_of_128_ki_rows(tmp_path: Path) -> None:
    rows = (128 << 10) + 10
    file = write_foreign(tmp_path / "wide.parquet", rows)
    found = pq.read_metadata(file.path)
    assert [128 << 10, 10] == [found.row_group(number).num_rows for number in range(found.num_row_groups)]
    assert (rows, 20) == (file.rows, found.num_columns)
    assert 0 < file.picked_bytes < file.size / 4
    assert wide_table(10, 1).equals(pq.read_table(file.path).slice(128 << 10))
    assert set(PICKED) < set(found.schema.names)


# -- mounts --------------------------------------------------------------------------------------------------------


def test_a_program_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SideFailed, match="s3fs is not installed"):
        S3fs("bench", {}).find_program()


def test_a_program_that_does_not_mount_is_quoted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('one line'); print('no such bucket')"]
    with (
        pytest.raises(MountFailed, match="does not mount: no such bucket"),
        serve_in_foreground(tmp_path / "mnt", command, dict(os.environ)),
    ):
        raise AssertionError("there is no mount")
    assert not is_mounted(tmp_path / "mnt")


@pytest.mark.slow
@pytest.mark.s3
@kernel_test[0]
@kernel_test[1]
def test_a_row_over_s3_counts_what_passed(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == bench.main(["cols-pyarrow", "--scale", "0.0005", "--no-peers"])
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| cols-pyarrow |"))
    assert " MB of columns; " in line
    assert " requests; daemon at most " in line
    assert "pyarrow's S3 reader " in line
    assert " x the columns' bytes: " in line
    assert not [mount for mount in Path("/proc/self/mounts").read_text().splitlines() if "datomfs-bench-" in mount]


@kernel_test[0]
@kernel_test[1]
def test_a_mount_of_many_projects_needs_nobody_to_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == bench.main(["daemon", "--scale", "0.005"])
    assert "until a mount of 5 projects answers" in capsys.readouterr().out


@kernel_test[0]
@kernel_test[1]
@pytest.mark.s3
def test_a_mount_of_a_portfolio_is_measured_in_folders_and_over_s3(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == bench.main(["portfolio", "--scale", "0.06", "--no-peers"])
    said = capsys.readouterr().out
    assert "18 projects x 6 tables x 3 versions" in said
    assert "18 versions of 1 projects, all listed" in said
    assert "≤ 2 requests for the mountpoint: yes, 2<br>≤ 3 requests for a project: yes, 3" in said
