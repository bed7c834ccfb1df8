"""ls, history, show, resolve and get: what they tell of a study, in text and in JSON."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datomfs.config import default_config_path
from datomfs.layout import history_key, metadata_key, snapshot_key
from tests.builders import Study, make_table
from tests.cli.command import Datomfs


@pytest.fixture
def versions(datomfs: Datomfs, source: tuple[str, ...]) -> list[dict[str, Any]]:
    """The history of dm as JSON tells it, newest first."""
    told: list[dict[str, Any]] = datomfs("history", "STUDY_001/dm", *source, "--json").json
    return told


@pytest.fixture
def copied(study: Study, tmp_path: Path) -> Path:
    """A copy of the study's store, to be damaged."""
    return Path(shutil.copytree(study.location.root, tmp_path / "copy"))


def configure(text: str) -> None:
    default_config_path().parent.mkdir(parents=True, exist_ok=True)
    default_config_path().write_text(text, encoding="utf-8")


# -- ls ------------------------------------------------------------------------------------------------------------


def test_projects_are_listed_though_one_of_them_is_broken(datomfs: Datomfs, study: Study) -> None:
    configure(
        f"[project.STUDY_001]\nstore = '{study.location.root}'\n"
        "[project.BROKEN]\nstore = '/nowhere/at/all'\n"
        "[project.'A study (1)']\nstore = 's3://no-such-bucket/prefix'\n"
    )
    outcome = datomfs("ls")
    assert (0, "") == (outcome.code, outcome.err)
    assert [
        "PROJECT      LOCATION",
        "A study (1)  s3://no-such-bucket/prefix",
        "BROKEN       /nowhere/at/all",
        f"STUDY_001    {study.location.root}",
    ] == outcome.lines
    assert {"project": "BROKEN", "location": "/nowhere/at/all"} in datomfs("ls", "--json").json


def test_the_tables_of_a_configured_project_are_listed(datomfs: Datomfs, study: Study) -> None:
    configure(f"[project.STUDY_001]\nstore = '{study.location.root}'\n[project.BROKEN]\nstore = '/nowhere'\n")
    outcome = datomfs("ls", "STUDY_001")
    assert ["NAME", "KIND", "VERSION", "UPDATED", "VERSIONS", "SIZE_BYTES"] == outcome.lines[0].split()
    assert ["dm", "Table"] == [line.split()[0] for line in outcome.lines[1:]]
    assert 4 == datomfs("ls", "BROKEN").code


def test_a_file_named_on_the_command_line_is_read_instead(datomfs: Datomfs, study: Study, tmp_path: Path) -> None:
    configure("[project.OTHER]\nstore = '/nowhere'\n")
    file = tmp_path / "mine.toml"
    file.write_text(f"[project.STUDY_001]\nstore = '{study.location.root}'\n", encoding="utf-8")
    assert ["STUDY_001"] == [one["project"] for one in datomfs("--config", file, "ls", "--json").json]


def test_tables_are_told_whole_in_json(
    datomfs: Datomfs, source: tuple[str, ...], versions: list[dict[str, Any]]
) -> None:
    dm, table_1 = datomfs("ls", *source, "--json").json
    current = next(one for one in versions if one["current"])
    assert current["version"] == dm["version"]
    assert current["data_sha"] == dm["data_sha"]
    assert ("STUDY_001", "dm", "table", 3) == (dm["project"], dm["name"], dm["kind"], dm["versions"])
    assert set(dm) == set(table_1) == {
        "project", "name", "kind", "version", "data_sha", "updated", "versions", "size_bytes"
    }  # fmt: skip
    assert dm["size_bytes"] > 0


def test_an_empty_project_has_a_heading_only(datomfs: Datomfs, tmp_path: Path) -> None:
    (tmp_path / "datom" / ".metadata").mkdir(parents=True)
    (tmp_path / "datom" / ".metadata" / "manifest.json").write_text('{"schema_version": 2, "artifacts": {}}')
    source = ("--store", tmp_path, "--project", "P")
    assert 1 == len(datomfs("ls", *source).lines)
    assert [] == datomfs("ls", *source, "--json").json


# -- history -------------------------------------------------------------------------------------------------------


