"""What the tests of the command line share: the command itself, and one study to read from."""

from __future__ import annotations

import sys
from pathlib import Path

import boto3
import pytest

from datomfs.cli.main import main
from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings
from datomfs.store.s3 import S3Store
from tests.builders import Study, make_study, make_table
from tests.cli.cached import MIB, body, label
from tests.cli.command import Datomfs, Outcome
from tests.mounts import StoredProject, store_options
from tests.s3_server import S3Server


@pytest.fixture
def datomfs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Datomfs:
    """The command line in this process, ended by its exit code as a process is."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["datomfs", *map(str, arguments)])
        capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        assert isinstance(code, int)
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """STUDY_001, to be read only: dm with three versions, the first being current again; `Table (1)` with one.

    The second version of dm only has a title more than the first.
    """
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Dänä Engineer")
            patch.setenv(f"GIT_{role}_EMAIL", "dana@example.org")
        made = make_study(tmp_path_factory.mktemp("study"))
        made.write("dm", make_table(3), "first extract — für Ärzte")
        made.write("dm", make_table(3), "a title", {"title": "Demographics", "日本語": "表"})
        made.write("dm", make_table(4), "second extract")
        made.write("dm", make_table(3), "back to the first")
        made.write("Table (1)", make_table(5, seed=7))
    return made


@pytest.fixture
def source(study: Study) -> tuple[str, ...]:
    """The options that name the study's store."""
    return ("--store", study.location.root, "--project", study.name)


@pytest.fixture
def table_file(tmp_path: Path) -> Path:
    """A parquet file of three rows."""
    import pyarrow.parquet as pq

    path = tmp_path / "dm.parquet"
    pq.write_table(make_table(3), path)
    return path


@pytest.fixture
def in_bucket(s3_environment: S3Server, s3_bucket: str) -> StoredProject:
    """A project without tables in a bucket of its own."""
    return StoredProject(S3Store(Location("s3", s3_bucket), S3Settings(), boto3.Session()))


@pytest.fixture
def warm(datomfs: Datomfs, in_bucket: StoredProject) -> StoredProject:
    """dm in two versions, 2 MiB and 100 bytes, both in the cache, the last pinned."""
    first, last = in_bucket.put("dm", body(2 * MIB, 1), body(100, 2))
    for words, version in (("warm", first), ("pin", last)):
        target = label(in_bucket, "dm", version)
        assert 0 == datomfs("cache", words, target, *store_options(in_bucket)).code
    return in_bucket
