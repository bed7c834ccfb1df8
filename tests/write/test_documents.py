"""The documents a write leaves, to the byte, in git, in folders and in buckets; and on a study that R wrote."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import datom
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datomfs.credentials import aws_session
from datomfs.identity.table import hash_table
from datomfs.layout import MANIFEST_KEY, history_key, metadata_key, snapshot_key
from datomfs.model.history import EMPTY_HISTORY
from datomfs.model.location import Location, parse_store_url
from datomfs.model.manifest import new_manifest
from datomfs.model.metadata import parse_metadata
from datomfs.model.s3 import S3Settings
from datomfs.store.base import Store
from datomfs.store.s3 import S3Store
from datomfs.write.payload import Payload
from datomfs.write.plan import Action, Request, decide, plan_version
from datomfs.write.state import TableState
from tests.builders import Study, git, make_study, make_table, open_folder_store
from tests.s3_server import S3Server

FIXTURES = Path(os.environ.get("DATOMFS_FIXTURES", Path(__file__).parents[3] / "shared/fixtures"))
PAYLOAD = Payload("9f" * 32, 1234)
EMPTY = TableState("c" * 40, new_manifest("demo-raw", "2026-11-20T09:00:00Z"), None, EMPTY_HISTORY)


def _request(table: pa.Table, **changes: object) -> Request:
    fields: dict[str, object] = {
        "project": "demo-raw",
        "table": "dm",
        "identity": hash_table(table),
        "message": "first extract",
        "custom": {},
        "author": ("A", "a@x"),
        "moment": datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC),
    }
    return Request(**{**fields, **changes})  # type: ignore[arg-type]


TABLE = pa.table({"id": pa.array([1, 2, 3], pa.int32()), "val": ["a", "b", "c"]})


def test_a_first_version_is_written_as_the_format_lays_down() -> None:
    made = plan_version(EMPTY, _request(TABLE), PAYLOAD)

    # The version of M1 in format.md §12: kind table, derived, three rows of id and val.
    version = "3003136bffc8da80028d957074abdee6d84dc98221c5acb6af45eb2ad0777246"
    data_sha = "2eb1fa3e668dc15f6e5c2b384d2dbf39b216f12573c07c95543fa208dba4fef8"
    assert version == made.version
    assert {"dm/metadata.json", "dm/version_history.json", ".datom/manifest.json"} == set(made.files)
    expected = f"""{{
  "schema_version": 2,
  "kind": "table",
  "data_sha": "{data_sha}",
  "hash_algo": "datom-cv1",
  "parquet_sha": "{"9f" * 32}",
  "table_type": "derived",
  "nrow": 3,
  "ncol": 2,
  "colnames": ["id", "val"],
  "created_at": "2026-11-20T10:00:00Z",
  "datom_version": "0.2.0",
  "project": "demo-raw",
  "size_bytes": 1234
}}"""
    assert expected == made.files["dm/metadata.json"]
    expected = f"""[
  {{
    "version": "{version}",
    "data_sha": "{data_sha}",
    "timestamp": "2026-11-20T10:00:00Z",
    "author": {{
      "name": "A",
      "email": "a@x"
    }},
    "commit_message": "first extract",
    "parquet_sha": "{"9f" * 32}"
  }}
]"""
    assert expected == made.files["dm/version_history.json"]
    expected = f"""{{
  "schema_version": 2,
  "project_name": "demo-raw",
  "artifacts": {{
    "dm": {{
      "kind": "table",
      "current_version": "{version}",
      "current_data_sha": "{data_sha}",
      "last_updated": "2026-11-20T10:00:00Z",
      "size_bytes": 1234,
      "version_count": 1
    }}
  }},
  "summary": {{
    "total_tables": 1,
    "total_size_bytes": 1234,
    "total_versions": 1,
    "total_sets": 0
  }},
  "updated_at": "2026-11-20T10:00:00Z"
}}"""
    assert expected == made.files[".datom/manifest.json"]


def test_a_single_column_name_stands_bare_and_own_texts_come_last() -> None:
    made = plan_version(EMPTY, _request(TABLE.select(["id"]), custom={"domain": "DM"}), PAYLOAD)
    document = json.loads(made.files["dm/metadata.json"])
    assert "id" == document["colnames"]
    assert ("custom", {"domain": "DM"}) == list(document.items())[-1]


def test_who_wrote_is_unknown_where_git_does_not_know() -> None:
    made = plan_version(EMPTY, _request(TABLE, author=None), PAYLOAD)
    assert "unknown" == json.loads(made.files["dm/version_history.json"])[0]["author"]


def test_what_is_identity_decides_and_nothing_else() -> None:
    made = plan_version(EMPTY, _request(TABLE), PAYLOAD)
    current = parse_metadata(made.files["dm/metadata.json"].encode(), "metadata")
    state = TableState(EMPTY.commit, EMPTY.manifest, current, EMPTY_HISTORY)
    later = datetime(2027, 1, 1, tzinfo=UTC)
    assert Action.UNCHANGED is decide(state, _request(TABLE, moment=later, message="again", author=None))
    assert Action.METADATA_ONLY is decide(state, _request(TABLE, custom={"a": "b"}))
    assert Action.NEW_DATA is decide(state, _request(TABLE.slice(0, 2)))


def test_folder_and_clone_hold_the_same_documents_but_for_commits(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    version = study.write("dm", make_table()).version
    for path, keys in (
        ("dm/metadata.json", (metadata_key("dm"), snapshot_key("dm", version))),
        (".datom/manifest.json", (MANIFEST_KEY,)),
    ):
        content = (study.clone / path).read_bytes()
        assert content.endswith(b"}\n")
        assert [content] * len(keys) == [study.store.get(key) for key in keys]
    stored = json.loads(study.store.get(history_key("dm")))
    assert git(study.clone, "rev-parse", "HEAD") == stored[0].pop("commit_sha")
    assert stored == json.loads((study.clone / "dm/version_history.json").read_bytes())


@pytest.mark.s3
@pytest.mark.usefixtures("s3_environment")
def test_a_bucket_holds_documents_without_a_final_newline_and_an_attested_payload(
    tmp_path: Path, s3_server: S3Server, s3_bucket: str
) -> None:
    settings = S3Settings(endpoint=s3_server.endpoint, addressing="path")

    def open_store(project: str, location: Location) -> Store:
        return S3Store(location, settings, aws_session(settings))

    study = make_study(tmp_path, location=parse_store_url(f"s3://{s3_bucket}/a/b", "us-east-1"), open_store=open_store)
    result = study.write("dm", make_table(), "first")
    assert Action.UNCHANGED is study.write("dm", make_table(), "again").action
    assert Action.METADATA_ONLY is study.write("dm", make_table(), custom={"a": "b"}).action

    for key in (metadata_key("dm"), MANIFEST_KEY, history_key("dm"), snapshot_key("dm", result.version)):
        assert study.store.get(key)[-1:] in b"}]"
    [payload] = study.catalog.list_payloads("dm")
    assert result.parquet_sha == study.store.head(payload).sha256
    colleague = study.colleague(tmp_path / "second")
    assert 3 == len(git(colleague.clone, "log", "--format=%s").splitlines())


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the fixtures that R wrote are not here")
def test_a_study_that_r_wrote_is_upgraded_without_noise(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "solo-study/storage", tmp_path / "storage")
    for archive in ("remote.git.tar.gz", "clone.tar.gz"):
        with tarfile.open(FIXTURES / "solo-study" / archive) as tar:
            tar.extractall(tmp_path, filter="data")
    clone, remote = tmp_path / "repo", tmp_path / "remote.git"
    git(clone, "remote", "set-url", "origin", str(remote))
    config = clone / ".datom/project.yaml"
    config.write_text(config.read_text().replace("/srv/datom-fixtures/solo-study/storage", str(tmp_path / "storage")))
    git(clone, "commit", "--quiet", "-am", "Update data store: STUDY_001")
    study = Study("STUDY_001", clone, str(remote), Location("local", str(tmp_path / "storage")), open_folder_store)
    before = study.catalog.read_table("nomsg")
    payload = study.store.get(study.catalog.read_table("nomsg").resolve(None).key)
    (tmp_path / "same.parquet").write_bytes(payload)

    result = study.write("nomsg", pq.read_table(tmp_path / "same.parquet"), "the same values")

    assert Action.METADATA_ONLY is result.action
    after = study.catalog.read_table("nomsg")
    assert before.history.versions < after.history.versions
    assert before.metadata.data_sha == after.metadata.data_sha
    assert 1 == len(study.catalog.list_payloads("nomsg"))
    changed = git(clone, "diff", "--stat=200", "HEAD~1", "HEAD").splitlines()[:-1]
    assert [".datom/manifest.json", "nomsg/metadata.json", "nomsg/version_history.json"] == sorted(
        line.split("|")[0].strip() for line in changed
    )
    history = git(clone, "diff", "--numstat", "HEAD~1", "HEAD", "--", "nomsg/version_history.json").split()
    assert "0" == history[1], "an old entry was touched"
    reader = datom.get_conn(datom.store_local(str(tmp_path / "storage")), project_name="STUDY_001")
    for entry in after.history.entries:
        assert datom.read(reader, "nomsg", version=entry.version, as_arrow=True).num_rows > 0
    assert 6 == len(datom.history(reader, "dm"))