def test_a_history_is_told_newest_first_with_the_current_version_marked(
    datomfs: Datomfs, source: tuple[str, ...], versions: list[dict[str, Any]]
) -> None:
    outcome = datomfs("history", "STUDY_001/dm", *source)
    assert ["VERSION", "CURRENT", "TIMESTAMP", "AUTHOR", "MESSAGE", "DATA_SHA"] == outcome.lines[0].split()
    assert [one["version"][:8] for one in versions] == [line.split()[0] for line in outcome.lines[1:]]
    assert ["second extract", "a title", "first extract — für Ärzte"] == [one["message"] for one in versions]
    assert [False, False, True] == [one["current"] for one in versions]
    assert [1] == [index for index, line in enumerate(reversed(outcome.lines), 1) if line.split()[1] == "yes"]


def test_a_history_is_told_whole_in_json(versions: list[dict[str, Any]]) -> None:
    for one in versions:
        assert {
            "version", "timestamp", "author", "message", "data_sha", "parquet_sha", "original_file_sha", "commit_sha",
            "current",
        } == set(one)  # fmt: skip
        assert (64, 64, 64, 40) == tuple(
            len(one[field]) for field in ("version", "data_sha", "parquet_sha", "commit_sha")
        )
        assert "Dänä Engineer <dana@example.org>" == one["author"]


def test_a_history_is_cut_to_the_newest(
    datomfs: Datomfs, source: tuple[str, ...], versions: list[dict[str, Any]]
) -> None:
    assert versions[:2] == datomfs("history", "STUDY_001/dm", "-n", "2", *source, "--json").json
    assert versions == datomfs("history", "STUDY_001/dm", "-n", "99", *source, "--json").json
    assert 2 == len(datomfs("history", "STUDY_001/dm", "-n", "1", *source).lines)


def test_a_name_with_blanks_and_parentheses_needs_nothing_but_quotes(
    datomfs: Datomfs, source: tuple[str, ...], tmp_path: Path
) -> None:
    (one,) = datomfs("history", "STUDY_001/Table (1)", *source, "--json").json
    target = f"STUDY_001/Table (1)@{one['version'][:6]}"
    assert one["version"] == datomfs("show", target, *source, "--json").json["version"]
    assert 0 == datomfs("get", target, "-o", tmp_path / "t.parquet", *source).code
    assert make_table(5, seed=7).equals(pq.read_table(tmp_path / "t.parquet"))


def test_versions_are_listed_with_as_many_digits_as_tell_them(datomfs: Datomfs, copied: Path) -> None:
    key = copied / "datom" / history_key("dm")
    entries = json.loads(key.read_text(encoding="utf-8"))
    twin = entries[0]["version"][:12] + ("0" if entries[0]["version"][12] != "0" else "1") + "0" * 51
    key.write_text(json.dumps([*entries, {**entries[1], "version": twin}]), encoding="utf-8")
    lines = datomfs("history", "STUDY_001/dm", "--store", copied, "--project", "STUDY_001").lines
    assert [13, 8, 8, 13] == [len(line.split()[0]) for line in lines[1:]]


def test_control_characters_of_a_message_never_reach_the_terminal(datomfs: Datomfs, copied: Path) -> None:
    key = copied / "datom" / history_key("dm")
    entries = json.loads(key.read_text(encoding="utf-8"))
    entries[0]["commit_message"] = "two\nlines \x1b[2J and \u202e right to left"
    key.write_text(json.dumps(entries), encoding="utf-8")
    source = ("--store", copied, "--project", "STUDY_001")
    lines = datomfs("history", "STUDY_001/dm", *source).lines
    assert 4 == len(lines)
    assert r"two\nlines \x1b[2J and \u202e right to left" in lines[1]
    assert entries[0]["commit_message"] == datomfs("history", "STUDY_001/dm", *source, "--json").json[0]["message"]


def test_columns_stand_under_each_other_whatever_script_is_in_them(datomfs: Datomfs, copied: Path) -> None:
    key = copied / "datom" / history_key("dm")
    entries = json.loads(key.read_text(encoding="utf-8"))
    entries[0]["commit_message"], entries[1]["commit_message"] = "抽出データ", "e\u0301tude"
    key.write_text(json.dumps(entries), encoding="utf-8")
    lines = datomfs("history", "STUDY_001/dm", "--store", copied, "--project", "STUDY_001").lines
    ends = [line.rindex("  ") for line in lines]
    # Five wide characters take ten columns, a combining accent none.
    assert ends == [ends[0], ends[0] - 5, ends[0] + 1, ends[0]]


# -- show ----------------------------------------------------------------------------------------------------------


