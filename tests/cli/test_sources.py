"""Where commands that read find projects: one by its store, or many through governance."""

from __future__ import annotations

from pathlib import Path

import pytest

from datomfs.model.location import Location
from tests.cli.command import Datomfs
from tests.mounts import stored_in
from tests.portfolios import Governance, make_governance

USAGE = 2


@pytest.fixture
def governance(tmp_path: Path) -> Governance:
    """Two projects in folders."""
    made = make_governance(tmp_path)
    for name in ("A", "B"):
        stored_in(tmp_path / "data" / name, name).put("dm", name.encode())
        made.register(name, Location("local", str(tmp_path / "data" / name)))
    return made


def roads(governance: Governance) -> list[list[str]]:
    """Every way to name what governs."""
    return [governance.by_repo, governance.by_store, [*governance.by_repo, *governance.by_store]]


def test_reading_commands_find_projects_through_governance(
    datomfs: Datomfs, governance: Governance, tmp_path: Path
) -> None:
    for road in roads(governance):
        options = (*road, "--allow-root", tmp_path / "data")
        assert ["A", "B"] == [line.split()[0] for line in datomfs("ls", *options).lines[1:]]
        assert "dm" in datomfs("ls", "A", *options).out
        assert 0 == datomfs("get", "B/dm", *options, "--output", tmp_path / "copy.parquet").code
        assert b"B" == (tmp_path / "copy.parquet").read_bytes()
        (tmp_path / "copy.parquet").unlink()


def test_a_root_is_taken_from_where_the_command_runs(
    datomfs: Datomfs, governance: Governance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert 0 == datomfs("ls", "A", *governance.by_repo, "--allow-root", "data").code
    refused = datomfs("ls", "A", *governance.by_repo, "--allow-root", "dat")
    assert (4, True) == (refused.code, "below no allowed root" in refused.err)


def test_roots_of_options_come_on_top_of_those_of_the_settings(
    datomfs: Datomfs, governance: Governance, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[gov]\nstore = "{governance.storage}"\nallow_roots = ["{tmp_path}/data/A"]\n')
    assert [0, 4] == [datomfs("ls", name, "--config", config).code for name in ("A", "B")]
    both = ("--config", config, "--allow-root", tmp_path / "data" / "B")
    assert [0, 0] == [datomfs("ls", name, *both).code for name in ("A", "B")]


def test_one_project_and_many_are_not_meant_at_a_time(datomfs: Datomfs, governance: Governance, tmp_path: Path) -> None:
    solo = ("--store", tmp_path / "data" / "A", "--project", "A")
    assert 0 == datomfs("ls", "A", *solo).code
    for road in roads(governance):
        assert USAGE == datomfs("ls", "A", *solo, *road).code
    for half in (solo[:2], solo[2:], ("--repo", governance.remote)):
        assert USAGE == datomfs("ls", *half).code


def test_a_project_that_nobody_registered_is_told_the_others(
    datomfs: Datomfs, governance: Governance, tmp_path: Path
) -> None:
    done = datomfs("ls", "C", *governance.by_repo, "--allow-root", tmp_path / "data")
    assert (3, True) == (done.code, "no project 'C': known are A, B\n" in done.err)
