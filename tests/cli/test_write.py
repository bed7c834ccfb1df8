"""init, clone, write and pull, as a user runs them: a folder store, a local git remote, and two colleagues."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.builders import git, make_remote, make_study, make_table
from tests.cli.command import Datomfs, run_process
from tests.s3_server import S3Server


@pytest.fixture
def clone(datomfs: Datomfs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project STUDY_001 in `study`, made by `init` from the folder the tests then work in."""
    monkeypatch.chdir(tmp_path)
    make_remote(tmp_path / "study.git")
    outcome = datomfs("init", "study", "--project", "STUDY_001", "--store", "store", "--remote", tmp_path / "study.git")
    assert (0, "") == (outcome.code, outcome.err)
    return tmp_path / "study"


def make_file(path: Path, rows: int) -> Path:
    pq.write_table(make_table(rows), path)
    return path


def test_a_whole_session_with_two_colleagues(datomfs: Datomfs, clone: Path, tmp_path: Path) -> None:
    source = ("--store", "store", "--project", "STUDY_001")
    assert [] == datomfs("ls", *source, "--json").json

    first = datomfs("-C", clone, "write", "dm", make_file(tmp_path / "dm.parquet", 3), "-m", "märz", "--json").json
    assert ("STUDY_001", "dm", "new_data") == (first["project"], first["table"], first["action"])

    joined = datomfs("clone", tmp_path / "study.git", "colleague", "--json").json
    assert {
        "project": "STUDY_001",
        "clone": "colleague",
        "store": str(tmp_path / "store"),
        "remote": str(tmp_path / "study.git"),
    } == joined
    second = datomfs("-C", "colleague", "write", "ae", make_file(tmp_path / "ae.parquet", 5), "--json").json

    pulled = datomfs("-C", clone, "pull", "--json").json
    assert {"commits": 1, "head": git(clone, "rev-parse", "HEAD"), "published": []} == pulled
    assert (clone / "ae" / "metadata.json").is_file()

    assert [("dm", first["version"]), ("ae", second["version"])] == [
        (row["name"], row["version"]) for row in datomfs("ls", *source, "--json").json
    ]
    (entry,) = datomfs("history", "STUDY_001/dm", *source, "--json").json
    assert ("märz", "Dana Engineer <dana@example.org>") == (entry["message"], entry["author"])
    assert git(clone, "log", "--format=%H", "--grep=märz") == entry["commit_sha"]
    for table, rows in (("dm", 3), ("ae", 5)):
        assert 0 == datomfs("get", f"STUDY_001/{table}", "-o", "back.parquet", *source).code
        assert make_table(rows).equals(pq.read_table("back.parquet"))


def test_each_write_says_what_it_did(datomfs: Datomfs, clone: Path, tmp_path: Path) -> None:
    file = make_file(tmp_path / "dm.parquet", 3)
    made = datomfs("-C", clone, "write", "dm", file, "--json").json
    assert {"project", "table", "action", "version", "data_sha", "parquet_sha", "size_bytes"} == set(made)
    same = datomfs("-C", clone, "write", "dm", file, "--json").json
    assert {**made, "action": "unchanged"} == same
    told = datomfs("-C", clone, "write", "dm", file, "--meta", "title=a = b", "--meta", "empty=", "--json").json
    assert ("metadata_only", made["data_sha"]) == (told["action"], told["data_sha"])
    assert told["version"] != made["version"]
    metadata = json.loads((clone / "dm" / "metadata.json").read_text(encoding="utf-8"))
    assert {"title": "a = b", "empty": ""} == metadata["custom"]
    text = datomfs("-C", clone, "write", "dm", make_file(file, 4)).lines
    assert "new_data" == dict(line.split() for line in text)["action"]


def test_the_message_has_a_default(datomfs: Datomfs, clone: Path, tmp_path: Path) -> None:
    datomfs("-C", clone, "write", "Table (1)", make_file(tmp_path / "t.parquet", 3))
    assert "Update Table (1)" == git(clone, "log", "-1", "--format=%s")


