"""`datomfs doctor`: what it says of projects that agree, that differ, and that cannot be compared."""

from __future__ import annotations

import json
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datomfs.config import default_config_path
from datomfs.layout import MANIFEST_PATH, snapshot_key
from tests.builders import Study, git, make_study, make_table
from tests.cli.command import Datomfs
from tests.identity.r_stores import FOLDER, needs_r_stores
from tests.mounts import stored_in


@pytest.fixture
def own(tmp_path: Path) -> Study:
    """A study that a test may spoil: dm in one version."""
    made = make_study(tmp_path)
    made.write("dm", make_table(3), "first")
    return made


def options(study: Study) -> list[str]:
    """What names both roads."""
    return ["--store", study.location.root, "--project", study.name, "--repo", study.remote]


def test_two_roads_that_agree_are_equal(datomfs: Datomfs, own: Study) -> None:
    outcome = datomfs("doctor", *options(own), "--json")
    equal = {"project": "STUDY_001", "state": "equal", "reason": None, "differences": []}
    assert (0, "", [equal]) == (outcome.code, outcome.err, outcome.json)
    assert "nothing differs" in datomfs("doctor", "STUDY_001", *options(own)).out


def test_a_difference_is_told_with_what_mends_it(datomfs: Datomfs, own: Study) -> None:
    version = own.catalog.read_table("dm").resolve(None).version
    own.store.delete(snapshot_key("dm", version))
    outcome = datomfs("doctor", *options(own), "--json")
    (record,) = outcome.json
    (difference,) = record["differences"]
    assert (5, "differs", "dm") == (outcome.code, record["state"], difference["artifact"])
    assert version[:8] in difference["found"]
    text = datomfs("doctor", *options(own))
    assert ("restore the object" in text.out, "do not tell the same of STUDY_001" in text.err) == (True, True)


def test_what_cannot_be_compared_is_told_with_the_reason(datomfs: Datomfs, own: Study, tmp_path: Path) -> None:
    stored_in(tmp_path / "other", "OTHER").put("dm", b"x")
    stored_in(tmp_path / "lost", "LOST").put("dm", b"x")
    path = default_config_path()
    path.parent.mkdir(parents=True)
    path.write_text(
        f'[project.STUDY_001]\nstore = "{own.location.root}"\nrepo = "{own.remote}"\n'
        f'[project.OTHER]\nstore = "{tmp_path / "other"}"\n'
        f'[project.LOST]\nstore = "{tmp_path / "lost"}"\nrepo = "{tmp_path / "no.git"}"\n'
    )
    outcome = datomfs("doctor", "--json")
    assert 4 == outcome.code
    assert [("LOST", "not compared"), ("OTHER", "not compared"), ("STUDY_001", "equal")] == [
        (record["project"], record["state"]) for record in outcome.json
    ]
    assert "could not be reached" in outcome.json[0]["reason"]
    assert "data repository is not named" in outcome.json[1]["reason"]
    assert 0 == datomfs("doctor", "OTHER", "STUDY_001").code


def test_what_was_fetched_earlier_is_not_taken_for_git(datomfs: Datomfs, own: Study) -> None:
    assert 0 == datomfs("doctor", *options(own)).code
    shutil.move(own.remote, f"{own.remote}.away")
    outcome = datomfs("doctor", *options(own))
    assert (4, True) == (outcome.code, "not compared" in outcome.out)


def test_an_unknown_project_is_told(datomfs: Datomfs, own: Study) -> None:
    outcome = datomfs("doctor", "NONE", *options(own))
    assert (3, True) == (outcome.code, "no project 'NONE'" in outcome.out)


@needs_r_stores
@pytest.mark.parametrize(
    ("project", "store", "archive", "remote"),
    [
        ("STUDY_001", "solo-study/storage", "solo-study/remote.git.tar.gz", "remote.git"),
        ("STUDY_001", "governed/data/STUDY_001", "governed/remotes.tar.gz", "remotes/STUDY_001.git"),
        ("STUDY_002", "governed/data/STUDY_002/trial/two", "governed/remotes.tar.gz", "remotes/STUDY_002.git"),
        ("STUDY_004", "governed/data/STUDY_004_new", "governed/remotes.tar.gz", "remotes/STUDY_004.git"),
    ],
)
def test_what_r_wrote_is_equal_and_was_what_git_shows(
    datomfs: Datomfs, tmp_path: Path, project: str, store: str, archive: str, remote: str
) -> None:
    with tarfile.open(FOLDER / archive) as packed:
        packed.extractall(tmp_path, filter="data")
    repo = tmp_path / remote
    both = ["--store", FOLDER / store, "--project", project, "--repo", repo]
    assert ["equal"] == [record["state"] for record in datomfs("doctor", *both, "--json").json]
    for second in {int(time) for time in git(repo, "log", "--format=%ct").split()}:
        moment = datetime.fromtimestamp(second, UTC)
        commit = git(repo, "rev-list", "-1", f"--before={moment.isoformat()}", "HEAD")
        manifest = json.loads(git(repo, "show", f"{commit}:{MANIFEST_PATH}"))
        rows = manifest.get("artifacts", manifest.get("tables"))
        listed = datomfs("ls", f"{project}@{moment:%Y%m%dT%H%M%SZ}", *both, "--json").json
        assert {name: row["current_version"] for name, row in rows.items()} == {
            row["name"]: row["version"] for row in listed
        }
