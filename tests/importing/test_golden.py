"""The files that R datom imported: R's hashes, by default where R loses nothing, with as_r always."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import pytest

from datomfs.errors import DataRefused, LossyImport
from datomfs.identity.table import hash_table
from datomfs.importing.delimited import read_delimited
from datomfs.importing.formats import read_file
from tests.identity.r_stores import FOLDER
from tests.importing.frames import GOLDEN, r_columns

CASES = json.loads((GOLDEN / "vectors.json").read_text(encoding="utf-8"))
IMPORTED = [case for case in CASES if "data_sha" in case]
REFUSED = [case for case in CASES if "refused" in case]
GENERATED = json.loads((GOLDEN / "generated.json").read_text(encoding="utf-8"))

LOSSES = {
    "backslash.csv": "backslashes before quotes stay",
    "dt_frac9.csv": "column 't': its seconds are too fine",
    "dt_min.csv": "1 names stand over 2 columns",
    "dt_space.csv": "blanks are taken for separators",
    "dt_utc_space.csv": "1 names stand over 3 columns",
    "embedded_nul.csv": "NUL bytes are left out",
    "ints_zero_pad_mixed.csv": "column 'a': leading zeros are lost (row 2: 02)",
    "latin1.csv": "column 'a': bytes that are no text of UTF-8 are replaced or left out (row 1 becomes 'caf<e9>')",
    "leading_zeros.csv": "column 'a': leading zeros are lost (row 1: 001)",
    "quoted_quote.csv": "column 'a': doubled quotes stay doubled (row 1)",
    "ragged_short.csv": "row 2 has not 3 fields: it and what follows is dropped, from '4,5' on",
    "subj.csv": "column 'SUBJID': leading zeros are lost (row 1: 001)",
    "trailing_comma_data.csv": "2 names stand over 3 columns",
    "win1252.csv": "column 'a': bytes that are no text of UTF-8",
}
"""The files of which R loses something, and what is said of it."""


@pytest.mark.parametrize("case", IMPORTED, ids=lambda case: case["file"])
def test_as_r_gives_the_hashes_of_r(case: dict[str, Any]) -> None:
    imported = read_file(GOLDEN / "files" / case["file"], as_r=True)
    found = hash_table(imported.table, imported.kinds)
    assert [tuple(column) for column in case["column_hashes"]] == list(found.column_hashes)
    assert case["data_sha"] == found.data_sha


@pytest.mark.parametrize("case", IMPORTED, ids=lambda case: case["file"])
def test_only_what_r_loses_is_refused(case: dict[str, Any]) -> None:
    path = GOLDEN / "files" / case["file"]
    if case["file"] not in LOSSES:
        imported = read_file(path)
        assert case["data_sha"] == hash_table(imported.table, imported.kinds).data_sha
        return
    with pytest.raises(LossyImport) as caught:
        read_file(path)
    assert LOSSES[case["file"]] in str(caught.value)
    assert "--as-r" in caught.value.way_out


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["file"])
@pytest.mark.parametrize("as_r", [False, True])
def test_what_r_refuses_is_refused(case: dict[str, Any], as_r: bool) -> None:
    with pytest.raises(DataRefused):
        read_file(GOLDEN / "files" / case["file"], as_r=as_r)


def test_the_examples_of_r_give_the_hashes_of_r() -> None:
    folder = FOLDER / "csv-import"
    if not folder.is_dir():
        pytest.skip("the files that R imported are not here (DATOMFS_FIXTURES)")
    vectors = json.loads((folder / "vectors_rio123_dt1180.json").read_text(encoding="utf-8"))["cases"]
    examples = [case for case in vectors if Path(case["file"]).name.startswith("ex_")]
    assert examples
    for case in examples:
        assert case["data_sha"] == hash_table(read_file(folder / case["file"]).table).data_sha, case["file"]


@pytest.mark.parametrize("part", range(6))
def test_generated_texts_read_as_in_r(tmp_path: Path, part: int) -> None:
    path = tmp_path / "generated.csv"
    for case in GENERATED[part::6]:
        text = base64.b64decode(case["input"])
        path.write_bytes(text)
        if "error" in case or not case["columns"] or not case["columns"][0][2]:
            with pytest.raises(DataRefused):
                read_delimited(path)
            continue
        imported = read_delimited(path)
        for (name, class_, values), (our_name, our_class, ours) in zip(
            case["columns"], r_columns(imported), strict=True
        ):
            assert (name, class_) == (our_name if "\\x" not in name else name, our_class), text
            assert _comparable(class_, values) == _comparable(class_, ours), text
        # What fread warns of is never taken in silence.
        assert imported.losses or not case["warnings"], text


def _comparable(class_: str, values: list[Any]) -> list[Any]:
    if class_ not in ("numeric", "POSIXct"):
        return values
    doubles = [value if value == "NA" or isinstance(value, float) else _double(value) for value in values]
    return ["NaN" if isinstance(value, float) and math.isnan(value) else value for value in doubles]


def _double(text: str) -> float:
    return math.nan if text == "NaN" else float.fromhex(text)