def test_a_file_is_looked_for_from_here_and_not_from_the_clone(
    datomfs: Datomfs, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_file(tmp_path / "dm.parquet", 3)
    assert 0 == datomfs("-C", "study", "write", "dm", "dm.parquet").code
    monkeypatch.chdir(clone)
    assert 0 == datomfs("pull").code
    assert 3 == datomfs("write", "dm", "dm.parquet").code


def test_what_cannot_be_a_version_leaves_nothing_behind(datomfs: Datomfs, clone: Path, tmp_path: Path) -> None:
    store_before = sorted((tmp_path / "store").rglob("*"))
    head = git(clone, "rev-parse", "HEAD")
    pq.write_table(pa.table({"ok": [1], "raw": [b"x"], "nested": [[1]]}), tmp_path / "bad.parquet")
    pq.write_table(pa.table({"x": pa.array([], pa.int32())}), tmp_path / "empty.parquet")
    for file, says in (
        ("bad.parquet", ["2 columns cannot be hashed:", "'raw'", "'nested'", "nothing was written"]),
        ("empty.parquet", ["at least one row and one column", "nothing was written"]),
    ):
        outcome = datomfs("-C", clone, "write", "dm", tmp_path / file)
        assert (7, "") == (outcome.code, outcome.out)
        assert all(part in outcome.err for part in says)
    assert store_before == sorted((tmp_path / "store").rglob("*"))
    assert (head, "") == (git(clone, "rev-parse", "HEAD"), git(clone, "status", "--porcelain"))


def test_pull_completes_what_an_interrupted_write_left(datomfs: Datomfs, clone: Path, tmp_path: Path) -> None:
    datomfs("-C", clone, "write", "dm", make_file(tmp_path / "dm.parquet", 3))
    (tmp_path / "store" / "datom" / ".metadata" / "manifest.json").unlink()
    assert ["dm"] == datomfs("-C", clone, "pull", "--json").json["published"]
    lines = datomfs("-C", clone, "pull").lines
    assert [["commits", "0"], ["published", "-"]] == [lines[0].split(), lines[2].split()]


@pytest.mark.parametrize(
    ("meta", "says"),
    [
        (["bad"], "--meta bad: it does not have the form KEY=VALUE"),
        (["=x"], "--meta =x: it does not have the form KEY=VALUE"),
        (["a=1", "a=2"], "--meta a=2: a is given twice"),
    ],
)
def test_texts_of_ones_own_have_a_form(
    datomfs: Datomfs, clone: Path, tmp_path: Path, meta: list[str], says: str
) -> None:
    options = [part for one in meta for part in ("--meta", one)]
    outcome = datomfs("-C", clone, "write", "dm", make_file(tmp_path / "dm.parquet", 3), *options)
    assert 2 == outcome.code
    assert says in outcome.err
    assert not (clone / "dm").exists()


# -- clones and remotes that are not in order ----------------------------------------------------------------------


def test_a_dirty_clone_is_refused_by_file(datomfs: Datomfs, clone: Path, tmp_path: Path) -> None:
    (clone / "README.md").write_text("mine", encoding="ascii")
    outcome = datomfs("-C", clone, "write", "dm", make_file(tmp_path / "dm.parquet", 3))
    assert 8 == outcome.code
    assert "has uncommitted changes: README.md" in outcome.err
    assert "git checkout -- FILE" in outcome.err
    assert "mine" == (clone / "README.md").read_text(encoding="ascii")


def test_a_folder_that_is_no_clone_is_refused(datomfs: Datomfs, clone: Path, tmp_path: Path) -> None:
    for outcome in (
        datomfs("pull"),
        datomfs("-C", "store", "pull"),
        datomfs("-C", "nowhere", "write", "dm", make_file(tmp_path / "dm.parquet", 3)),
    ):
        assert 8 == outcome.code
        assert "is not a clone of a datom data repository" in outcome.err
        assert "datomfs -C DIR" in outcome.err


def test_init_refuses_a_place_that_is_taken_and_makes_nothing(datomfs: Datomfs, clone: Path, tmp_path: Path) -> None:
    make_remote(tmp_path / "new.git")
    for place, says in (
        (("study", "--store", "new", "--remote", tmp_path / "new.git"), "is not empty"),
        (("other", "--store", "store", "--remote", tmp_path / "new.git"), "already holds a datom project"),
        (("other", "--store", "new", "--remote", tmp_path / "study.git"), "already has commits"),
    ):
        outcome = datomfs("init", *place, "--project", "OTHER")
        assert (8, "") == (outcome.code, outcome.out)
        assert says in outcome.err
    assert ["new.git", "store", "study", "study.git"] == sorted(path.name for path in tmp_path.iterdir())
    assert "" == git(tmp_path / "new.git", "for-each-ref")


def test_a_remote_that_is_not_there_is_told(datomfs: Datomfs, clone: Path, tmp_path: Path) -> None:
    for arguments in (
        ("clone", tmp_path / "nope.git", "other"),
        ("init", "other", "--project", "OTHER", "--store", "new", "--remote", tmp_path / "nope.git"),
    ):
        outcome = datomfs(*arguments)
        assert 4 == outcome.code
        assert "nope.git could not be reached" in outcome.err
    assert not (tmp_path / "other").exists()
    assert not (tmp_path / "new").exists()


def test_a_repository_that_is_no_project_is_not_cloned(datomfs: Datomfs, tmp_path: Path) -> None:
    make_remote(tmp_path / "empty.git")
    outcome = datomfs("clone", tmp_path / "empty.git", tmp_path / "clone")
    assert 8 == outcome.code
    assert not (tmp_path / "clone").exists()


def test_a_document_of_a_newer_schema_stops_a_write(datomfs: Datomfs, clone: Path, tmp_path: Path) -> None:
    manifest = clone / ".datom" / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"schema_version": 2', '"schema_version": 3'))
    git(clone, "commit", "-qam", "a newer release was here")
    git(clone, "push", "-q")
    outcome = datomfs("-C", clone, "write", "dm", make_file(tmp_path / "dm.parquet", 3))
    assert 6 == outcome.code
    assert ".datom/manifest.json is of schema version 3; this release reads up to 2" in outcome.err
    assert "Upgrade datomfs." in outcome.err


def test_a_user_whom_git_does_not_know_can_write(clone: Path, tmp_path: Path) -> None:
    """As in R, the history then says `unknown`."""
    nobody = {
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{role}_{part}": "" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")},
    }
    outcome = run_process(
        "-C", clone, "write", "dm", make_file(tmp_path / "dm.parquet", 3), "--json", environment=nobody
    )
    assert (0, "") == (outcome.code, outcome.err)


