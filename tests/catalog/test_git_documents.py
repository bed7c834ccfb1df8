"""Documents out of a clone: the same as the store's, of one commit at a time, and of any moment."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from datomfs.catalog.catalog import Catalog
from datomfs.catalog.git_documents import GitDocuments
from datomfs.errors import ObjectMissing, ProjectNotFound, RemoteUnreachable
from datomfs.layout import GOVERNANCE_KEY, MANIFEST_KEY, history_key, metadata_key, payload_key, snapshot_key
from datomfs.repo.mirror import Mirror
from tests.builders import Study, git, make_remote, make_study, make_table
from tests.repo.histories import add_commit

DAY_NS = 86_400 * 10**9


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """dm in two versions, then back at the first; ex in one."""
    made = make_study(tmp_path)
    made.write("dm", make_table(3), "first")
    made.write("dm", make_table(4), "second")
    made.write("dm", make_table(3), "back")
    made.write("ex", make_table(5), "exposure")
    return made


@pytest.fixture
def documents(tmp_path: Path, study: Study) -> GitDocuments:
    """The study's documents by git."""
    return GitDocuments(Mirror(study.remote, tmp_path / "mirrors"))


def test_both_roads_tell_the_same(study: Study, documents: GitDocuments) -> None:
    by_git = Catalog(study.name, study.store, documents)
    assert study.catalog.read_manifest() == by_git.read_manifest()
    for table in ("dm", "ex"):
        ours, theirs = by_git.read_table(table), study.catalog.read_table(table)
        assert theirs.resolve(None).version == ours.resolve(None).version
        assert theirs.history.versions == ours.history.versions
        for entry in ours.history.entries:
            version = ours.resolve(entry.version)
            assert study.catalog.read_snapshot(version) == by_git.read_snapshot(version)


def test_commits_that_a_clone_cannot_record_are_found_in_its_history(study: Study, documents: GitDocuments) -> None:
    by_git = Catalog(study.name, study.store, documents)
    stored = {entry.version: entry.commit_sha for entry in study.catalog.read_history("dm").entries}
    assert {None} == {entry.commit_sha for entry in by_git.read_history("dm").entries}
    assert stored == {version: by_git.find_commit("dm", version) for version in stored}
    assert None not in stored.values()
    assert None is by_git.find_commit("dm", "1" * 64)
    assert None is study.catalog.find_commit("dm", next(iter(stored)))


def test_commits_of_a_table_are_looked_for_once(tmp_path: Path, study: Study) -> None:
    asked: list[str] = []

    class Counted(Mirror):
        def commits_of(self, path: str, until: str) -> Iterator[tuple[str, bytes]]:
            asked.append(path)
            return super().commits_of(path, until)

    documents = GitDocuments(Counted(study.remote, tmp_path / "mirrors"))
    versions = study.catalog.read_history("dm").versions
    assert None not in [documents.find_commit("dm", version) for version in versions]
    assert ["dm/metadata.json"] == asked


def test_a_broken_commit_hides_no_version(study: Study, documents: GitDocuments) -> None:
    version = study.catalog.read_table("dm").resolve(None).version
    remote = Path(study.remote)
    good = git(remote, "show", "main:dm/metadata.json").encode()
    add_commit(remote, {"dm/metadata.json": b"{ broken"}, 1_900_000_000)
    add_commit(remote, {"dm/metadata.json": good}, 1_900_000_001)
    (entry,) = study.catalog.read_history("dm").matching(version)
    assert entry.commit_sha == documents.find_commit("dm", version)


def test_what_a_clone_does_not_have_is_missing_by_its_path(documents: GitDocuments) -> None:
    for key, named in (
        (metadata_key("zz"), "zz/metadata.json"),
        (GOVERNANCE_KEY, ".datom/governance.json"),
        (snapshot_key("dm", "1" * 64), snapshot_key("dm", "1" * 64)),
        (payload_key("dm", "1" * 64), payload_key("dm", "1" * 64)),
    ):
        with pytest.raises(ObjectMissing) as missing:
            documents.get(key)
        assert named == missing.value.key


