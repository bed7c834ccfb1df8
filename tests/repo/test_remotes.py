"""Clones and remotes as they are met: folders, an HTTP host with a token, hooks, dirt, divergence, absence."""

from __future__ import annotations

import gc
import shutil
import socket
import warnings
from pathlib import Path

import pytest

from datomfs.errors import (
    CloneBusy,
    CloneDirty,
    CloneDiverged,
    ConfigInvalid,
    DirectoryNotEmpty,
    NotAClone,
    RemoteDenied,
    RemoteRefused,
    RemoteUnreachable,
)
from datomfs.repo.data_repo import DataRepo
from datomfs.write.project import clone_project
from datomfs.write.writer import pull_clone
from tests.builders import Study, git, make_remote, make_study, make_table
from tests.git_http import git_host

TOKEN = "a-token-of-the-test"  # noqa: S105


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_study(tmp_path)


def _hook(remote: str, name: str, script: str) -> None:
    hook = Path(remote, "hooks", name)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)


def _commit_and_push(folder: Path, message: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    git(folder, "push", "--quiet")


def _collect_dulwich_garbage() -> None:
    """dulwich leaves an answer it could not use, with its socket, to the collector; later that would fail a test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


# -- over HTTP -----------------------------------------------------------------------------------------------------


def test_a_project_lives_on_an_http_host_with_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_PAT", TOKEN)
    hosted = make_study(tmp_path)
    git(Path(hosted.remote), "config", "http.receivepack", "true")
    with git_host(tmp_path, TOKEN) as url:
        clone_project(f"{url}/STUDY_001.git", tmp_path / "http")
        study = Study(hosted.name, tmp_path / "http", f"{url}/STUDY_001.git", hosted.location, hosted.open_store)
        version = study.write("dm", make_table(), "over http").version
        assert version == hosted.catalog.read_table("dm").resolve(None).version
        with hosted.repo() as repo:
            assert (1, ()) == pull_clone(repo, hosted.open_store)
        assert TOKEN not in (study.clone / ".git/config").read_text()


@pytest.mark.parametrize("token", [None, "another-token"])
def test_a_missing_or_wrong_token_is_denied_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    make_study(tmp_path)
    if token:
        monkeypatch.setenv("GITHUB_PAT", token)
    with git_host(tmp_path, TOKEN) as url:
        with pytest.raises(RemoteDenied) as denied:
            clone_project(f"{url}/STUDY_001.git", tmp_path / "http")
        _collect_dulwich_garbage()
    assert "another-token" not in str(denied.value)
    assert not (tmp_path / "http").exists()


def test_a_url_with_a_password_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        DataRepo.create("https://dana:secret@example.org/x.git", tmp_path / "clone")
    assert "secret" not in str(refused.value)


# -- absence -------------------------------------------------------------------------------------------------------


def test_a_remote_that_is_not_there_is_unreachable_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    (tmp_path / "plain").mkdir()
    for url in (f"http://127.0.0.1:{port}/x.git", str(tmp_path / "nowhere.git"), str(tmp_path / "plain")):
        with pytest.raises(RemoteUnreachable):
            DataRepo.create(url, tmp_path / "clone")
        assert not (tmp_path / "clone").exists()


def test_a_remote_that_went_away_stops_a_write_before_anything(study: Study) -> None:
    study.write("dm", make_table(), "first")
    shutil.move(study.remote, f"{study.remote}.away")
    with pytest.raises(RemoteUnreachable):
        study.write("dm", make_table(5), "second")
    shutil.move(f"{study.remote}.away", study.remote)
    assert 1 == len(study.catalog.list_payloads("dm"))


# -- clones --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("branch", ["main", "master", "trunk"])
def test_a_new_project_follows_the_branch_its_remote_names(tmp_path: Path, branch: str) -> None:
    remote = make_remote(tmp_path / "remote.git", branch)
    clone = DataRepo.create(str(remote), tmp_path / "clone")
    try:
        commit = clone.commit({"a/b.txt": b"text\n"}, "first", parent=None)
        assert "" == git(clone.path, "status", "--porcelain")
        assert clone.push(commit)
        clone.advance(commit)
    finally:
        clone.close()
    assert "first" == git(remote, "log", "--format=%s", branch)
    assert "" == git(tmp_path / "clone", "status", "--porcelain")
    assert b"text\n" == (tmp_path / "clone/a/b.txt").read_bytes()


def test_a_clone_is_made_only_in_an_empty_folder(tmp_path: Path, study: Study) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    with pytest.raises(DirectoryNotEmpty):
        clone_project(study.remote, tmp_path / "full")
    assert "mine" == (tmp_path / "full/notes.txt").read_text()


def test_a_repository_that_is_no_project_is_not_cloned(tmp_path: Path) -> None:
    remote = make_remote(tmp_path / "other.git")
    git(tmp_path, "clone", "--quiet", str(remote), "work")
    (tmp_path / "work/file.txt").write_text("x")
    git(tmp_path / "work", "add", "-A")
    git(tmp_path / "work", "commit", "--quiet", "-m", "x")
    git(tmp_path / "work", "push", "--quiet", "origin", "HEAD")
    with pytest.raises(NotAClone):
        clone_project(str(remote), tmp_path / "clone")
    assert not (tmp_path / "clone").exists()


def test_a_folder_that_is_no_clone_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotAClone):
        DataRepo.open(tmp_path)


@pytest.mark.parametrize("dirt", ["edited", "staged", "deleted"])
def test_a_dirty_clone_is_refused_and_kept(study: Study, dirt: str) -> None:
    study.write("dm", make_table(), "first")
    file = study.clone / "dm/metadata.json"
    if dirt == "deleted":
        file.unlink()
    else:
        file.write_text("{}\n")
    if dirt == "staged":
        git(study.clone, "add", "-A")
    before = git(study.clone, "status", "--porcelain")
    with pytest.raises(CloneDirty) as refused:
        study.write("dm", make_table(5), "second")
    assert ("dm/metadata.json",) == refused.value.files
    assert before == git(study.clone, "status", "--porcelain")


def test_foreign_files_in_the_clone_are_let_alone(study: Study) -> None:
    (study.clone / "notes.md").write_text("mine")
    study.write("dm", make_table(), "first")
    assert "?? notes.md" == git(study.clone, "status", "--porcelain")


def test_a_diverged_clone_is_refused_with_both_counts(tmp_path: Path, study: Study) -> None:
    colleague = study.colleague(tmp_path / "second")
    colleague.write("dm", make_table(), "theirs")
    git(study.clone, "commit", "--quiet", "--allow-empty", "-m", "ours")
    with pytest.raises(CloneDiverged) as refused:
        study.write("ex", make_table(), "ours too")
    assert (1, 1) == (refused.value.ahead, refused.value.behind)


def test_own_commits_that_were_not_pushed_go_along(study: Study) -> None:
    git(study.clone, "commit", "--quiet", "--allow-empty", "-m", "a note by hand")
    study.write("dm", make_table(), "first")
    assert ["first", "a note by hand"] == git(Path(study.remote), "log", "-2", "--format=%s", "main").splitlines()


def test_a_clone_in_use_or_locked_by_a_killed_git_is_busy(study: Study) -> None:
    with study.repo() as repo, repo.locked(), pytest.raises(CloneBusy):
        study.write("dm", make_table(), "first")
    lock = study.clone / ".git/index.lock"
    lock.touch()
    with pytest.raises(CloneBusy) as busy:
        study.write("dm", make_table(), "first")
    assert "index.lock" in str(busy.value)
    lock.unlink()
    study.write("dm", make_table(), "first")
    assert "" == git(study.clone, "status", "--porcelain")


def test_files_a_killed_process_moved_ahead_of_the_branch_count_as_clean(tmp_path: Path, study: Study) -> None:
    colleague = study.colleague(tmp_path / "second")
    study.write("dm", make_table(), "first")
    with study.repo() as repo:
        ahead = {name: repo.read(name, repo.head) for name in ("dm/metadata.json", ".datom/manifest.json")}
    (colleague.clone / "dm").mkdir()
    for name, content in ahead.items():
        (colleague.clone / name).write_bytes(content or b"")
    with colleague.repo() as repo:
        assert (1, ()) == pull_clone(repo, colleague.open_store)
    assert "" == git(colleague.clone, "status", "--porcelain")


# -- pushing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["pre-receive", "update"])
def test_a_hook_that_refuses_is_heard_and_nothing_moves(study: Study, hook: str) -> None:
    _hook(study.remote, hook, "echo 'versions are frozen this week' >&2\nexit 1")
    with pytest.raises(RemoteRefused):
        study.write("dm", make_table(), "first")
    assert "" == git(study.clone, "status", "--porcelain")
    assert "Initialize datom repository" == git(Path(study.remote), "log", "--format=%s", "main")
    assert {} == dict(study.catalog.read_manifest().rows)


def test_of_two_pushes_from_one_state_one_wins(tmp_path: Path, study: Study) -> None:
    colleague = study.colleague(tmp_path / "second")
    with study.repo() as ours, colleague.repo() as theirs:
        commits = [
            (repo, repo.commit({"x.txt": text}, "x", repo.head)) for repo, text in ((ours, b"1"), (theirs, b"2"))
        ]
        assert [True, False] == [repo.push(commit) for repo, commit in commits]
