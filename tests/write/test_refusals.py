"""What a write and an init refuse: one clear error each, and nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datomfs.errors import (
    CloneMismatch,
    DatomfsError,
    DirectoryNotEmpty,
    DocumentInvalid,
    DocumentTooLarge,
    EmptyTable,
    InvalidName,
    NamespaceOccupied,
    NotATable,
    PayloadForeign,
    PublishPending,
    RecordedMissing,
    RemoteNotEmpty,
    RemoteUnreachable,
    SchemaUnsupported,
    StoreDenied,
    StoreMissing,
    UnhashableColumns,
    VocabularyUnknown,
    WriterTooOld,
)
from datomfs.layout import payload_key
from datomfs.model.jsonlite import MOST_BYTES
from datomfs.model.location import Location
from datomfs.store.base import ObjectInfo, Store
from datomfs.store.local import LocalStore
from datomfs.write.plan import Action
from datomfs.write.project import init_project
from datomfs.write.writer import pull_clone
from tests.builders import Study, git, make_remote, make_study, make_table, open_folder_store


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = make_study(tmp_path)
    made.write("dm", make_table(), "first")
    return made


def _world(study: Study) -> tuple[object, ...]:
    """Everything a refused write must leave as it is."""
    objects = {info.key: study.store.get(info.key) for info in study.store.list()}
    return objects, git(study.clone, "rev-parse", "HEAD"), git(Path(study.remote), "rev-parse", "main")


def _commit(study: Study, path: str, change: Callable[[dict[str, object]], None]) -> None:
    file = study.clone / path
    document = json.loads(file.read_text()) if file.exists() else {}
    change(document)
    file.write_text(json.dumps(document))
    git(study.clone, "add", "-A")
    git(study.clone, "commit", "--quiet", "-m", "by hand")
    git(study.clone, "push", "--quiet")


# -- data ----------------------------------------------------------------------------------------------------------


def test_all_columns_that_cannot_be_hashed_are_named_at_once(study: Study) -> None:
    before = _world(study)
    data = pa.table({"good": [1], "list": [[1]], "struct": [{"a": 1}], "bytes": [b"x"]})
    with pytest.raises(UnhashableColumns) as refused:
        study.write("ex", data)
    assert ["list", "struct", "bytes"] == [name for name, _ in refused.value.columns]
    assert before == _world(study)


@pytest.mark.parametrize("data", [pa.table({"a": pa.array([], pa.int32())}), pa.table({})])
def test_a_table_of_nothing_is_refused(study: Study, data: pa.Table) -> None:
    before = _world(study)
    with pytest.raises(EmptyTable):
        study.write("ex", data)
    assert before == _world(study)


@pytest.mark.parametrize("name", ["../x", "a/b", "datom", ".git", "1dm", "", "dm\n", "x" * 129])
def test_a_name_that_is_none_never_reaches_a_store(study: Study, name: str) -> None:
    before = _world(study)
    with pytest.raises(InvalidName):
        study.write(name, make_table())
    assert before == _world(study)


# -- documents -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "change", "error"),
    [
        ("dm/metadata.json", {"schema_version": 3}, SchemaUnsupported),
        (".datom/manifest.json", {"schema_version": 3}, SchemaUnsupported),
        ("dm/metadata.json", {"invented": 1}, VocabularyUnknown),
        (".datom/manifest.json", {"invented": 1}, VocabularyUnknown),
        ("dm/metadata.json", {"kind": "set"}, NotATable),
        ("dm/metadata.json", {"data_sha": "../../etc"}, DocumentInvalid),
        (".datom/governance.json", {"gov_repo_url": "x"}, CloneMismatch),
    ],
)
def test_a_document_this_release_could_spoil_stops_the_write(
    study: Study, path: str, change: dict[str, object], error: type[DatomfsError]
) -> None:
    _commit(study, path, lambda document: document.update(change))
    before = _world(study)
    with pytest.raises(error):
        study.write("dm", make_table(9))
    assert before == _world(study)


@pytest.mark.parametrize(("floor", "refused"), [("0.10.0", True), ("0.2.0", False), ("0.1.9", False)])
def test_a_project_may_ask_for_a_newer_writer(study: Study, floor: str, *, refused: bool) -> None:
    with (study.clone / ".datom/project.yaml").open("a") as file:
        file.write(f"min_writer_version: {floor}\n")
    git(study.clone, "commit", "--quiet", "-am", "floor")
    git(study.clone, "push", "--quiet")
    if refused:
        with pytest.raises(WriterTooOld):
            study.write("dm", make_table(9))
    else:
        assert Action.NEW_DATA is study.write("dm", make_table(9)).action


# -- stores --------------------------------------------------------------------------------------------------------


class DeniedStore(LocalStore):
    """A folder store that may be read, and not written."""

    def put(self, key: str, body: bytes, **conditions: object) -> ObjectInfo:
        raise StoreDenied(self.url, key, "read-only")

    def upload(self, key: str, source: Path, *, sha256: str) -> ObjectInfo:
        raise StoreDenied(self.url, key, "read-only")


def _denied(project: str, location: Location) -> Store:
    return DeniedStore(location)


def test_a_store_that_may_not_be_written_stops_the_write_before_git(study: Study) -> None:
    before = _world(study)
    reader = Study(study.name, study.clone, study.remote, study.location, _denied)
    with pytest.raises(StoreDenied):
        reader.write("dm", make_table(9))
    assert before == _world(study)


def test_a_version_that_needs_no_upload_waits_for_its_mirror_and_pull_completes_it(study: Study) -> None:
    reader = Study(study.name, study.clone, study.remote, study.location, _denied)
    with pytest.raises(PublishPending):
        reader.write("dm", make_table(), custom={"a": "b"})
    assert 1 == len(study.catalog.read_table("dm").history.entries)
    with study.repo() as repo:
        assert (0, ("dm",)) == pull_clone(repo, study.open_store)
    assert 2 == len(study.catalog.read_table("dm").history.entries)
    assert {"a": "b"} == study.catalog.read_table("dm").metadata.document["custom"]


def test_a_store_that_is_gone_is_named(study: Study) -> None:
    Path(study.location.root).rename(f"{study.location.root}.away")
    with pytest.raises(StoreMissing):
        study.write("dm", make_table(9))


def test_an_object_of_the_same_values_is_adopted_and_another_is_never_overwritten(study: Study, tmp_path: Path) -> None:
    data = make_table(9)
    key = payload_key("ex", study.write("probe", data).data_sha)
    # The same values in another layout: a run of another program that was stopped before its push.
    pq.write_table(data, tmp_path / "orphan.parquet", compression="gzip")
    study.store.put(key, (tmp_path / "orphan.parquet").read_bytes())
    result = study.write("ex", data)
    assert (tmp_path / "orphan.parquet").stat().st_size == result.size_bytes
    assert (tmp_path / "orphan.parquet").read_bytes() == study.store.get(key)

    foreign = payload_key("ae", study.write("probe", make_table(7)).data_sha)
    study.store.put(foreign, b"something else")
    before = _world(study)
    with pytest.raises(PayloadForeign):
        study.write("ae", make_table(7))
    assert before == _world(study)


def test_values_whose_recorded_payload_is_gone_are_not_written_anew(study: Study) -> None:
    study.write("dm", make_table(9), "second")
    first = study.catalog.read_history("dm").entries[-1]
    study.store.delete(payload_key("dm", first.data_sha))
    with pytest.raises(RecordedMissing):
        study.write("dm", make_table(), "back")


def test_a_history_that_would_be_too_long_to_be_read_is_not_written(study: Study) -> None:
    before = git(Path(study.remote), "rev-parse", "HEAD"), study.catalog.read_table("dm")
    with pytest.raises(DocumentTooLarge, match="the history of STUDY_001/dm has"):
        study.write("dm", make_table(9), "long " * (MOST_BYTES // 5))
    assert before == (git(Path(study.remote), "rev-parse", "HEAD"), study.catalog.read_table("dm"))
    assert Action.NEW_DATA == study.write("dm", make_table(9), "short").action


# -- init ----------------------------------------------------------------------------------------------------------


def test_a_project_is_begun_only_where_nothing_is(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    fresh = make_remote(tmp_path / "fresh.git")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").touch()
    elsewhere = Location("local", str(tmp_path / "new/store"))
    for path, location, remote, error in (
        (tmp_path / "a", study.location, str(fresh), NamespaceOccupied),
        (tmp_path / "a", elsewhere, study.remote, RemoteNotEmpty),
        (tmp_path / "full", elsewhere, str(fresh), DirectoryNotEmpty),
        (tmp_path / "a", elsewhere, str(tmp_path / "nowhere.git"), RemoteUnreachable),
    ):
        with pytest.raises(error):
            init_project(path, "OTHER", location, remote, open_folder_store)
        assert not (tmp_path / "a").exists()
        assert not (tmp_path / "new").exists()
        assert "" == git(fresh, "for-each-ref")
    assert ["mine.txt"] == [file.name for file in (tmp_path / "full").iterdir()]
