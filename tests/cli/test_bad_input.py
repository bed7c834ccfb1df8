"""Bad input to the commands that read: the documented exit code, one message, the way out, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from datomfs.config import default_config_path
from datomfs.layout import MANIFEST_KEY, history_key, metadata_key
from tests.builders import Study
from tests.cli.command import Datomfs

HERE = ("--store", "{store}", "--project", "STUDY_001")
LOOK = "`datomfs history STUDY_001/dm` lists the versions."

CASES: list[tuple[list[str], int, list[str]]] = [
    # names that are none: refused before any key is built
    (["history", "STUDY_001/../x", *HERE], 2, ["does not have the form PROJECT/TABLE[@VERSION]", "STUDY_001/dm"]),
    (["history", "../x", *HERE], 2, ["'..' is not a legal name: it does not start with a letter"]),
    (["show", "STUDY_001/..", *HERE], 2, ["'..' is not a legal name", "letters, digits, spaces"]),
    (["show", "STUDY_001/dm.parquet", *HERE], 2, ["it holds a character that is not allowed"]),
    (["show", "STUDY_001/datom", *HERE], 2, ["it is reserved"]),
    (["ls", "../x", *HERE], 2, ["'../x' is not a legal name"]),
    (["ls", "--store", "{store}", "--project", "../x"], 2, ["'../x' is not a legal name"]),
    (["history", "dm", *HERE], 2, ["'dm' does not have the form PROJECT/TABLE[@VERSION]", "STUDY_001/dm"]),
    (["history", "STUDY_001/dm@abcdef", *HERE], 2, ["does not have the form PROJECT/TABLE\n"]),
    # versions that are none
    (["show", "STUDY_001/dm@ab", *HERE], 2, ["'ab' is not a version", "lists the versions"]),
    (["get", "STUDY_001/dm@../../etc", "-o", "x", *HERE], 2, ["'../../etc' is not a version"]),
    (["resolve", "STUDY_001/dm@ABCDEF12", *HERE], 2, ["lowercase hex digits"]),
    (["resolve", "STUDY_001/dm@", *HERE], 2, ["'' is not a version"]),
    # what is not there
    (["ls", "OTHER", *HERE], 3, ["no project 'OTHER': known are STUDY_001", "`datomfs ls` lists the projects"]),
    (["history", "OTHER/dm", *HERE], 3, ["no project 'OTHER': known are STUDY_001"]),
    (["show", "STUDY_001/nope", *HERE], 3, ["no table 'nope' in project 'STUDY_001'", "`datomfs ls STUDY_001`"]),
    (["show", "STUDY_001/DM", *HERE], 3, ["no table 'DM'", "case-sensitive"]),
    (["resolve", "STUDY_001/dm@000000", *HERE], 3, ["no version 000000 of STUDY_001/dm", LOOK]),
    (["get", "STUDY_001/dm@000000", "-o", "x", *HERE], 3, ["no version 000000 of STUDY_001/dm", LOOK]),
    # stores
    (["ls", "--store", "{store}"], 2, ["--store and --project: give both"]),
    (["ls", "--project", "STUDY_001"], 2, ["--store and --project: give both"]),
    (["ls", "--store", "", "--project", "P"], 2, ["neither a folder nor s3://bucket/prefix"]),
    (["ls", "--store", "http://host/x", "--project", "P"], 2, ["neither a folder nor s3://bucket/prefix"]),
    (["ls", "--store", "s3://", "--project", "P"], 2, ["no bucket is named"]),
    (["ls", "--store", "{store}/nowhere", "--project", "P"], 4, ["nowhere does not exist", "Check the location"]),
    (["show", "P/dm", "--store", "{store}/nowhere", "--project", "P"], 4, ["nowhere does not exist"]),
    (["ls", "--store", "{empty}", "--project", "P"], 3, ["holds no datom project"]),
    (["show", "P/dm", "--store", "{empty}", "--project", "P"], 3, ["holds no datom project"]),
    # another study's store under this name
    (["ls", "--store", "{store}", "--project", "STUDY_002"], 3, ["no project 'STUDY_002'", "holds 'STUDY_001'"]),
    (["history", "STUDY_002/dm", "--store", "{store}", "--project", "STUDY_002"], 3, ["holds 'STUDY_001'"]),
    (["get", "STUDY_002/dm", "-o", "x", "--store", "{store}", "--project", "STUDY_002"], 3, ["holds 'STUDY_001'"]),
    # configurations
    (["ls"], 2, ["config.toml: there is no such configuration; add [gov] with a repo or a store, or [project.NAME]"]),
    (["--config", "nope.toml", "ls"], 3, ["no file nope.toml"]),
    (["--config", "{empty}", "ls"], 2, ["it cannot be read: Is a directory"]),
    (["--config", "{store}/datom/.metadata/manifest.json", "ls"], 2, ["it is not TOML"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "says"), CASES, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_bad_input_gets_one_message_and_the_way_out(
    datomfs: Datomfs, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, says: list[str],
) -> None:  # fmt: skip
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    places = {"store": study.location.root, "empty": str(tmp_path / "empty")}
    outcome = datomfs(*(argument.format(**places) for argument in arguments))
    assert (code, "") == (outcome.code, outcome.out)
    assert outcome.err.startswith("datomfs: ")
    assert "Traceback" not in outcome.err
    assert len(outcome.err.splitlines()) <= 2
    for part in says:
        assert part in outcome.err
    assert [tmp_path / "empty"] == list(tmp_path.iterdir())


CONFIGURATIONS = {
    "unknown section": ("[governance]\n", "unknown section [governance]"),
    "unknown key": ("[mount]\nrefresh = 1\n", "unknown key 'refresh' in [mount]"),
    "bad TOML": ("[mount\n", "it is not TOML"),
    "bad value": ("[mount]\nrefresh_s = -1\n", "-1 is not a number of seconds above 0"),
    "no store": ("[project.P]\n", "[project.P] needs a store"),
    "bad name": ("[project.'../x']\nstore = '/d'\n", "'../x' is not a legal name"),
    "no project": ("", "it names no project"),
}


@pytest.mark.parametrize("arguments", [["ls"], ["history", "P/dm"], ["mount", "/nowhere"]])
@pytest.mark.parametrize(("text", "says"), CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_configuration_that_cannot_be_meant_stops_every_command(
    datomfs: Datomfs, arguments: list[str], text: str, says: str
) -> None:
    default_config_path().parent.mkdir(parents=True)
    default_config_path().write_text(text, encoding="utf-8")
    outcome = datomfs(*arguments)
    assert (2, "") == (outcome.code, outcome.out)
    assert says in outcome.err
    assert str(default_config_path()) in outcome.err


# -- documents in the store ----------------------------------------------------------------------------------------


@pytest.fixture
def copied(study: Study, tmp_path: Path) -> Path:
    return Path(shutil.copytree(study.location.root, tmp_path / "copy"))


def change(copied: Path, key: str, **fields: Any) -> None:
    path = copied / "datom" / key
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **fields}), encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "arguments"),
    [
        (MANIFEST_KEY, ["ls"]),
        (metadata_key("dm"), ["show", "STUDY_001/dm"]),
        (metadata_key("dm"), ["history", "STUDY_001/dm"]),
    ],
)
def test_documents_of_a_newer_or_impossible_schema_are_refused(
    datomfs: Datomfs, copied: Path, key: str, arguments: list[str]
) -> None:
    source = ("--store", copied, "--project", "STUDY_001")
    change(copied, key, schema_version=3)
    newer = datomfs(*arguments, *source)
    assert (6, "") == (newer.code, newer.out)
    assert f"{key} in {copied} is of schema version 3; this release reads up to 2" in newer.err
    assert "Upgrade datomfs." in newer.err
    change(copied, key, schema_version="2")
    invalid = datomfs(*arguments, *source)
    assert 6 == invalid.code
    assert "has the schema version '2', which is not a whole number" in invalid.err


@pytest.mark.parametrize("key", [metadata_key("dm"), history_key("dm"), MANIFEST_KEY])
@pytest.mark.parametrize(
    "body",
    [b"", b'{"schema_version": 2, "dat', b"\xff\xfe", b"[[", b"[" * 100_000],
    ids=["empty", "truncated", "no text", "open", "deep"],
)
def test_documents_that_do_not_parse_are_refused_by_name(datomfs: Datomfs, copied: Path, key: str, body: bytes) -> None:
    (copied / "datom" / key).write_bytes(body)
    arguments = ["ls"] if key == MANIFEST_KEY else ["show", "STUDY_001/dm"]
    outcome = datomfs(*arguments, "--store", copied, "--project", "STUDY_001")
    assert (6, "") == (outcome.code, outcome.out)
    assert f"{key} in {copied} cannot be used: " in outcome.err
    assert "Restore the document from git" in outcome.err


def test_a_data_sha_that_leads_elsewhere_is_refused(datomfs: Datomfs, copied: Path, tmp_path: Path) -> None:
    change(copied, metadata_key("dm"), data_sha="../../../../etc/passwd")
    outcome = datomfs("get", "STUDY_001/dm", "-o", tmp_path / "x", "--store", copied, "--project", "STUDY_001")
    assert 6 == outcome.code
    assert "data_sha is not 6 to 64 lowercase hex digits" in outcome.err
    assert not (tmp_path / "x").exists()


def test_an_ambiguous_version_names_its_matches(datomfs: Datomfs, copied: Path) -> None:
    path = copied / "datom" / history_key("dm")
    entries = json.loads(path.read_text(encoding="utf-8"))
    twin = entries[0]["version"][:10] + "0" * 54
    path.write_text(json.dumps([*entries, {**entries[0], "version": twin}]), encoding="utf-8")
    source = ("--store", copied, "--project", "STUDY_001")
    outcome = datomfs("show", f"STUDY_001/dm@{twin[:8]}", *source)
    assert 3 == outcome.code
    assert f"{entries[0]['version'][:16]}, {twin[:16]}" in outcome.err
    assert "Give more digits." in outcome.err
    assert 0 == datomfs("resolve", f"STUDY_001/dm@{twin[:16]}", *source).code


def test_a_lost_history_is_an_integrity_error(datomfs: Datomfs, copied: Path) -> None:
    (copied / "datom" / history_key("dm")).unlink()
    outcome = datomfs("history", "STUDY_001/dm", "--store", copied, "--project", "STUDY_001")
    assert 5 == outcome.code
    assert "is recorded but missing from the store" in outcome.err


def test_a_set_is_not_read_as_a_table(datomfs: Datomfs, copied: Path) -> None:
    change(copied, metadata_key("dm"), kind="set")
    outcome = datomfs("show", "STUDY_001/dm", "--store", copied, "--project", "STUDY_001")
    assert 3 == outcome.code
    assert "STUDY_001/dm is a set, not a table" in outcome.err
