"""History in git's order, held against git itself: merges, commits of one second, clocks askew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hypothesis.strategies as st
import pytest
from dulwich.objects import ObjectID
from dulwich.repo import Repo
from hypothesis import given, settings

from datomfs.repo.mirror import Mirror
from datomfs.repo.walk import Read, find_entry, list_files, read_step, states_of, walk
from tests.builders import git
from tests.repo.histories import Made, make_history

SECONDS = range(1_700_000_000, 1_700_000_006)
PATHS = ("dm/metadata.json", "ex/metadata.json")


@st.composite
def histories(draw: st.DrawFn) -> list[Made]:
    """Up to a dozen commits within few seconds, in any order of time, with merges and several roots."""
    commits = []
    for number in range(draw(st.integers(1, 12))):
        parents = draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True)) if number else []
        paths = draw(st.sets(st.sampled_from(PATHS)))
        files = {path: b"%d" % draw(st.integers(0, 3)) for path in sorted(paths)}
        commits.append(Made(draw(st.sampled_from(SECONDS)), parents, files))
    return commits


@contextmanager
def opened(path: Path) -> Iterator[tuple[Read, bytes]]:
    """The objects of a repository, and the commit it is at."""
    repo = Repo(str(path))
    try:
        yield lambda sha: repo.object_store.get_raw(ObjectID(sha))[1], repo.head()
    finally:
        repo.close()


@settings(max_examples=40)
@given(commits=histories())
def test_commits_come_as_rev_list_has_them(tmp_path_factory: pytest.TempPathFactory, commits: Sequence[Made]) -> None:
    remote = make_history(tmp_path_factory.mktemp("git") / "remote.git", commits)
    with opened(remote) as (read, tip):
        assert git(remote, "rev-list", "main").splitlines() == [step.commit.decode() for step in walk(read, tip)]


@settings(max_examples=40)
@given(commits=histories())
def test_the_commit_of_a_moment_is_the_one_git_gives(
    tmp_path_factory: pytest.TempPathFactory, commits: Sequence[Made]
) -> None:
    folder = tmp_path_factory.mktemp("git")
    remote = make_history(folder / "remote.git", commits)
    mirror = Mirror(str(remote), folder / "mirrors")
    mirror.fetch()
    for second in range(min(SECONDS) - 1, max(SECONDS) + 2):
        expected = git(remote, "rev-list", "-1", f"--before={second} +0000", "main") or None
        assert expected == mirror.tip_at(second * 10**9 + 999_999_999)
        assert expected == mirror.tip_at(second * 10**9)


@settings(max_examples=40)
@given(commits=histories())
def test_a_commit_changed_a_file_where_it_differs_from_all_parents(
    tmp_path_factory: pytest.TempPathFactory, commits: Sequence[Made]
) -> None:
    remote = make_history(tmp_path_factory.mktemp("git") / "remote.git", commits)
    for path in PATHS:
        with opened(remote) as (read, tip):
            found = [(commit.decode(), read(blob)) for commit, blob in states_of(read, tip, path)]
        expected = [
            (commit, git(remote, "show", f"{commit}:{path}").encode())
            for commit in reversed(git(remote, "rev-list", "main").splitlines())
            if _changes(remote, commit, path)
        ]
        assert expected == found


def _changes(remote: Path, commit: str, path: str) -> bool:
    own = git(remote, "ls-tree", commit, "--", path)
    parents = git(remote, "rev-list", "--parents", "-1", commit).split()[1:]
    return bool(own) and all(own != git(remote, "ls-tree", parent, "--", path) for parent in parents)


def test_a_time_that_cannot_be_read_is_second_0() -> None:
    for words in (b"committer", b"committer Dana <d@e> soon +0000", b"committer 12"):
        step = read_step(lambda sha, words=words: b"tree " + b"1" * 40 + b"\n" + words + b"\n\nparent no\n", b"c")
        assert (b"1" * 40, (), 0) == (step.tree, step.parents, step.time_s)


def test_only_files_are_found_never_links_or_submodules(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "--quiet", "--initial-branch=main")
    (work / "dm").mkdir()
    (work / "dm/metadata.json").write_text("{}")
    (work / "link").symlink_to("dm")
    (work / "file-link").symlink_to("dm/metadata.json")
    git(work, "add", "-A")
    git(work, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    git(work, "commit", "--quiet", "-m", "x")
    with opened(work) as (read, tip):
        tree = read_step(read, tip).tree
        absent = ("link/metadata.json", "file-link", "module", "module/x", "dm", "dm/no", "no/x", "dm/metadata.json/x")
        assert [None] * len(absent) == [find_entry(read, tree, path) for path in absent]
        assert b"{}" == read(find_entry(read, tree, "dm/metadata.json") or b"")
        assert None is find_entry(read, tree, "dm/metadata.json", is_folder=True)
        assert ["dm/metadata.json"] == list(list_files(read, tree))
