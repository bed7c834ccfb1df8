"""`datomfs ls` at a moment: by histories, and by git, where reverts are seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from datomfs.layout import history_key
from tests.builders import Study, make_remote
from tests.cli.command import Datomfs
from tests.mounts import PROJECT, StoredProject, store_options, stored_in
from tests.repo.histories import commit_documents


@pytest.fixture
def stored(tmp_path: Path) -> StoredProject:
    """dm of minutes 1, 2 and 3 of the first of March 2026, ex of minute 4."""
    made = stored_in(tmp_path / "store")
    made.put("dm", b"one", b"two", b"three")
    made.put("ex", b"x")
    return made


def minute(number: int) -> str:
    """The end of a minute of that day, as a target names it."""
    return f"{PROJECT}@20260301T00{number:02}59Z"


def in_git(stored: StoredProject, folder: Path) -> list[str]:
    """The options that name a data repository: dm goes to its second version, then back to its first."""
    one, two, _ = stored.tables["dm"]
    remote = make_remote(folder / "data.git")
    for number, version in enumerate((one, two, one)):
        commit_documents(remote, stored, one.time_ns // 10**9 + 60 * number, {"dm": version})
    return ["--repo", str(remote)]


def test_a_listing_at_a_moment_has_what_existed_then(datomfs: Datomfs, stored: StoredProject) -> None:
    one, two, three = stored.tables["dm"]
    found = {number: datomfs("ls", minute(number), *store_options(stored), "--json").json for number in range(5)}
    assert [] == found[0]
    assert [one.version, two.version, three.version] == [found[number][0]["version"] for number in (1, 2, 3)]
    assert ["dm", "ex"] == [row["name"] for row in found[4]]
    expected = {"project": PROJECT, "name": "dm", "kind": "table", "version": two.version, "data_sha": two.data_sha}
    assert {**expected, "updated": two.timestamp, "versions": 2, "size_bytes": None} == found[2][0]


def test_both_forms_of_a_moment_list_the_same(datomfs: Datomfs, stored: StoredProject) -> None:
    day, second = (
        datomfs("ls", f"{PROJECT}@{text}", *store_options(stored)) for text in ("2026-03-01", "20260301T235959Z")
    )
    assert ["NAME  KIND   VERSION   UPDATED               VERSIONS  SIZE_BYTES"] == day.lines[:1]
    assert day.out == second.out
    assert 3 == len(day.lines)


def test_with_git_a_revert_is_seen(datomfs: Datomfs, stored: StoredProject, tmp_path: Path) -> None:
    one, two, _ = stored.tables["dm"]
    options = [*store_options(stored), *in_git(stored, tmp_path)]
    found = [datomfs("ls", minute(number), *options, "--json").json for number in range(5)]
    assert [[], [one.version], [two.version], [one.version], [one.version]] == [
        [row["version"] for row in rows] for rows in found
    ]
    assert (3, 2) == (found[2][0]["size_bytes"], found[2][0]["versions"])


def test_warming_at_a_moment_means_what_the_listing_shows(
    datomfs: Datomfs, stored: StoredProject, tmp_path: Path
) -> None:
    for options in (store_options(stored), [*store_options(stored), *in_git(stored, tmp_path)]):
        for number in range(1, 4):
            for target in (minute(number), minute(number).replace("@", "/dm@")):
                listed = datomfs("ls", minute(number), *options, "--json").json
                warmed = datomfs("cache", "warm", "--dry-run", target, *options, "--json").json
                assert [row["version"] for row in listed] == [row["version"] for row in warmed], target


def test_a_moment_that_is_not_over_is_refused(datomfs: Datomfs, stored: StoredProject) -> None:
    outcome = datomfs("ls", f"{PROJECT}@9999-12-31", *store_options(stored))
    assert 2 == outcome.code
    assert "9999-12-31 is not over yet" in outcome.err


@pytest.mark.parametrize(
    "target", [f"{PROJECT}@8a3b21cc", f"{PROJECT}/dm@2026-03-01", f"{PROJECT}@2026-02-30", "@2026-03-01"]
)
def test_what_is_no_project_at_a_moment_is_refused(datomfs: Datomfs, stored: StoredProject, target: str) -> None:
    assert 2 == datomfs("ls", target, *store_options(stored)).code


def test_a_history_that_cannot_be_read_is_told_and_hides_no_other_table(
    datomfs: Datomfs, stored: StoredProject
) -> None:
    stored.store.put(history_key("dm"), b"{")
    outcome = datomfs("ls", f"{PROJECT}@2026-03-01", *store_options(stored), "--json")
    assert (6, ["ex"]) == (outcome.code, [row["name"] for row in outcome.json])
    assert f"{PROJECT}/dm" in outcome.err


@pytest.mark.expected_warnings
def test_git_that_is_away_serves_what_was_fetched_and_says_so(
    datomfs: Datomfs, stored: StoredProject, tmp_path: Path
) -> None:
    options = [*store_options(stored), *in_git(stored, tmp_path)]
    before = datomfs("ls", minute(2), *options)
    (tmp_path / "data.git").rename(tmp_path / "away.git")
    after = datomfs("ls", minute(2), *options)
    assert (before.code, before.out) == (after.code, after.out)


def test_with_git_the_commits_of_versions_are_found(datomfs: Datomfs, study: Study, source: tuple[str, ...]) -> None:
    stored = datomfs("history", "STUDY_001/dm", *source, "--json").json
    by_git = datomfs("history", "STUDY_001/dm", *source, "--repo", study.remote, "--json").json
    assert stored == by_git
    assert None not in [row["commit_sha"] for row in stored]
    for row in stored:
        shown = datomfs("show", f"STUDY_001/dm@{row['version']}", *source, "--repo", study.remote, "--json").json
        assert datomfs("show", f"STUDY_001/dm@{row['version']}", *source, "--json").json == shown
