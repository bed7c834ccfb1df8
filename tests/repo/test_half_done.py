"""What a killed process, a full disk or a colleague's hand leave in a clone, and what the next command makes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datomfs.errors import CloneBusy, CloneDirty, RemoteNotEmpty, RemoteRefused
from datomfs.write.project import clone_project, init_project
from datomfs.write.writer import pull_clone
from tests.builders import Study, git, make_remote, make_study, make_table


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study with one version of dm."""
    made = make_study(tmp_path)
    made.write("dm", make_table(), "first")
    return made


@pytest.fixture
def behind(tmp_path: Path, study: Study) -> Study:
    """A second clone, two versions of dm behind; its files are those of the first of the two, its branch is not."""
    colleague = study.colleague(tmp_path / "second")
    study.write("dm", make_table(4), "second")
    files = {path: (study.clone / path).read_bytes() for path in ("dm/metadata.json", ".datom/manifest.json")}
    study.write("dm", make_table(5), "third")
    for path, content in files.items():
        (colleague.clone / path).write_bytes(content)
    return colleague


def _pull(study: Study) -> tuple[int, tuple[str, ...]]:
    with study.repo() as repo:
        return pull_clone(repo, study.open_store)


def _leave_work_dir(study: Study) -> None:
    """What tells the next holder of the clone that the last one was killed."""
    (study.clone / ".git/datomfs-work").mkdir()


# -- files ---------------------------------------------------------------------------------------------------------


def test_files_of_a_commit_that_others_have_gone_on_from_count_as_clean(behind: Study) -> None:
    assert (2, ()) == _pull(behind)
    assert "" == git(behind.clone, "status", "--porcelain")


def test_a_file_half_written_by_a_killed_process_is_written_whole(behind: Study) -> None:
    manifest = behind.clone / ".datom/manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:20])
    (behind.clone / "dm/metadata.json").unlink()
    with pytest.raises(CloneDirty) as refused:
        _pull(behind)
    assert (".datom/manifest.json", "dm/metadata.json") == refused.value.files
    _leave_work_dir(behind)
    assert (2, ()) == _pull(behind)
    assert "" == git(behind.clone, "status", "--porcelain")
    assert not (behind.clone / ".git/datomfs-work").exists()


def test_an_edit_is_kept_even_after_a_killed_process(behind: Study) -> None:
    (behind.clone / "dm/metadata.json").write_text("mine\n")
    (behind.clone / "README.md").write_text("mine too\n")
    _leave_work_dir(behind)
    for _ in range(2):  # the first refusal must not make the second forget
        with pytest.raises(CloneDirty) as refused:
            _pull(behind)
        assert ("README.md", "dm/metadata.json") == refused.value.files


def test_a_staged_change_is_refused_also_when_the_file_looks_clean(study: Study) -> None:
    file = study.clone / "dm/metadata.json"
    content = file.read_bytes()
    file.write_text("{}\n")
    git(study.clone, "add", "-A")
    file.write_bytes(content)
    with pytest.raises(CloneDirty) as refused:
        _pull(study)
    assert ("dm/metadata.json",) == refused.value.files


def test_an_untracked_file_in_the_way_is_kept(tmp_path: Path, study: Study) -> None:
    colleague = study.colleague(tmp_path / "second")
    study.write("ex", make_table(), "first")
    (colleague.clone / "ex").mkdir()
    (colleague.clone / "ex/metadata.json").write_text("mine\n")
    with pytest.raises(CloneDirty) as refused:
        _pull(colleague)
    assert ("ex/metadata.json",) == refused.value.files
    assert "mine\n" == (colleague.clone / "ex/metadata.json").read_text()


# -- locks ---------------------------------------------------------------------------------------------------------

_OBJECT_LOCK = "objects/00/0000000000000000000000000000000000.lock"
_LOCKS = ("index.lock", "refs/heads/main.lock", "refs/remotes/origin/main.lock")


@pytest.mark.parametrize("lock", _LOCKS)
def test_a_lock_of_git_stops_a_write_before_anything(study: Study, lock: str) -> None:
    (study.clone / ".git" / lock).touch()
    tip = git(Path(study.remote), "rev-parse", "main")
    with pytest.raises(CloneBusy):
        study.write("dm", make_table(4), "second")
    assert tip == git(Path(study.remote), "rev-parse", "main")
    assert 1 == len(study.catalog.list_payloads("dm"))
    assert (study.clone / ".git" / lock).exists()


@pytest.mark.parametrize("lock", [*_LOCKS, _OBJECT_LOCK])
def test_a_lock_that_died_with_a_killed_process_is_removed(study: Study, lock: str) -> None:
    (study.clone / ".git" / lock).parent.mkdir(exist_ok=True)
    (study.clone / ".git" / lock).touch()
    _leave_work_dir(study)
    study.write("dm", make_table(4), "second")
    assert "" == git(study.clone, "status", "--porcelain")
    assert not (study.clone / ".git" / lock).exists()


# -- remotes -------------------------------------------------------------------------------------------------------


def test_the_words_of_a_hook_are_passed_on(study: Study) -> None:
    hook = Path(study.remote, "hooks/pre-receive")
    hook.write_text("#!/bin/sh\necho 'versions are frozen this week' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(RemoteRefused) as refused:
        study.write("dm", make_table(4), "second")
    assert "pre-receive hook declined; versions are frozen this week" == refused.value.reason


def test_a_remote_with_branches_of_any_name_is_not_empty(tmp_path: Path, study: Study) -> None:
    remote = make_remote(tmp_path / "branches.git")
    for branch in ("trunk", "develop"):
        git(study.clone, "push", "--quiet", str(remote), f"main:{branch}")
    place = replace(study.location, root=str(tmp_path / "new-store"))
    with pytest.raises(RemoteNotEmpty):
        init_project(tmp_path / "new", "OTHER", place, str(remote), study.open_store)
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "new-store").exists()
    assert "develop\ntrunk" == git(remote, "for-each-ref", "--format=%(refname:short)")


# -- a full disk ---------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system of one's own needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(folder: Path, leave: int) -> Path:
    status = os.statvfs(folder)
    filler = folder / "filler"
    filler.write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - leave)))
    return filler


@pytest.mark.parametrize("pages", [0, 2, 4])
def test_a_full_disk_is_named_and_the_same_write_goes_through_once_there_is_space(
    tiny_disk: Path, study: Study, pages: int
) -> None:
    """From no page at all, which stops the payload, to a few, which stop the commit or the files that follow."""
    clone_project(study.remote, tiny_disk / "clone")
    filler = _fill(tiny_disk, 4096 * pages)
    pq.write_table(make_table(4), study.clone.parent / "dm.parquet")
    # A process of its own: dulwich leaves files that it could not close.
    command = [
        sys.executable,
        "-m",
        "datomfs",
        "-C",
        str(tiny_disk / "clone"),
        "write",
        "dm",
        "dm.parquet",
        "-m",
        "2nd",
    ]
    stopped = subprocess.run(command, cwd=study.clone.parent, capture_output=True, text=True, check=False)
    assert (4, True) == (stopped.returncode, "no space left on the disk" in stopped.stderr), stopped.stderr
    assert [] == list((tiny_disk / "clone").glob(".git/datomfs-work/*"))
    filler.unlink()
    subprocess.run(command, cwd=study.clone.parent, check=True, capture_output=True)
    assert ["2nd", "first"] == [entry.message for entry in study.catalog.read_table("dm").history.entries]
    assert "" == git(tiny_disk / "clone", "status", "--porcelain")
