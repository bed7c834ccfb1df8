"""Delimited text: any bytes, tables of any values, the quick road and the slow one, and each loss that is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datomfs.errors import DatomfsError, EmptyTable, UnreadableFile
from datomfs.importing.delimited import read_delimited
from datomfs.importing.imported import Imported
from datomfs.importing.layout import find_begin, find_layout
from datomfs.importing.quick_rows import read_rows_quickly
from datomfs.importing.rows import read_rows
from tests.importing.frames import r_columns

Read = Callable[[bytes], Imported]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_text(text: bytes) -> Imported:
        path = tmp_path / "table.csv"
        path.write_bytes(text)
        return read_delimited(path)

    return read_text


_PIECES = st.sampled_from(
    [b",", b"\n", b'"', b'""', b" ", b"\t", b"\r\n", b"\r", b"\0", b"\xe9", b"a", b"1", b"007", b"NA", b"TRUE",
     b"2026-01-28", b"2026-01-28T12:34:56Z", b"-", b".", b"e5", b"|", b";", b"#", b"\xef\xbb\xbf", b"\xff\xfe"]
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(pieces=st.lists(_PIECES | st.binary(max_size=3), max_size=40))
def test_any_bytes_are_a_table_or_an_error_of_ours(read: Read, pieces: list[bytes]) -> None:
    try:
        imported = read(b"".join(pieces))
    except DatomfsError:
        return
    assert imported.table.num_rows > 0
    imported.table.validate(full=True)


_quotable = st.text(st.sampled_from("ab ,;|\t\n#é1"), max_size=6).map(lambda text: f"q{text}")
_numbers = st.integers(-(2**31) + 1, 2**31 - 1)


def _render(value: object) -> str:
    return "NA" if value is None else f'"{value}"' if isinstance(value, str) else str(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    rows=st.lists(
        st.tuples(_numbers, st.none() | _quotable, st.booleans() | st.none(), st.floats(-1e15, 1e15)),
        min_size=1,
        max_size=8,
    ),
    ending=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
)  # fmt: skip
def test_tables_come_back_as_they_were_written(
    read: Read, rows: list[tuple[int, str | None, bool | None, float]], ending: str, last: bool
) -> None:
    lines = ["n,text,flag,x"] + [
        ",".join([str(n), _render(text), _render(flag).upper(), repr(x)]) for n, text, flag, x in rows
    ]
    columns = r_columns(read((ending.join(lines) + ending * last).encode()))
    assert ("n", "integer", [str(row[0]) for row in rows]) == columns[0]
    texts = [row[1] for row in rows]
    assert all(text is None for text in texts) or ("text", "character", texts) == columns[1]
    assert [None if row[2] is None else int(row[2]) for row in rows] == [
        None if value == "NA" else int(value) for value in columns[2][2]
    ]
    assert [row[3] + 0.0 for row in rows] == [float(value) for value in columns[3][2]]


@settings(max_examples=100)
@given(
    rows=st.lists(
        st.lists(
            st.sampled_from(["", "NA", '"NA"', '""', "a", " a ", '"a,b"', '"x\ny"', "1", "-2", "TRUE", "é", "b c"]),
            min_size=2,
            max_size=2,
        ),
        min_size=2,
        max_size=9,
    ),
    ending=st.sampled_from([b"\n", b"\r\n"]),
    tail=st.sampled_from([b"", b"\n", b"\n\n"]),
)  # fmt: skip
def test_the_quick_road_reads_what_the_slow_one_reads(rows: list[list[str]], ending: bytes, tail: bytes) -> None:
    text, begin = find_begin(ending.join(",".join(row).encode() for row in rows) + tail)
    layout = find_layout(text, begin)
    assert layout is not None
    quick = read_rows_quickly(layout, layout.body)
    if quick is None:
        return
    slow = read_rows(layout, layout.width, layout.body, fill=False)
    assert (slow.count, slow.stopped) == (quick.count, quick.stopped)
    for one, other in zip(slow.columns, quick.columns, strict=True):
        assert one.plain().to_pylist() == other.plain().to_pylist()
        assert one.present()[0].to_pylist() == other.present()[0].to_pylist()


def test_the_quick_road_is_the_usual_one() -> None:
    text, begin = find_begin(b'a,b\n1,"x, y"\n2,"z"\n\n')
    layout = find_layout(text, begin)
    assert layout is not None
    quick = read_rows_quickly(layout, layout.body)
    assert quick is not None
    assert [[b"1", b"2"], [b"x, y", b"z"]] == [cells.texts.to_pylist() for cells in quick.columns]


# -- losses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "loss"),
    [
        (b"d\n12-05-21\n", "column 'd': is taken for a date of an odd year (row 1: 12-05-21)"),
        (b"id,n\n001-01-02,1\n", "column 'id': is taken for a date of an odd year (row 1: 001-01-02)"),
        (b"n,x\n1,1e320\n", "column 'x': numbers too large or too small become Inf or 0 (row 1: 1e320)"),
        (b"n,x\n1,1e-345\n", "column 'x': numbers too large or too small become Inf or 0 (row 1: 1e-345)"),
        (b"n,x\n1,#DIV/0!\n2,3\n", "column 'x': errors of a spreadsheet become NaN, Inf or NA (row 1: #DIV/0!)"),
        (
            b"n,t\n1,2026-01-28T12:34:56-03:30\n",
            "column 't': minutes of a zone west of Greenwich are taken the wrong way"
            " (row 1: 2026-01-28T12:34:56-03:30)",
        ),
        (b"n,m\n-2147483648,1\n", "column 'n': is stored by R as a missing value (row 1: -2147483648)"),
        (b"a,b,NA\n1,2,3\n", "the name NA of column 3 is taken for a missing one"),
        (b'"a""b",c\n1,2\n', "the name of column 1 becomes 'a\"\"b'"),
        (b"report\na,b\n1,2\n3,4\n", "lines before the table are dropped: b'report'"),
        (b"a,b\n1,2\n\n3,4\n", "row 2 has not 2 fields: it and what follows is dropped, from '3,4' on"),
        (b"a,b,c\n1,2\n3,4\n", "3 names stand over 2 columns; the last columns are left empty"),
        (b"John Smith\nJane Doe\n", "blanks are taken for separators"),
        (b'a,b\n"x"y,1\n', "quotes inside of quotes are not escaped; where a field ends is guessed"),
        (
            b"a,b\r1,2\n3,4\n",
            "carriage returns alone are letters in one version of R's reader and end lines in another",
        ),
        (
            b'f,s\nTRUE,\n' + b"FALSE,1\n" * 120 + b'TRUE,"late"\n\n\n',
            "since something follows the last row, quotes stay in texts that come late in a column",
        ),
    ],
)  # fmt: skip
def test_what_is_lost_is_told(read: Read, text: bytes, loss: str) -> None:
    assert loss.replace("b'report'", "'report'") in read(text).losses


@pytest.mark.parametrize(
    "text",
    [
        b"# made on Monday\na,b\n1,2\n",
        b"\xef\xbb\xbfa,b\n1,2\n",
        b"a,b\r\n1,2\r\n\r\n",
        b"a,b\n1,2\n\x1a",
        b"a,a\n1,2\n",
        b"a,\n1,2\n",
        b"a,x\n1,#N/A\n2,0.5\n",
        b"a,t\n1,2026-01-28T12:34:56+05:30\n",
        b"a,d\n1,2026-1-5\n",
        b"a;b\n1,5;x\n",
        b"a,x\n-0,0.0\n",
    ],
)
def test_where_nothing_is_lost_nothing_is_told(read: Read, text: bytes) -> None:
    assert () == read(text).losses


def test_blanks_separate_in_a_txt_file(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_bytes(b"a b\n1 2\n")
    assert [("a", "integer", ["1"]), ("b", "integer", ["2"])] == r_columns(read_delimited(path))
    assert () == read_delimited(path).losses


# -- odd files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"", b"\n \n", b"\xef\xbb\xbf", b"a,b\n", b"a\n", b"\x1a"])
def test_a_file_without_rows_is_refused(read: Read, text: bytes) -> None:
    with pytest.raises(EmptyTable):
        read(text)


@pytest.mark.parametrize("text", ["a,b\n1,2\n".encode("utf-16"), b"\ra\r1\r"])
def test_what_fread_refuses_is_refused(read: Read, text: bytes) -> None:
    with pytest.raises(UnreadableFile):
        read(text)


def test_ten_thousand_columns(read: Read) -> None:
    names = [f"c{place}" for place in range(10_000)]
    values = ",".join(str(place) for place in range(10_000))
    table = read(f"{','.join(names)}\n{values}\n".encode()).table
    assert names == table.column_names
    assert list(range(10_000)) == [column[0].as_py() for column in table.columns]


def test_a_type_that_comes_late_is_that_of_the_column(read: Read) -> None:
    table = read(b"a,b\n" + b"1,x\n" * 30_000 + b"1.5,y\n").table
    assert [pa.float64(), pa.large_string()] == table.schema.types
    assert 1.5 == table["a"][-1].as_py()


def test_names_are_told_by_samples_where_the_first_lines_do_not_tell(read: Read) -> None:
    late = b"a,b\n" + b"x,\n" * 150 + b"x,5\n" * 30_000
    assert [("a", "character"), ("b", "integer")] == [column[:2] for column in r_columns(read(late))]