def test_the_current_version_is_shown_with_its_metadata(
    datomfs: Datomfs, source: tuple[str, ...], versions: list[dict[str, Any]]
) -> None:
    told = datomfs("show", "STUDY_001/dm", *source, "--json").json
    assert versions[2] == {name: told[name] for name in versions[2]}
    assert ("STUDY_001", "dm", True) == (told["project"], told["table"], told["current"])
    assert (3, 4, told["data_sha"]) == (
        told["metadata"]["nrow"],
        told["metadata"]["ncol"],
        told["metadata"]["data_sha"],
    )


def test_a_pinned_version_is_shown_with_the_metadata_it_had(
    datomfs: Datomfs, source: tuple[str, ...], versions: list[dict[str, Any]]
) -> None:
    titled = datomfs("show", f"STUDY_001/dm@{versions[1]['version'][:10]}", *source, "--json").json
    assert {"title": "Demographics", "日本語": "表"} == titled["metadata"]["custom"]
    assert titled["current"] is False
    assert 4 == datomfs("show", f"STUDY_001/dm@{versions[0]['version']}", *source, "--json").json["metadata"]["nrow"]


def test_text_is_for_eyes(datomfs: Datomfs, source: tuple[str, ...], versions: list[dict[str, Any]]) -> None:
    lines = datomfs("show", f"STUDY_001/dm@{versions[1]['version'][:8]}", *source).lines
    told = dict(line.split(maxsplit=1) for line in lines)
    assert (versions[1]["version"], "no", "3", "a title") == tuple(
        told[name] for name in ("version", "current", "nrow", "message")
    )
    assert "id, name, weight, visit" == told["colnames"]
    assert "title=Demographics, 日本語=表" == told["custom"]
    assert "original_file_sha" not in told


def test_parents_are_shown_one_a_line(datomfs: Datomfs, copied: Path) -> None:
    key = copied / "datom" / metadata_key("dm")
    document = json.loads(key.read_text(encoding="utf-8"))
    document["parents"] = [{"source": "P", "table": "a", "version": "aa"}, {"source": "P", "table": "b"}]
    key.write_text(json.dumps(document), encoding="utf-8")
    lines = datomfs("show", "STUDY_001/dm", "--store", copied, "--project", "STUDY_001").lines
    at = next(index for index, line in enumerate(lines) if line.startswith("parents"))
    assert ["source=P, table=a, version=aa", "source=P, table=b"] == [line[13:].strip() for line in lines[at : at + 2]]


def test_a_version_without_a_snapshot_is_shown_as_far_as_its_history_goes(
    datomfs: Datomfs, copied: Path, versions: list[dict[str, Any]]
) -> None:
    (copied / "datom" / snapshot_key("dm", versions[0]["version"])).unlink()
    target = (f"STUDY_001/dm@{versions[0]['version']}", "--store", copied, "--project", "STUDY_001")
    assert datomfs("show", *target, "--json").json["metadata"] is None
    assert "second extract" in datomfs("show", *target).out


# -- resolve and get -----------------------------------------------------------------------------------------------


def test_resolve_tells_where_the_bytes_lie(
    datomfs: Datomfs, source: tuple[str, ...], versions: list[dict[str, Any]]
) -> None:
    for one in versions:
        told = datomfs("resolve", f"STUDY_001/dm@{one['version'][:12]}", *source, "--json").json
        assert {"project", "table", "version", "uri", "data_sha", "parquet_sha", "size_bytes"} == set(told)
        data = Path(told["uri"]).read_bytes()
        assert (one["version"], one["parquet_sha"]) == (told["version"], hashlib.sha256(data).hexdigest())
        assert len(data) == told["size_bytes"]
    assert versions[2]["version"] == datomfs("resolve", "STUDY_001/dm", *source, "--json").json["version"]


def test_get_makes_a_proven_copy(
    datomfs: Datomfs, source: tuple[str, ...], tmp_path: Path, versions: list[dict[str, Any]]
) -> None:
    output = tmp_path / "copy of dm.parquet"
    told = datomfs("get", f"STUDY_001/dm@{versions[0]['version'][:8]}", "-o", output, *source, "--json").json
    assert versions[0]["parquet_sha"] == hashlib.sha256(output.read_bytes()).hexdigest() == told["parquet_sha"]
    assert (str(output), "full", output.stat().st_size) == (told["file"], told["verified"], told["size_bytes"])
    assert make_table(4).equals(pq.read_table(output))
    assert [output] == list(tmp_path.iterdir())