def test_what_is_read_stays_at_one_commit_until_a_refresh(study: Study, documents: GitDocuments) -> None:
    before = documents.get(MANIFEST_KEY)
    study.write("dm", make_table(6), "third")
    assert before == documents.get(MANIFEST_KEY)
    documents.refresh()
    assert before != documents.get(MANIFEST_KEY)
    assert (
        study.catalog.read_table("dm").history.versions
        == Catalog(study.name, study.store, documents).read_history("dm").versions
    )


def test_a_refresh_that_fails_is_told_and_moves_nothing(tmp_path: Path, study: Study, documents: GitDocuments) -> None:
    before = documents.get(MANIFEST_KEY)
    shutil.move(study.remote, tmp_path / "away.git")
    with pytest.raises(RemoteUnreachable):
        documents.refresh()
    assert before == documents.get(MANIFEST_KEY)


@pytest.mark.expected_warnings
def test_what_was_fetched_before_serves_while_git_is_away(
    tmp_path: Path, study: Study, documents: GitDocuments, caplog: pytest.LogCaptureFixture
) -> None:
    before = documents.get(MANIFEST_KEY)
    shutil.move(study.remote, tmp_path / "away.git")
    again = GitDocuments(Mirror(study.remote, tmp_path / "mirrors"))
    assert before == again.get(MANIFEST_KEY)
    assert b"version" in again.get(history_key("dm"))
    again.refresh()
    (told,) = caplog.messages
    assert f"{study.remote} serves as it was " in told


@pytest.mark.expected_warnings
def test_git_that_comes_back_is_followed_and_from_then_on_missed(
    tmp_path: Path, study: Study, documents: GitDocuments
) -> None:
    before = documents.get(MANIFEST_KEY)
    shutil.move(study.remote, tmp_path / "away.git")
    again = GitDocuments(Mirror(study.remote, tmp_path / "mirrors"))
    again.refresh()
    shutil.move(tmp_path / "away.git", study.remote)
    study.write("dm", make_table(6), "third")
    again.refresh()
    assert before != again.get(MANIFEST_KEY)
    shutil.move(study.remote, tmp_path / "away.git")
    with pytest.raises(RemoteUnreachable):
        again.refresh()


def test_git_that_is_away_and_was_never_seen_is_unreachable(tmp_path: Path) -> None:
    documents = GitDocuments(Mirror(str(tmp_path / "no.git"), tmp_path / "mirrors"))
    for ask in (lambda: documents.get(MANIFEST_KEY), documents.refresh, lambda: documents.at(0)):
        with pytest.raises(RemoteUnreachable):
            ask()


def test_an_empty_repository_is_no_project(tmp_path: Path, study: Study) -> None:
    remote = make_remote(tmp_path / "empty.git")
    by_git = Catalog(study.name, study.store, GitDocuments(Mirror(str(remote), tmp_path / "mirrors")))
    with pytest.raises(ProjectNotFound, match=r"empty\.git"):
        by_git.read_manifest()


def test_past_documents_are_those_of_the_commit_then(tmp_path: Path) -> None:
    remote = make_remote(tmp_path / "data.git")
    for day, text in enumerate((b"one", b"two", b"one"), 20_000):
        add_commit(remote, {".datom/manifest.json": text}, day * 86_400)
    documents = GitDocuments(Mirror(str(remote), tmp_path / "mirrors"))
    assert [b"one", b"two", b"one", b"one"] == [
        documents.at(day * DAY_NS).get(MANIFEST_KEY) for day in (20_000, 20_001, 20_002, 30_000)
    ]
    with pytest.raises(ObjectMissing):
        documents.at(20_000 * DAY_NS - 1).get(MANIFEST_KEY)


def test_past_documents_stay_when_the_present_moves_on(tmp_path: Path) -> None:
    remote = make_remote(tmp_path / "data.git")
    add_commit(remote, {".datom/manifest.json": b"one"}, 20_000 * 86_400)
    past = GitDocuments(Mirror(str(remote), tmp_path / "mirrors")).at(20_000 * DAY_NS)
    add_commit(remote, {".datom/manifest.json": b"two"}, 20_001 * 86_400)
    past.refresh()
    assert b"one" == past.get(MANIFEST_KEY)
