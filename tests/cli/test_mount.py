"""mount and unmount as far as they go without a mount; tests/mount has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Datomfs


@pytest.mark.parametrize("options", [[], ["--lazy"]])
def test_what_is_not_mounted_cannot_be_unmounted(datomfs: Datomfs, tmp_path: Path, options: list[str]) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        outcome = datomfs("unmount", *options, path)
        assert (9, "") == (outcome.code, outcome.out)
        assert f"datomfs: no datomfs mount at {path}\n" == outcome.err


@pytest.mark.fuse
def test_a_mountpoint_must_be_an_empty_folder(datomfs: Datomfs, source: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "full" / "of").mkdir(parents=True)
    missing = datomfs("mount", tmp_path / "nowhere", *source)
    assert (9, f"Create it first: mkdir -p {tmp_path}/nowhere") == (missing.code, missing.err.splitlines()[1])
    full = datomfs("mount", tmp_path / "full", *source)
    assert (9, "") == (full.code, full.out)
    assert "full is not empty" in full.err
    assert "Name an empty folder" in full.err


@pytest.mark.fuse
@pytest.mark.parametrize(
    ("project", "store", "code"), [("STUDY_001", "nowhere", 4), ("STUDY_001", ".", 3), ("../x", ".", 2)]
)
def test_a_project_that_cannot_be_shown_is_told_before_anything_is_mounted(
    datomfs: Datomfs, tmp_path: Path, project: str, store: str, code: int
) -> None:
    (tmp_path / "mnt").mkdir()
    outcome = datomfs("mount", tmp_path / "mnt", "--store", tmp_path / store, "--project", project)
    assert (code, "") == (outcome.code, outcome.out)
    assert [] == list((tmp_path / "mnt").iterdir())
