"""What a store may come to say while several people write, and some of them stop half-way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datomfs.errors import CloneMismatch, ObjectMissing, PayloadForeign, PublishPending, StoreDenied
from datomfs.identity.table import hash_table
from datomfs.layout import MANIFEST_KEY, history_key, metadata_key, payload_key
from datomfs.model.location import Location
from datomfs.repo.data_repo import DataRepo
from datomfs.store.base import ObjectInfo
from datomfs.store.local import LocalStore
from datomfs.write.payload import Payload
from datomfs.write.plan import Request, plan_version
from datomfs.write.state import read_table_state
from datomfs.write.writer import pull_clone
from tests.builders import Study, git, make_study, make_table


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study with one version of dm."""
    made = make_study(tmp_path)
    made.write("dm", make_table(), "first")
    return made


@pytest.fixture
def colleague(tmp_path: Path, study: Study) -> Study:
    return study.colleague(tmp_path / "second")


class UploadOnly(LocalStore):
    """A folder store that takes payloads and no documents: whoever writes to it stops between push and publication."""

    def put(self, key: str, body: bytes, **conditions: object) -> ObjectInfo:
        raise StoreDenied(self.url, key, "read-only")


def _write_unpublished(study: Study, table: str, data: pa.Table) -> None:
    stopped = replace(study, open_store=lambda project, location: UploadOnly(location))
    with pytest.raises(PublishPending):
        stopped.write(table, data, "unpublished")


def _pull(study: Study) -> tuple[int, tuple[str, ...]]:
    with study.repo() as repo:
        return pull_clone(repo, study.open_store)


def _commit_version(study: Study, table: str, data: pa.Table, *, push: bool) -> None:
    """A version as R makes it: first in git, and its bytes in the store only later."""
    with study.repo() as repo:
        repo.pull()
        tip = repo.head
        assert tip is not None
        request = Request(study.name, table, hash_table(data), "from R", {}, ("R", "r@x"), datetime.now(UTC))
        made = plan_version(read_table_state(repo, tip, table), request, Payload("9f" * 32, 1234))
        commit = repo.commit({path: f"{text}\n".encode() for path, text in made.files.items()}, "from R", tip)
        assert not push or repo.push(commit)
        repo.advance(commit)