@pytest.mark.s3
def test_a_session_against_a_bucket(
    datomfs: Datomfs, s3_environment: object, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = f"s3://{s3_bucket}/trial a/1"
    source = ("--store", store, "--project", "STUDY_001")
    make_remote(tmp_path / "study.git")
    begun = datomfs("init", "study", *source[2:], "--store", store, "--remote", tmp_path / "study.git", "--json").json
    assert store == begun["store"]
    made = datomfs("-C", "study", "write", "dm", make_file(tmp_path / "dm.parquet", 3), "--json").json
    assert ["dm"] == [row["name"] for row in datomfs("ls", *source, "--json").json]
    told = datomfs("resolve", f"STUDY_001/dm@{made['version'][:8]}", *source, "--json").json
    assert f"{store}/datom/dm/{made['data_sha']}.parquet" == told["uri"]
    assert (made["size_bytes"], made["parquet_sha"]) == (told["size_bytes"], told["parquet_sha"])
    assert "full" == datomfs("get", "STUDY_001/dm", "-o", "back.parquet", *source, "--json").json["verified"]
    assert make_table(3).equals(pq.read_table("back.parquet"))
    missing = datomfs("ls", "--store", f"s3://{s3_bucket}-nope", "--project", "STUDY_001")
    assert 4 == missing.code
    assert "datomfs never creates a bucket" in missing.err


@pytest.mark.s3
def test_who_may_only_read_a_bucket_reads_it_and_writes_nothing(
    datomfs: Datomfs, s3_environment: S3Server, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = ("--store", f"s3://{s3_bucket}", "--project", "STUDY_001")
    make_remote(tmp_path / "study.git")
    datomfs("init", "study", *source, "--remote", tmp_path / "study.git")
    head = git(tmp_path / "study.git", "rev-parse", "main")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_environment.reader_access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_environment.reader_secret_key)
    assert 0 == datomfs("ls", *source).code
    outcome = datomfs("-C", "study", "write", "dm", make_file(tmp_path / "dm.parquet", 3))
    assert (4, "") == (outcome.code, outcome.out)
    assert "was denied" in outcome.err
    assert "Check credentials, rights" in outcome.err
    assert head == git(tmp_path / "study.git", "rev-parse", "main") == git(tmp_path / "study", "rev-parse", "HEAD")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "Zq9NotTheSecret")
    outcome = datomfs("ls", *source)
    assert 4 == outcome.code
    assert "Zq9NotTheSecret" not in outcome.err


def test_the_builders_and_the_command_make_the_same_project(datomfs: Datomfs, clone: Path, tmp_path: Path) -> None:
    (tmp_path / "built").mkdir()
    built = make_study(tmp_path / "built")
    for name in (".gitignore", ".datom/project.yaml"):
        theirs = (built.clone / name).read_text(encoding="utf-8")
        ours = (clone / name).read_text(encoding="utf-8")
        ours = ours.replace(str(tmp_path / "store"), built.location.root).replace(
            str(tmp_path / "study.git"), built.remote
        )
        assert theirs == ours
