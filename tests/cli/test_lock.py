"""`datomfs lock`, and warming what a lock names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from datomfs.layout import gov_key, history_key
from datomfs.model.location import Location
from datomfs.store.local import LocalStore
from tests.builders import git, make_remote
from tests.cli.cached import body, copies, counted
from tests.cli.command import Datomfs
from tests.mounts import PROJECT, StoredProject, store_options, stored_in
from tests.repo.histories import commit_documents


@pytest.fixture
def stored(tmp_path: Path) -> StoredProject:
    """dm of minutes 1 and 2 of the first of March 2026, ex of minute 3."""
    made = stored_in(tmp_path / "store")
    made.put("dm", b"one", b"two")
    made.put("ex", b"x")
    return made


@pytest.fixture(autouse=True)
def _date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1775034000")


def test_a_lock_names_each_table_with_its_full_version_and_hashes(
    datomfs: Datomfs, stored: StoredProject, tmp_path: Path
) -> None:
    two, (ex,) = stored.tables["dm"][1], stored.tables["ex"]
    file = tmp_path / "a.lock"
    outcome = datomfs("lock", PROJECT, "-o", file, *store_options(stored), "--json")
    assert (0, {"file": str(file), "projects": 1, "tables": 2}) == (outcome.code, outcome.json)
    expected = {
        "schema_version": 1,
        "created_at": "2026-04-01T09:00:00Z",
        "projects": [
            {
                "name": PROJECT,
                "location": {"type": "local", "root": stored.store.url},
                "documents": stored.store.url,
                "tables": [
                    {
                        "name": name, "version": version.version, "data_sha": version.data_sha,
                        "parquet_sha": version.parquet_sha, "size_bytes": len(version.body),
                        "timestamp": version.timestamp,
                    }
                    for name, version in (("dm", two), ("ex", ex))
                ],
            }
        ],
    }  # fmt: skip
    assert expected == json.loads(file.read_text())


def test_the_same_state_gives_the_same_bytes(datomfs: Datomfs, stored: StoredProject, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert 0 == datomfs("lock", PROJECT, "-o", tmp_path / name, *store_options(stored)).code
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert {"a", "b", "store"} == {path.name for path in tmp_path.iterdir()}


def test_at_a_date_it_is_what_was_current_then(datomfs: Datomfs, stored: StoredProject, tmp_path: Path) -> None:
    one = stored.tables["dm"][0]
    when = f"{PROJECT}@20260301T000130Z"
    assert 0 == datomfs("lock", when, "-o", tmp_path / "a.lock", *store_options(stored)).code
    (project,) = json.loads((tmp_path / "a.lock").read_text())["projects"]
    assert ("20260301T000130Z", [one.version]) == (
        project["as_of"], [table["version"] for table in project["tables"]],
    )  # fmt: skip


def test_with_git_it_names_the_commit(datomfs: Datomfs, stored: StoredProject, tmp_path: Path) -> None:
    one, two = stored.tables["dm"]
    remote = make_remote(tmp_path / "data.git")
    commits = [
        commit_documents(remote, stored, 1_700_000_000 + number, {"dm": version})
        for number, version in enumerate((one, two, one))
    ]
    options = [*store_options(stored), "--repo", remote]
    found = {}
    for target in (PROJECT, f"{PROJECT}@20231114T221321Z"):
        assert 0 == datomfs("lock", target, "-o", tmp_path / "a.lock", *options).code
        (project,) = json.loads((tmp_path / "a.lock").read_text())["projects"]
        found[project["commit"]] = [table["version"] for table in project["tables"]]
    assert {commits[2]: [one.version], commits[1]: [two.version]} == found
    assert str(remote) == project["documents"]
    assert git(remote, "rev-parse", "main") == commits[2]


@pytest.mark.parametrize(
    ("targets", "code"),
    [
        ([f"{PROJECT}/dm"], 2), ([f"{PROJECT}@8a3b21cc"], 2), ([PROJECT, f"{PROJECT}@2026-03-01"], 2),
        ([f"{PROJECT}@9999-12-31"], 2), ([f"{PROJECT}@2001-01-01"], 3), (["NONE"], 3), (["../x"], 2), ([], 2),
    ],
)  # fmt: skip
def test_what_cannot_be_locked_leaves_no_file(
    datomfs: Datomfs, stored: StoredProject, tmp_path: Path, targets: list[str], code: int
) -> None:
    assert code == datomfs("lock", *targets, "-o", tmp_path / "a.lock", *store_options(stored)).code
    assert ["store"] == [path.name for path in tmp_path.iterdir()]


def test_a_table_that_cannot_be_read_leaves_the_old_lock(
    datomfs: Datomfs, stored: StoredProject, tmp_path: Path
) -> None:
    file = tmp_path / "a.lock"
    file.write_text("old")
    stored.store.put(history_key("ex"), b"{")
    outcome = datomfs("lock", PROJECT, "-o", file, *store_options(stored))
    assert (6, "old") == (outcome.code, file.read_text())
    assert f"{PROJECT}/ex" in outcome.err


@pytest.mark.parametrize("place", ["nowhere/a.lock", "store"])
def test_a_place_that_cannot_be_written_is_told(
    datomfs: Datomfs, stored: StoredProject, tmp_path: Path, place: str
) -> None:
    assert 4 == datomfs("lock", PROJECT, "-o", tmp_path / place, *store_options(stored)).code


def test_a_lock_alone_reads_no_folder_that_nobody_allowed(
    datomfs: Datomfs, stored: StoredProject, tmp_path: Path
) -> None:
    file = tmp_path / "a.lock"
    datomfs("lock", PROJECT, "-o", file, *store_options(stored))
    refused = datomfs("cache", "warm", "--lock", file)
    assert 4 == refused.code
    assert "below no allowed root" in refused.err
    for options in (["--allow-root", tmp_path], store_options(stored)):
        outcome = datomfs("cache", "warm", "--lock", file, *options, "--json")
        assert (0, ["in place", "in place"]) == (outcome.code, [row["state"] for row in outcome.json])


def test_a_project_that_moved_since_is_found_where_governance_says(
    datomfs: Datomfs, stored: StoredProject, tmp_path: Path
) -> None:
    gov, moved = LocalStore(Location("local", str(tmp_path / "gov"))), tmp_path / "moved"

    def place(root: str) -> None:
        ref = {"current": {"type": "local", "root": root}}
        gov.put(gov_key(PROJECT, "ref.json"), json.dumps(ref).encode())

    (tmp_path / "gov").mkdir()
    place(stored.store.url)
    options = ["--gov-store", tmp_path / "gov", "--allow-root", tmp_path]
    file = tmp_path / "a.lock"
    assert 0 == datomfs("lock", PROJECT, "-o", file, *options).code
    shutil.move(stored.store.url, moved)
    Path(stored.store.url, "datom").mkdir(parents=True)
    assert 5 == datomfs("cache", "warm", "--lock", file, *options).code
    place(str(moved))
    outcome = datomfs("cache", "warm", "--lock", file, *options, "--json")
    assert (0, ["in place", "in place"]) == (outcome.code, [row["state"] for row in outcome.json])


@pytest.mark.parametrize("text", [None, "", "{}", "x"])
def test_a_file_that_is_no_lock_is_refused(datomfs: Datomfs, tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "a.lock"
    if text is not None:
        file.write_text(text)
    outcome = datomfs("cache", "warm", "--lock", file)
    assert (3 if text is None else 6) == outcome.code
    assert "a.lock" in outcome.err


def test_nothing_to_warm_is_a_usage_error(datomfs: Datomfs, stored: StoredProject) -> None:
    assert 2 == datomfs("cache", "warm", *store_options(stored)).code


@pytest.mark.s3
def test_warming_a_lock_brings_what_it_names_and_nothing_newer(
    datomfs: Datomfs, in_bucket: StoredProject, tmp_path: Path
) -> None:
    (old,) = in_bucket.put("dm", body(100, 1))
    file = tmp_path / "a.lock"
    assert 0 == datomfs("lock", PROJECT, "-o", file, *store_options(in_bucket)).code
    in_bucket.put("dm", body(200, 2))
    outcome = datomfs("cache", "warm", "--lock", file)
    assert (0, "") == (outcome.code, outcome.err)
    assert copies(old) == counted()