def _before_push(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Do `work` once, right before the next push."""
    original, pending = DataRepo.push, [work]

    def push(repo: DataRepo, commit: str) -> bool:
        if pending:
            pending.pop()()
        return original(repo, commit)

    monkeypatch.setattr(DataRepo, "push", push)


def _versions(study: Study, table: str) -> list[str | None]:
    return [entry.message for entry in study.catalog.read_table(table).history.entries]


# -- several writers -----------------------------------------------------------------------------------------------


def test_a_row_is_not_published_before_its_table(
    study: Study, colleague: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    _before_push(monkeypatch, lambda: _write_unpublished(colleague, "ex", make_table(4)))
    study.write("dm", make_table(5), "second")
    assert ["unpublished"] == _versions(study, "ex")
    assert {"dm", "ex"} == set(study.catalog.read_manifest().rows)
    assert (study.clone / ".datom/manifest.json").read_bytes() == study.store.get(MANIFEST_KEY)


def test_a_row_waits_for_the_bytes_that_its_writer_has_yet_to_upload(study: Study, colleague: Study) -> None:
    _commit_version(colleague, "ex", make_table(4), push=True)
    _commit_version(colleague, "dm", make_table(9), push=True)
    study.write("ae", make_table(5), "ours")
    # Readers see ae, the old dm, and no ex: nothing is named whose bytes are not there.
    manifest = study.catalog.read_manifest()
    assert {"dm", "ae"} == set(manifest.rows)
    assert manifest.rows["dm"].current_version == study.catalog.read_table("dm").resolve(None).version
    summary = manifest.document["summary"]
    assert isinstance(summary, dict)
    assert (2, 2) == (summary["total_tables"], summary["total_versions"])
    assert ["first"] == _versions(study, "dm")

    study.store.put(payload_key("ex", hash_table(make_table(4)).data_sha), b"parquet")
    assert (0, ("ex",)) == _pull(study)
    assert {"dm", "ae", "ex"} == set(study.catalog.read_manifest().rows)
    study.store.put(payload_key("dm", hash_table(make_table(9)).data_sha), b"parquet")
    assert (0, ("dm",)) == _pull(study)
    assert (study.clone / ".datom/manifest.json").read_bytes() == study.store.get(MANIFEST_KEY)


def test_what_was_not_pushed_is_not_published(study: Study) -> None:
    data = make_table(4)
    study.store.put(payload_key("ex", hash_table(data).data_sha), b"parquet")
    _commit_version(study, "ex", data, push=False)
    assert (0, ()) == _pull(study)
    with pytest.raises(ObjectMissing):
        study.store.head(metadata_key("ex"))


def test_each_version_keeps_the_commit_that_first_made_it(study: Study, colleague: Study) -> None:
    study.write("dm", make_table(4), "second")
    study.write("dm", make_table(), "back to the first")
    study.write("ex", make_table(), "another table")
    _write_unpublished(study, "dm", make_table(5))
    _pull(colleague)
    commits = git(study.clone, "log", "--format=%H", "--", "dm/version_history.json").splitlines()
    assert commits == [entry.commit_sha for entry in study.catalog.read_table("dm").history.entries]


# -- where the project lies ----------------------------------------------------------------------------------------


def _move(study: Study, root: Path) -> None:
    """Write another store into project.yaml and push it, as R's `datom_repo_set_data_store` does."""
    root.mkdir()
    file = study.clone / ".datom/project.yaml"
    file.write_text(file.read_text().replace(study.location.root, str(root)))
    git(study.clone, "commit", "--quiet", "-am", "Update data store")
    git(study.clone, "push", "--quiet")


def test_a_store_that_a_colleague_moved_is_written_where_it_is_now(
    study: Study, colleague: Study, tmp_path: Path
) -> None:
    before = {info.key for info in study.store.list()}
    _move(colleague, tmp_path / "new-store")
    study.write("ex", make_table(4), "after the move")
    moved = replace(study, location=Location("local", str(tmp_path / "new-store")))
    assert ["after the move"] == _versions(moved, "ex")
    assert before == {info.key for info in study.store.list()}


def test_a_store_that_moves_while_we_write_stops_the_write(
    study: Study, colleague: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _before_push(monkeypatch, lambda: _move(colleague, tmp_path / "new-store"))
    with pytest.raises(CloneMismatch):
        study.write("ex", make_table(4), "too late")
    assert "Update data store" == git(Path(study.remote), "log", "-1", "--format=%s", "main")


def test_a_store_of_another_project_is_let_alone(study: Study, tmp_path: Path) -> None:
    other = make_study(tmp_path / "other", "OTHER")
    other.write("ex", make_table(), "theirs")
    before = {info.key: other.store.get(info.key) for info in other.store.list()}
    file = study.clone / ".datom/project.yaml"
    file.write_text(file.read_text().replace(study.location.root, other.location.root))
    git(study.clone, "commit", "--quiet", "-am", "a slip")
    with pytest.raises(CloneMismatch) as refused:
        study.write("dm", make_table(4), "second")
    assert "it holds the project 'OTHER', not 'STUDY_001'" == refused.value.reason
    assert before == {info.key: other.store.get(info.key) for info in other.store.list()}


def test_the_store_of_a_governed_project_is_let_alone(study: Study) -> None:
    _write_unpublished(study, "ex", make_table(4))
    (study.clone / ".datom/governance.json").write_text(json.dumps({"gov_repo_url": "x"}))
    git(study.clone, "add", "-A")
    git(study.clone, "commit", "--quiet", "-m", "Attach governance: STUDY_001")
    git(study.clone, "push", "--quiet")
    assert (0, ()) == _pull(study)
    assert {"dm"} == set(study.catalog.read_manifest().rows)


# -- mending -------------------------------------------------------------------------------------------------------


@pytest.mark.expected_warnings
@pytest.mark.parametrize("key", [MANIFEST_KEY, history_key("dm")])
def test_a_document_damaged_in_the_store_is_replaced(study: Study, key: str) -> None:
    study.store.put(key, study.store.get(key)[:25])
    study.write("dm", make_table(4), "second")
    assert ["second", "first"] == _versions(study, "dm")
    assert all(entry.commit_sha for entry in study.catalog.read_table("dm").history.entries)
    assert (study.clone / ".datom/manifest.json").read_bytes() == study.store.get(MANIFEST_KEY)


def test_a_version_whose_clone_cannot_follow_waits_and_pull_completes_it(study: Study) -> None:
    lock = study.clone / ".git/index.lock"

    class LockedMeanwhile(LocalStore):
        """A git command of the user's begins while the payload goes up."""

        def upload(self, key: str, source: Path, *, sha256: str) -> ObjectInfo:
            lock.touch()
            return super().upload(key, source, sha256=sha256)

    with pytest.raises(PublishPending):
        replace(study, open_store=lambda project, location: LockedMeanwhile(location)).write("dm", make_table(4), "2nd")
    assert "2nd" == git(Path(study.remote), "log", "-1", "--format=%s", "main")
    lock.unlink()
    assert (1, ("dm",)) == _pull(study)
    assert ["2nd", "first"] == _versions(study, "dm")
    assert "" == git(study.clone, "status", "--porcelain")


def test_a_refused_mirror_of_an_older_write_says_nothing_of_the_new_one(study: Study) -> None:
    _write_unpublished(study, "ex", make_table(4))
    tip = git(Path(study.remote), "rev-parse", "main")
    with pytest.raises(StoreDenied):  # and not PublishPending, which says that the version exists
        replace(study, open_store=lambda project, location: UploadOnly(location)).write("dm", make_table(5), "second")
    assert tip == git(Path(study.remote), "rev-parse", "main")


def test_an_object_that_could_not_be_a_payload_is_foreign(study: Study, tmp_path: Path) -> None:
    data = make_table(7)
    pq.write_table(pa.table({"list": [[1]]}), tmp_path / "foreign.parquet")
    study.store.put(payload_key("ex", hash_table(data).data_sha), (tmp_path / "foreign.parquet").read_bytes())
    with pytest.raises(PayloadForeign):
        study.write("ex", data)