def test_get_replaces_a_file_and_writes_through_a_link(
    datomfs: Datomfs, source: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "real.parquet").write_text("before")
    (tmp_path / "link.parquet").symlink_to("real.parquet")
    assert 0 == datomfs("get", "STUDY_001/dm", "-o", tmp_path / "link.parquet", *source).code
    assert (tmp_path / "link.parquet").is_symlink()
    assert make_table(3).equals(pq.read_table(tmp_path / "real.parquet"))


@pytest.fixture
def damaged(copied: Path, versions: list[dict[str, Any]]) -> Path:
    """A store in which one byte of the second extract was changed."""
    payload = copied / "datom" / "dm" / f"{versions[0]['data_sha']}.parquet"
    data = bytearray(payload.read_bytes())
    data[len(data) // 2] ^= 1
    payload.chmod(0o644)
    payload.write_bytes(data)
    return copied


def test_a_damaged_payload_is_never_copied(
    datomfs: Datomfs, damaged: Path, tmp_path: Path, versions: list[dict[str, Any]]
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    target = (f"STUDY_001/dm@{versions[0]['version']}", "--store", damaged, "--project", "STUDY_001")
    outcome = datomfs("get", *target, "-o", folder / "new.parquet")
    assert (5, "") == (outcome.code, outcome.out)
    assert f"is not what was recorded: expected sha256 {versions[0]['parquet_sha']}" in outcome.err
    assert [] == list(folder.iterdir())
    (folder / "kept.parquet").write_text("precious")
    assert 5 == datomfs("get", *target, "-o", folder / "kept.parquet").code
    assert "precious" == (folder / "kept.parquet").read_text()
    assert [folder / "kept.parquet"] == list(folder.iterdir())


def test_damage_to_one_version_touches_no_other(datomfs: Datomfs, damaged: Path, tmp_path: Path) -> None:
    assert (
        0
        == datomfs(
            "get", "STUDY_001/dm", "-o", tmp_path / "dm.parquet", "--store", damaged, "--project", "STUDY_001"
        ).code
    )


def test_a_payload_that_the_store_lacks_is_not_called_absent(
    datomfs: Datomfs, copied: Path, tmp_path: Path, versions: list[dict[str, Any]]
) -> None:
    (copied / "datom" / "dm" / f"{versions[0]['data_sha']}.parquet").unlink()
    target = (f"STUDY_001/dm@{versions[0]['version']}", "--store", copied, "--project", "STUDY_001")
    for outcome in (datomfs("resolve", *target), datomfs("get", *target, "-o", tmp_path / "x.parquet")):
        assert 5 == outcome.code
        assert "is recorded but missing from the store" in outcome.err
    assert not (tmp_path / "x.parquet").exists()


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (".", "it is a folder"),
        ("nowhere/dm.parquet", "its folder does not exist"),
        ("fifo", "it is not a regular file"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_place_that_takes_no_file_is_refused(
    datomfs: Datomfs, source: tuple[str, ...], tmp_path: Path, output: str, reason: str
) -> None:
    os.mkfifo(tmp_path / "fifo")
    outcome = datomfs("get", "STUDY_001/dm", "-o", tmp_path / output, *source)
    assert (4, "") == (outcome.code, outcome.out)
    assert f"cannot be written: {reason}" in outcome.err
    assert [tmp_path / "fifo"] == list(tmp_path.iterdir())


def test_a_payload_from_before_cv1_is_proven_by_its_data_sha_or_said_not_to_be(
    datomfs: Datomfs, tmp_path: Path
) -> None:
    body = b"parquet as an old release wrote it"
    proven, unproven = hashlib.sha256(body).hexdigest(), "12" * 32
    documents = tmp_path / "datom" / "dm" / ".metadata"
    documents.mkdir(parents=True)
    for data_sha in (proven, unproven):
        (documents.parent / f"{data_sha}.parquet").write_bytes(body)
    history = [{"version": "aa" * 32, "data_sha": proven}, {"version": "bb" * 32, "data_sha": unproven}]
    (documents / "metadata.json").write_text(json.dumps({"data_sha": proven}))
    (documents / "version_history.json").write_text(json.dumps(history))
    source = ("-o", tmp_path / "dm.parquet", "--store", tmp_path, "--project", "OLD", "--json")
    assert ("full", None) == ((told := datomfs("get", "OLD/dm", *source).json)["verified"], told["parquet_sha"])
    assert "unrecorded" == datomfs("get", "OLD/dm@bbbbbb", *source).json["verified"]
