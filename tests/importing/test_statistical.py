"""Files of SAS, SPSS and Stata against what R's haven 2.5.1 makes of the same files, format by format."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datomfs.errors import FileMissing, LossyImport, UnreadableFile
from datomfs.identity.kinds import Kind
from datomfs.identity.table import hash_table
from datomfs.importing.formats import read_file
from tests.identity import reference
from tests.importing.frames import as_hashed

FOLDER = Path(__file__).parents[1] / "golden" / "statistical"
VECTORS: dict[str, Any] = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))
LOSSES = {
    "tag.dta": "column 'A': values with a meaning of their own become plain missing ones: .a",
    "tag.sas7bdat": "column 'A': values with a meaning of their own become plain missing ones: .A",
    "um.sav": "column 'a': values with a meaning of their own become plain missing ones: 99",
    "f.sav": "column 'V0': its dates have parts of days; R hashes and drops them",
    "f.dta": "column 'V0': its dates have parts of days; R hashes and drops them",
}


@pytest.mark.parametrize("file", sorted(VECTORS))
def test_the_values_are_those_of_haven(file: str) -> None:
    imported = read_file(FOLDER / file, as_r=True)
    expected = as_hashed(VECTORS[file])
    found = hash_table(imported.table, imported.kinds)
    assert [(column.name, reference.column_sha(column)) for column in expected] == list(found.column_hashes)


@pytest.mark.parametrize("file", sorted(VECTORS))
def test_what_haven_loses_is_told(file: str) -> None:
    if file not in LOSSES:
        assert () == read_file(FOLDER / file).losses
        return
    with pytest.raises(LossyImport) as caught:
        read_file(FOLDER / file)
    assert LOSSES[file] in caught.value.losses


def test_types_are_those_of_a_parquet_file() -> None:
    schema = read_file(FOLDER / "p.sas7bdat").table.schema
    expected = [pa.float64(), pa.large_string(), pa.date32(), pa.timestamp("us", "UTC"), pa.time64("us")]
    assert expected == schema.types


def test_what_no_type_holds_has_a_kind() -> None:
    assert Kind.DATE is read_file(FOLDER / "f.sav", as_r=True).kinds[0]


@pytest.mark.parametrize("file", ["p.sav", "p.sas7bdat", "p.dta", "p.xpt", "p.por"])
@pytest.mark.parametrize("size", [0, 5, 200])
def test_a_file_cut_short_is_an_error(tmp_path: Path, file: str, size: int) -> None:
    path = tmp_path / file
    path.write_bytes((FOLDER / file).read_bytes()[:size])
    with pytest.raises(UnreadableFile):
        read_file(path)


@pytest.mark.parametrize("ending", ["sav", "sas7bdat", "dta", "xpt", "por", "xlsx", "parquet"])
def test_a_file_that_lies_about_its_format_is_an_error(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"table.{ending}"
    path.write_bytes(b"a,b\n1,2\n" * 200)
    with pytest.raises(UnreadableFile):
        read_file(path)
    shutil.copyfile(FOLDER / ("p.dta" if ending != "dta" else "p.sav"), path)
    with pytest.raises(UnreadableFile):
        read_file(path)


def test_a_missing_file_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        read_file(tmp_path / "none.sav")
