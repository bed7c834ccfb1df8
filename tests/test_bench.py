"""What `scripts/bench` prints and leaves behind; how long anything takes is no business of a test."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest

from datomfs.identity.table import hash_table
from datomfs.mount.mountpoint import find_fstype
from scripts.bench_rows import __main__ as bench
from scripts.bench_rows.hashing import check_same_answer
from scripts.bench_rows.measure import (
    Beside,
    Figure,
    Goal,
    RowUnavailable,
    Series,
    Spent,
    beside_native,
    forget_pages,
    in_turn,
    spend,
)
from scripts.bench_rows.places import Workshop, open_workshop
from scripts.bench_rows.plain import plain_data_sha
from scripts.bench_rows.report import describe_machine, render_report, replace_figures
from scripts.bench_rows.tables import mixed_table
from tests.mounts import kernel_test

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder that Linux keeps in memory
TIMES = r"\S+ ms \(\S+-\S+\)"
LINE = re.compile(rf"\| [\w-]+ \| {TIMES} \| [^|]+ \| native {TIMES} \| \d+\.\d\d \| - \|")


def figure(ours: list[float], native: list[float]) -> Figure:
    return beside_native("row", Series.of(ours), Series.of(native), "as it is")


# -- the program ---------------------------------------------------------------------------------------------------


def test_one_row_gives_the_machine_and_a_table_of_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == bench.main(["data_sha", "--runs", "3", "--scale", "0.001"])
    machine, empty, head, rule, line = capsys.readouterr().out.splitlines()
    assert "" == empty
    assert re.search(r"\d+ cores; Linux .*; Python 3\..*, pyarrow \d.*; 3 runs of each side", machine)
    assert head.count("|") == rule.count("|") == line.count("|")
    assert LINE.fullmatch(line)
    assert line.startswith("| data_sha |")
    assert "500 x 20" in line


def test_a_row_that_the_machine_cannot_measure_is_named_with_the_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(workshop: Workshop) -> list[Figure]:
        raise RowUnavailable("there is no such thing here")

    monkeypatch.setattr(bench, "ROWS", {"odd": unavailable})
    assert 0 == bench.main([])
    assert "- odd was not measured: there is no such thing here" == capsys.readouterr().out.splitlines()[-1]


def test_a_fault_in_one_row_costs_that_row_alone_and_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def good(workshop: Workshop) -> list[Figure]:
        return [figure([1.0], [1.0])]

    def faulty(workshop: Workshop) -> list[Figure]:
        raise KeyError("no such thing")

    monkeypatch.setattr(bench, "ROWS", {"good": good, "faulty": faulty})
    assert 1 == bench.main([])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3].startswith("| row |")
    assert "- faulty was not measured, by a fault of the benchmark: KeyError('no such thing')" == lines[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--runs", "2"],
        ["--scale", "0"],
        ["--scale", "2"],
        ["--write", "help"],
        ["--write", "--scale", ".5"],
        ["--write", "--no-peers"],
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.main(arguments)
    assert "" == capsys.readouterr().out


# -- figures -------------------------------------------------------------------------------------------------------


def test_a_line_has_medians_extremes_and_the_ratio_of_the_medians() -> None:
    taken = figure([0.5, 0.1, 0.2], [0.04, 0.1, 2.0])
    line = render_report("machine", [taken], []).splitlines()[-1]
    assert "| row | 200 ms (100-500) | as it is | native 100 ms (40-2,000) | 2.00 | - |" == line


def test_a_line_compares_with_the_fastest_and_says_which_goals_are_reached() -> None:
    beside = (Beside("slow", Series.of([4.0]), "3 requests"), Beside("fast", Series.of([2.0])))
    goals = (Goal.at_most(2, 3, "requests"), Goal.at_least(370, 400, "MB/s"))
    row = Figure("row", Series.of([1.0]), beside, "as it is", goals, (("gone", "it is not installed"),))
    line, empty, absent = render_report("machine", [row], []).splitlines()[-3:]
    assert line.endswith("| 0.50 | ≤ 2 requests: **no**, 3<br>≥ 370 MB/s: yes, 400 |")
    assert "slow 4,000 ms (4,000-4,000), 3 requests<br>fast 2,000 ms (2,000-2,000)" in line
    assert ("", "- row: gone is missing: it is not installed") == (empty, absent)


def test_a_line_with_nobody_beside_it_has_no_ratio() -> None:
    line = render_report("machine", [Figure("row", Series.of([1.0]), (), "as it is")], []).splitlines()[-1]
    assert "| row | 1,000 ms (1,000-1,000) | as it is | - | - | - |" == line


def test_sides_are_measured_in_turn() -> None:
    order: list[str] = []
    in_turn(3, lambda: order.append("ours"), lambda: order.append("native"))
    assert ["ours", "native"] * 3 == order


def test_memory_is_what_the_work_added_at_its_peak() -> None:
    size = 64 << 20
    earlier = bytearray(b"x") * (3 * size)
    del earlier
    taken = spend(lambda: str(len(bytearray(b"x") * size)))
    assert str(size) == taken.answer
    assert 0.9 * size < taken.memory < 1.5 * size  # the kernel counts pages in batches


def test_a_figure_of_two_answers_is_none() -> None:
    with pytest.raises(ValueError, match="disagree"):
        check_same_answer([Spent(1.0, 0, "a"), Spent(1.0, 0, "b")])


def test_the_table_is_the_same_each_time_and_plain_numpy_finds_its_data_sha() -> None:
    shas = {hash_table(mixed_table(2000)).data_sha, plain_data_sha(mixed_table(2000))}
    assert 1 == len(shas)


# -- the page ------------------------------------------------------------------------------------------------------


def test_only_what_is_between_the_markers_of_the_page_is_replaced() -> None:
    page = (Path(__file__).parents[1] / "docs" / "performance.md").read_text(encoding="utf-8")
    report = render_report("machine", [figure([1.0], [1.0])], [])
    replaced = replace_figures(page, report)
    assert 1 == replaced.count(report)
    assert page.splitlines()[0] == replaced.splitlines()[0]
    assert page.splitlines()[-1] == replaced.splitlines()[-1]
    assert replaced == replace_figures(replaced, report)


def test_a_page_without_markers_is_left_alone() -> None:
    with pytest.raises(ValueError, match="markers"):
        replace_figures("# a page\n", "report")


# -- what is left behind -------------------------------------------------------------------------------------------


def test_the_users_environment_is_hidden_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATOMFS_MOUNT_REFRESH_S", "5")
    monkeypatch.setenv("AWS_PROFILE", "acme")
    before = dict(os.environ)
    with open_workshop(3, 0.001):
        assert not {"DATOMFS_MOUNT_REFRESH_S", "AWS_PROFILE"} & set(os.environ)
        assert before["XDG_CACHE_HOME"] != os.environ["XDG_CACHE_HOME"]
    assert before == dict(os.environ)


def test_pages_of_a_file_are_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(1 << 20))
    if ", tmpfs;" in describe_machine(tmp_path, 3):
        pytest.skip("temporary files are kept in memory")
    forget_pages(file)
    with file.open("rb") as opened, pytest.raises(BlockingIOError):
        os.preadv(opened.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)


@pytest.mark.skipif(not MEMORY.is_mount(), reason="there is no folder that lives in memory")
def test_a_file_that_lives_in_memory_is_never_called_cold() -> None:
    with tempfile.NamedTemporaryFile(dir=MEMORY) as file:
        file.write(bytes(1 << 16))
        file.flush()
        with pytest.raises(RowUnavailable, match="16 pages stay in memory"):
            forget_pages(Path(file.name))


@kernel_test[0]
@kernel_test[1]
def test_a_run_that_is_interrupted_leaves_neither_mount_nor_folder() -> None:
    points: list[Path] = []

    def be_interrupted(workshop: Workshop) -> None:
        with workshop.mounted(workshop.in_folder) as mounted:
            points.append(mounted.file.parents[2])
            assert "fuse.datomfs" == find_fstype(points[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_workshop(3, 0.001) as workshop:
        be_interrupted(workshop)
    assert find_fstype(points[0]) is None
    assert not workshop.folder.exists()
