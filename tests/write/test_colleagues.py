"""What others make of our writes: the reader `datom` from PyPI, a second clone, two writers at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import datom
import pyarrow as pa
import pytest

from datomfs.errors import WriteConflict
from datomfs.example.study import make_domain
from datomfs.repo.data_repo import DataRepo
from datomfs.write.plan import Action
from datomfs.write.writer import pull_clone
from tests.builders import Study, git, make_study, make_table


def _datom(study: Study) -> datom.Conn:
    return datom.get_conn(datom.store_local(study.location.root), project_name=study.name)


def test_the_python_reader_sees_the_same_versions_and_values(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    tables = [make_domain("lb", date(2026, month, 28)) for month in (1, 2, 3)]
    written = [study.write("lb", table, f"extract {month}") for month, table in enumerate(tables, 1)]
    study.write("lb", tables[0], "back to the first")

    reader = _datom(study)
    history = datom.history(reader, "lb")
    assert [result.version for result in reversed(written)] == list(history["version"])
    assert ["extract 3", "extract 2", "extract 1"] == list(history["commit_message"])
    assert all(len(commit) == 40 for commit in history["commit_sha"])
    for result, table in zip(written, tables, strict=True):
        assert table.equals(datom.read(reader, "lb", version=result.version, as_arrow=True))
    assert tables[0].equals(datom.read(reader, "lb", as_arrow=True))
    listed = datom.list_artifacts(reader, short_hash=False)
    assert [written[0].version] == list(listed["current_version"])


def test_a_second_clone_pulls_what_was_written_and_goes_on_from_there(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    colleague = study.colleague(tmp_path / "second")
    first = study.write("dm", make_table(), "first")

    with colleague.repo() as repo:
        assert (1, ()) == pull_clone(repo, colleague.open_store)
        assert study.clone.joinpath("dm/metadata.json").read_bytes() == repo.read("dm/metadata.json", repo.head)
    assert Action.UNCHANGED is colleague.write("dm", make_table()).action
    second = colleague.write("dm", make_table(5), "second")

    assert [second.version, first.version] == [
        entry.version for entry in study.catalog.read_table("dm").history.entries
    ]
    assert "" == git(colleague.clone, "status", "--porcelain")


def test_writers_of_different_tables_both_land(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study(tmp_path)
    colleague = study.colleague(tmp_path / "second")
    _before_first_push(monkeypatch, lambda: colleague.write("ex", make_table(4), "theirs"))

    study.write("dm", make_table(), "ours")

    rows = study.catalog.read_manifest().rows
    assert {"dm", "ex"} == set(rows)
    assert ["ours", "theirs", "Initialize datom repository"] == git(
        Path(study.remote), "log", "--format=%s", "main"
    ).splitlines()
    assert "" == git(study.clone, "status", "--porcelain")


def test_of_two_writers_of_one_table_the_second_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study(tmp_path)
    colleague = study.colleague(tmp_path / "second")
    _before_first_push(monkeypatch, lambda: colleague.write("dm", make_table(4), "theirs"))

    with pytest.raises(WriteConflict):
        study.write("dm", make_table(), "ours")

    assert ["theirs"] == [entry.message for entry in study.catalog.read_table("dm").history.entries]
    assert Action.NEW_DATA is study.write("dm", make_table(), "ours, after theirs").action


def test_publishing_late_does_not_put_an_older_state_over_a_newer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(tmp_path)
    colleague = study.colleague(tmp_path / "second")
    # Between our push and our publication somebody else writes both the same table and another one.
    original = DataRepo.advance
    pending = [lambda: colleague.write("dm", make_table(9), "newer"), lambda: colleague.write("ex", make_table(), "x")]

    def advance(repo: DataRepo, commit: str) -> None:
        original(repo, commit)
        if repo.path == study.clone:
            while pending:
                pending.pop(0)()

    monkeypatch.setattr(DataRepo, "advance", advance)
    study.write("dm", make_table(), "older")

    table = study.catalog.read_table("dm")
    assert ["newer", "older"] == [entry.message for entry in table.history.entries]
    assert "newer" == table.resolve(None).entry.message
    assert {"dm", "ex"} == set(study.catalog.read_manifest().rows)


def test_values_survive_the_way_through_the_store(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    data = pa.table({"only": pa.array(["a", None, "", "é"])})
    result = study.write("one column", data)
    assert data.equals(datom.read(_datom(study), "one column", as_arrow=True))
    assert result.version == study.catalog.read_table("one column").resolve(None).version


def _before_first_push(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Do `work` once, right before the next push."""
    original = DataRepo.push
    pending = [work]

    def push(repo: DataRepo, commit: str) -> bool:
        if pending:
            pending.pop()()
        return original(repo, commit)

    monkeypatch.setattr(DataRepo, "push", push)
