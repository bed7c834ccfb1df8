"""`datomfs hash`: what R computes, for many files at once, and a bad one among them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.command import Datomfs, run_process

GOLDEN = Path(__file__).parents[1] / "golden"
IMPORTS = GOLDEN / "csv-import"
VECTORS = json.loads((GOLDEN / "data-sha" / "vectors.json").read_text(encoding="utf-8"))
DOCUMENTS = json.loads((GOLDEN / "metadata-sha" / "vectors.json").read_text(encoding="utf-8"))


def hashable(count: int) -> list[dict[str, Any]]:
    return [vector for vector in VECTORS if "refused" not in vector and vector["column_hashes"]][:count]


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    path = tmp_path / "refused.parquet"
    pq.write_table(pa.table({"ok": [1], "raw": [b"x"], "nested": [[1]]}), path)
    return path


def test_json_has_one_object_a_line_as_r_hashed_the_files(datomfs: Datomfs) -> None:
    vectors = hashable(10)
    files = [str(GOLDEN / "data-sha" / vector["file"]) for vector in vectors]
    outcome = datomfs("hash", "--json", *files)
    told = [json.loads(line) for line in outcome.lines]
    assert [
        {
            "file": file,
            "data_sha": vector["data_sha"],
            "column_hashes": [{"name": name, "sha": sha} for name, sha in vector["column_hashes"]],
        }
        for file, vector in zip(files, vectors, strict=True)
    ] == told
    assert (0, "") == (outcome.code, outcome.err)


def test_text_has_the_hash_before_the_file_as_sha256sum_does(datomfs: Datomfs) -> None:
    (vector,) = hashable(1)
    file = GOLDEN / "data-sha" / vector["file"]
    outcome = datomfs("hash", file)
    columns = [f"  {sha}  {name}" for name, sha in vector["column_hashes"]]
    assert [f"{vector['data_sha']}  {file}", *columns] == outcome.lines


def test_a_file_is_named_as_it_was_typed(datomfs: Datomfs, table_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(table_file.parent)
    assert "./dm.parquet" == datomfs("hash", "--json", "./dm.parquet").json["file"]


def test_a_bad_file_stops_no_other(datomfs: Datomfs, table_file: Path, refused: Path, tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no parquet", encoding="ascii")
    files = [tmp_path / "nope.parquet", table_file, refused, tmp_path / "text.parquet", tmp_path, table_file]
    outcome = datomfs("hash", "--json", *files)
    told = [json.loads(line) for line in outcome.lines]
    assert list(map(str, files)) == [one["file"] for one in told]
    assert [False, True, False, False, False, True] == ["data_sha" in one for one in told]
    assert all(set(one) == {"file", "error"} for one in told if "data_sha" not in one)
    assert (7, "") == (outcome.code, outcome.err)


def test_in_text_a_bad_file_is_told_on_standard_error(datomfs: Datomfs, table_file: Path, refused: Path) -> None:
    outcome = datomfs("hash", refused, "nope.parquet", table_file)
    assert 7 == outcome.code
    assert outcome.lines[0].endswith(str(table_file))
    assert f"datomfs: {refused}: 2 columns cannot be hashed:" == outcome.err.splitlines()[0]
    assert "'raw'" in outcome.err
    assert "'nested'" in outcome.err
    assert "datomfs: no file nope.parquet" in outcome.err.splitlines()


def test_the_exit_code_is_that_of_the_worst(datomfs: Datomfs, table_file: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.parquet"
    pq.write_table(pa.table({"x": pa.array([], pa.int32())}), empty)
    assert 3 == datomfs("hash", "nope.parquet", table_file).code
    assert 7 == datomfs("hash", "nope.parquet", empty).code
    assert 7 == datomfs("hash", empty, "nope.parquet").code


@pytest.mark.parametrize("case", DOCUMENTS[:8], ids=lambda case: case["id"])
def test_metadata_documents_hash_as_in_r(datomfs: Datomfs, tmp_path: Path, case: dict[str, str]) -> None:
    path = tmp_path / "metadata.json"
    path.write_text(case["json"], encoding="utf-8")
    told = datomfs("hash", "--metadata", "--json", path).json
    assert {"file": str(path), "canonical": case["canonical"], "metadata_sha": case["metadata_sha"]} == told
    assert f"{case['metadata_sha']}  {path}\n" == datomfs("hash", "--metadata", path).out


def test_a_document_that_cannot_be_read_stops_no_other(datomfs: Datomfs, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text('{"data_sha": "abc123"}', encoding="ascii")
    bad.write_text("[1, 2", encoding="ascii")
    outcome = datomfs("hash", "--metadata", bad, tmp_path / "nope", tmp_path, good)
    assert 7 == outcome.code
    assert 1 == len(outcome.lines)
    assert 3 == sum(line.startswith("datomfs: ") for line in outcome.err.splitlines())


def test_names_of_columns_cannot_move_the_cursor(datomfs: Datomfs, tmp_path: Path) -> None:
    path = tmp_path / "dm.parquet"
    pq.write_table(pa.table({"a\x1b[2J\nb": [1]}), path)
    outcome = datomfs("hash", path)
    assert outcome.lines[1].endswith(r"a\x1b[2J\nb")
    assert "a\x1b[2J\nb" == datomfs("hash", "--json", path).json["column_hashes"][0]["name"]


def test_hashing_needs_no_project_and_no_configuration(table_file: Path) -> None:
    outcome = run_process("hash", table_file, environment={"XDG_CONFIG_HOME": "/nonexistent"})
    assert (0, "") == (outcome.code, outcome.err)


# -- other formats -------------------------------------------------------------------------------------------------


_ALL = ["utf8.csv", "simple.tsv", "tab.txt", "simple.psv", "v8.xpt", "labelled.zsav", "multi.xlsx"]


@pytest.mark.parametrize("name", _ALL)
def test_files_of_all_formats_hash_as_in_r(datomfs: Datomfs, name: str) -> None:
    cases = json.loads((IMPORTS / "vectors.json").read_text(encoding="utf-8"))
    (expected,) = (case["data_sha"] for case in cases if case["file"] == name)
    told = datomfs("hash", "--json", IMPORTS / "files" / name).json
    assert (expected, False) == (told["data_sha"], "losses" in told)


def test_what_r_would_lose_is_refused_and_taken_with_as_r(datomfs: Datomfs) -> None:
    file = IMPORTS / "files" / "leading_zeros.csv"
    refused = datomfs("hash", file)
    assert (7, "") == (refused.code, refused.out)
    assert "column 'a': leading zeros are lost (row 1: 001)" in refused.err
    assert "--as-r" in refused.err
    taken = datomfs("hash", "--as-r", file)
    assert 0 == taken.code
    assert "  lost: column 'a': leading zeros are lost (row 1: 001)" in taken.lines
    told = datomfs("hash", "--as-r", "--json", file).json
    assert told["data_sha"] == taken.lines[0].split()[0]
    assert 2 == len(told["losses"])


def test_a_format_that_is_not_known_is_refused(datomfs: Datomfs) -> None:
    refused = datomfs("hash", IMPORTS / "files" / "refused.rds")
    assert 7 == refused.code
    assert "is in no format that can be read: csv, tsv" in refused.err
