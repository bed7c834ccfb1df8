"""Workbooks against what R's readxl 1.4.2 makes of the same files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datomfs.errors import EmptyTable, LossyImport
from datomfs.identity.table import hash_table
from datomfs.importing.formats import read_file
from tests.identity import reference
from tests.importing.frames import as_hashed

FOLDER = Path(__file__).parents[1] / "golden" / "workbooks"
VECTORS: dict[str, Any] = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))
LOSSES = {
    "late.xlsx": ("column 'late': cells of several types become one (row 1051: 'text')",),
    "mixed.xlsx": (
        "column 'when': cells of several types become one (row 1: datetime.date(2026, 1, 28))",
        "column 'flag': cells of several types become one (row 1: True)",
    ),
    "typed.xlsx": (
        "the names of columns that have the same become dup...10, dup...11",
        "column 'mixed': cells of several types become one (row 1: 1.0)",
    ),
}


@pytest.mark.parametrize("file", sorted(VECTORS))
def test_the_values_are_those_of_readxl(file: str) -> None:
    imported = read_file(FOLDER / file, as_r=True)
    expected = as_hashed(VECTORS[file])
    found = hash_table(imported.table, imported.kinds)
    assert [(column.name, reference.column_sha(column)) for column in expected] == list(found.column_hashes)


@pytest.mark.parametrize("file", sorted(VECTORS))
def test_what_readxl_changes_is_told(file: str) -> None:
    if file not in LOSSES:
        assert () == read_file(FOLDER / file).losses
        return
    with pytest.raises(LossyImport) as caught:
        read_file(FOLDER / file)
    assert LOSSES[file] == caught.value.losses


def test_a_workbook_without_cells_is_empty() -> None:
    with pytest.raises(EmptyTable):
        read_file(FOLDER / "none.xlsx")
