"""datom-cv1 against a plain reference, for every type R reads, however the values lie in memory."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from datomfs.errors import EmptyTable, UnhashableColumns
from datomfs.identity.table import TableSha, hash_table
from tests.identity import reference
from tests.identity.reference import NA, Column, number, number_of_bits

# A column of some type: the array to hash, and the kind and cells the reference hashes.
Array: TypeAlias = "pa.Array[Any]"
Sample: TypeAlias = "tuple[Array, str, list[Any]]"
Samples = Callable[[int], st.SearchStrategy[Sample]]

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def _optional(values: st.SearchStrategy[Any], rows: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.none() | values, min_size=rows, max_size=rows)


def _numbers(type_: pa.DataType, values: st.SearchStrategy[Any], kind: str, cell: Callable[[Any], bytes]) -> Samples:
    def samples(rows: int) -> st.SearchStrategy[Sample]:
        def sample(found: list[Any]) -> Sample:
            return pa.array(found, type_), kind, [NA if value is None else cell(value) for value in found]

        return _optional(values, rows).map(sample)

    return samples


def _units(type_: pa.DataType, bits: int, kind: str, per_second: int) -> Samples:
    limit = 2 ** (bits - 1)
    storage = pa.int64() if bits == 64 else pa.int32()

    def samples(rows: int) -> st.SearchStrategy[Sample]:
        def sample(found: list[int | None]) -> Sample:
            cells = [number(None if value is None else float(value) / per_second) for value in found]
            return pa.array(found, storage).view(type_), kind, cells

        return _optional(st.integers(-limit, limit - 1), rows).map(sample)

    return samples


def _doubles(rows: int) -> st.SearchStrategy[Sample]:
    """Doubles by their bits, so that every NaN comes, also below nulls."""
    odd = st.sampled_from([0x7FF00000000007A2, 0x7FF80000000007A2, 0xFFF80000000007A2, 0xFFF0000000000001, 1 << 63, 0])
    bits = st.lists(odd | st.integers(0, 2**64 - 1), min_size=rows, max_size=rows)

    def sample(drawn: tuple[list[int], list[bool]]) -> Sample:
        found, missing = drawn
        array = pa.array(np.array(found, np.uint64).view(np.float64), mask=np.array(missing), from_pandas=False)
        cells = [NA if gone else number_of_bits(one) for one, gone in zip(found, missing, strict=True)]
        return array, "num", cells

    return st.tuples(bits, st.lists(st.booleans(), min_size=rows, max_size=rows)).map(sample)


def _integers64(rows: int) -> st.SearchStrategy[Sample]:
    small = st.integers(-(2**31), 2**31 - 1)
    edges = st.sampled_from([2**31, -(2**31) - 1, -(2**63), 2**63 - 1, 0])

    def sample(found: list[int | None]) -> Sample:
        array = pa.array(found, pa.int64())
        if all(value is None or -(2**31) <= value <= 2**31 - 1 for value in found):
            return array, "num", [number(None if value in (None, -(2**31)) else float(value or 0)) for value in found]
        return array, "i64", [None if value == -(2**63) else value for value in found]

    return (_optional(small, rows) | _optional(small | edges, rows)).map(sample)


def _text_columns(rows: int) -> st.SearchStrategy[Sample]:
    types = st.sampled_from([pa.string(), pa.large_string(), pa.string_view()])

    def sample(drawn: tuple[list[str | None], pa.DataType, bool]) -> Sample:
        found, type_, as_dictionary = drawn
        if not as_dictionary:
            return pa.array(found, type_), "chr", found
        entries = sorted({text for text in found if text is not None})
        indices = pa.array([None if text is None else entries.index(text) for text in found], pa.int8())
        return pa.DictionaryArray.from_arrays(indices, pa.array(entries, type_)), "chr", found

    return st.tuples(_optional(_texts, rows), types, st.booleans()).map(sample)


def _as_dictionary(samples: Samples) -> Samples:
    return lambda rows: samples(rows).map(lambda found: (found[0].dictionary_encode(), *found[1:]))


_int32 = _numbers(
    pa.int32(), st.sampled_from([-(2**31), -1]) | st.integers(-(2**31), 2**31 - 1), "num",
    lambda value: number(None if value == -(2**31) else float(value)),
)  # fmt: skip
_float32 = _numbers(pa.float32(), st.floats(width=32), "num", number)
_decimals = st.decimals(-(10**11), 10**11, places=6, allow_nan=False)

COLUMNS: dict[str, Samples] = {
    "bool": _numbers(pa.bool_(), st.booleans(), "num", lambda value: number(float(value))),
    "int8": _numbers(pa.int8(), st.integers(-128, 127), "num", lambda value: number(float(value))),
    "uint16": _numbers(pa.uint16(), st.integers(0, 2**16 - 1), "num", lambda value: number(float(value))),
    "int32": _int32,
    "uint32": _numbers(pa.uint32(), st.integers(0, 2**32 - 1), "num", lambda value: number(float(value))),
    "int64": _integers64,
    "uint64": _numbers(pa.uint64(), st.integers(0, 2**64 - 1), "num", lambda value: number(float(value))),
    "float32": _float32,
    "float64": _doubles,
    "decimal128": _numbers(pa.decimal128(38, 6), _decimals, "num", lambda value: number(float(value))),
    "decimal256": _numbers(pa.decimal256(60, 6), _decimals, "num", lambda value: number(float(value))),
    "text": _text_columns,
    "date32": _numbers(pa.date32(), st.dates(), "date", lambda day: number(float(day.toordinal() - 719163))),
    "timestamp_s": _units(pa.timestamp("s"), 64, "time", 1),
    "timestamp_us": _units(pa.timestamp("us", "America/New_York"), 64, "time", 10**6),
    "timestamp_ns": _units(pa.timestamp("ns", "UTC"), 64, "time", 10**9),
    "time32": _units(pa.time32("ms"), 32, "drtn", 10**3),
    "time64": _units(pa.time64("ns"), 64, "drtn", 10**9),
    "duration": _units(pa.duration("ms"), 64, "drtn", 10**3),
    "dictionary_int32": _as_dictionary(_int32),
    "dictionary_int64": _as_dictionary(_integers64),
    "dictionary_float32": _as_dictionary(_float32),
    "dictionary_timestamp": _as_dictionary(_units(pa.timestamp("ms"), 64, "time", 10**3)),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[pa.Table, list[Column]]:
    """A small table of any types, names as they may come, and what the reference hashes for it."""
    rows = draw(st.integers(1, 8))
    names = draw(st.lists(_texts, min_size=1, max_size=4))
    drawn = [draw(st.sampled_from(sorted(COLUMNS)).flatmap(lambda name: COLUMNS[name](rows))) for _ in names]
    table = pa.Table.from_arrays([array for array, _, _ in drawn], names=names)
    return table, [Column(kind, name, cells) for name, (_, kind, cells) in zip(names, drawn, strict=True)]


@st.composite
def rechunked(draw: st.DrawFn, table: pa.Table) -> pa.Table:
    """The same values in other chunks, each a slice at some offset of a longer array, some of them empty."""
    columns = []
    for column in table.columns:
        whole = column.combine_chunks()
        whole = pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
        cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=4)))
        pieces = [
            pa.concat_arrays([whole, whole]).slice(start + draw(st.sampled_from([0, len(whole)])), stop - start)
            for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True)
        ]
        columns.append(pa.chunked_array(pieces, whole.type))
    return pa.Table.from_arrays(columns, names=table.column_names)


def table_of(array: Array | pa.ChunkedArray[Any], metadata: dict[str, bytes] | None = None) -> pa.Table:
    """A table of one column, x, whose field may carry metadata."""
    return pa.Table.from_arrays([array], schema=pa.schema([pa.field("x", array.type, metadata=metadata)]))


def sha_of(array: Array | pa.ChunkedArray[Any], metadata: dict[str, bytes] | None = None) -> str:
    return hash_table(table_of(array, metadata)).data_sha


def refusals(table: pa.Table) -> dict[str, str]:
    with pytest.raises(UnhashableColumns) as caught:
        hash_table(table)
    return dict(caught.value.columns)


# -- equal values, equal hashes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(COLUMNS))
@settings(deadline=None)
@given(data=st.data())
def test_every_type_hashes_as_the_reference_does(name: str, data: st.DataObject) -> None:
    array, kind, cells = data.draw(st.integers(1, 8).flatmap(COLUMNS[name]))
    assert reference.data_sha([Column(kind, "x", cells)]) == sha_of(array)


@settings(deadline=None)
@given(tables())
def test_tables_hash_as_the_reference_does(drawn: tuple[pa.Table, list[Column]]) -> None:
    table, columns = drawn
    expected = TableSha(
        data_sha=reference.data_sha(columns),
        column_hashes=tuple((column.name, reference.column_sha(column)) for column in columns),
        nrow=table.num_rows,
        ncol=table.num_columns,
    )
    assert expected == hash_table(table)


@settings(deadline=None)
@given(st.data())
def test_chunks_and_offsets_do_not_matter(data: st.DataObject) -> None:
    table, columns = data.draw(tables())
    assert reference.data_sha(columns) == hash_table(data.draw(rechunked(table))).data_sha


@settings(deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_matters(drawn: tuple[pa.Table, list[Column]], random: Any) -> None:
    table, columns = drawn
    order = list(range(table.num_rows))
    random.shuffle(order)
    moved = [column._replace(cells=[column.cells[row] for row in order]) for column in columns]
    assume(moved != columns)
    reordered = pa.concat_tables([table.slice(row, 1) for row in order])
    assert reference.data_sha(columns) != hash_table(reordered).data_sha == reference.data_sha(moved)


@settings(deadline=None)
@given(tables())
def test_the_order_of_columns_matters(drawn: tuple[pa.Table, list[Column]]) -> None:
    table, columns = drawn
    assume(columns != columns[::-1])
    turned = pa.Table.from_arrays(table.columns[::-1], names=table.column_names[::-1])
    assert reference.data_sha(columns) != hash_table(turned).data_sha == reference.data_sha(columns[::-1])


def test_dictionaries_that_differ_between_chunks_are_one_column() -> None:
    chunks = [pa.array(["b", None, "a"]).dictionary_encode(), pa.array(["c", "b"]).dictionary_encode()]
    assert sha_of(pa.array(["b", None, "a", "c", "b"])) == sha_of(pa.chunked_array(chunks))


def test_a_null_entry_of_a_dictionary_is_missing() -> None:
    entries = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 1]), pa.array(["a", None]))
    assert sha_of(pa.array(["a", None, None, None])) == sha_of(entries)


def test_what_stands_under_a_null_does_not_matter() -> None:
    present = pa.array([True, False, True])
    validity = present.buffers()[1]
    texts = pa.array(["a", "hidden\0", "b"])
    hidden = pa.Array.from_buffers(pa.string(), 3, [validity, *texts.buffers()[1:]])
    assert sha_of(pa.array(["a", None, "b"])) == sha_of(hidden)
    big = pa.Array.from_buffers(pa.int64(), 3, [validity, pa.array([1, 2**40, 3]).buffers()[1]])
    assert sha_of(pa.array([1, None, 3], pa.int64())) == sha_of(big)


def test_an_array_is_not_changed_by_hashing_it() -> None:
    values = np.array([-0.0, float("nan"), 1.0])
    sha_of(pa.array(values, mask=np.array([False, False, True])))
    sha_of(pa.array(values))
    assert np.array([1 << 63, 0x7FF8000000000000, 0x3FF0000000000000], np.uint64).tolist() == values.view("u8").tolist()


def test_long_columns_hash_as_the_reference_does() -> None:
    numbers = [None if row % 7 == 0 else row / 3 for row in range(150_000)]
    texts = [None if row % 11 == 0 else "é" * (row % 5) for row in range(150_000)]
    wide = [2**40 if row == 149_999 else row for row in range(150_000)]
    columns = [
        Column("num", "numbers", [number(value) for value in numbers]),
        Column("chr", "texts", texts),
        Column("i64", "wide", wide),
    ]
    assert (
        reference.data_sha(columns) == hash_table(pa.table({"numbers": numbers, "texts": texts, "wide": wide})).data_sha
    )


def test_texts_longer_than_a_slice_hash_as_the_reference_does() -> None:
    texts = [chr(ord("a") + row) * 3_000_000 for row in range(4)]
    assert reference.data_sha([Column("chr", "x", texts)]) == sha_of(pa.array(texts))
    assert reference.data_sha([Column("chr", "x", texts)]) == sha_of(pa.array(texts).dictionary_encode())


def test_decimals_are_the_nearest_doubles() -> None:
    texts = ["0.1", "1234567890123456789.0123456789", "9007199254740993.0000000001", "-0.0000000003", "0"]
    array = pa.array([Decimal(text) for text in texts], pa.decimal128(38, 10))
    assert reference.data_sha([Column("num", "x", [number(float(text)) for text in texts])]) == sha_of(array)


def test_days_with_a_time_are_cut_as_parquet_cuts_them() -> None:
    millis = pa.array([20_000 * 86_400_000 + 43_200_000, -43_200_000, -86_400_000], pa.int64())
    assert sha_of(pa.array([20_000, 0, -1], pa.int32()).cast(pa.date32())) == sha_of(millis.view(pa.date64()))


def test_duplicate_and_empty_names_are_legal() -> None:
    table = pa.Table.from_arrays([pa.array([1.0]), pa.array(["x"])], names=["", ""])
    columns = [Column("num", "", [number(1.0)]), Column("chr", "", ["x"])]
    assert reference.data_sha(columns) == hash_table(table).data_sha


# -- what R makes of extensions ------------------------------------------------------------------------------------


def r_class(*classes: str) -> dict[str, bytes]:
    """Field metadata as R's arrow writes it for an empty integer vector of some class."""
    names = "".join(f"262153\n{len(name)}\n{name}\n" for name in classes)
    ptype = f"A\n3\n262658\n197888\n5\nUTF-8\n781\n0\n1026\n1\n262153\n5\nclass\n16\n{len(classes)}\n{names}254\n"
    return {"ARROW:extension:name": b"arrow.r.vctrs", "ARROW:extension:metadata": ptype.encode()}


def test_labelled_columns_are_their_base_type() -> None:
    for array in (pa.array([1, None, -(2**31)], pa.int32()), pa.array(["a", None])):
        assert sha_of(array) == sha_of(array, r_class("haven_labelled", "vctrs_vctr", "integer"))


def test_itime_is_a_duration() -> None:
    cells = [number(45296.0), NA]
    itime = sha_of(pa.array([45296, None], pa.int32()), r_class("ITime"))
    assert reference.data_sha([Column("drtn", "x", cells)]) == itime


def test_an_unknown_extension_is_its_storage() -> None:
    assert sha_of(pa.array([1, None])) == sha_of(pa.array([1, None]), {"ARROW:extension:name": b"acme.thing"})
    for stored in (pa.array([-0.0, None, float("nan")]), pa.array(["a", None]), pa.array([2**40, None])):
        assert sha_of(stored) == sha_of(pa.ExtensionArray.from_storage(pa.opaque(stored.type, "thing", "acme"), stored))


@pytest.mark.parametrize(
    ("array", "metadata", "reason"),
    [
        (pa.array([1], pa.int32()), r_class("yearmon"), "it is of the R class yearmon"),
        (pa.array(["1"]), r_class("ITime"), "it is of the R class ITime"),
        (pa.array([1]), {"ARROW:extension:name": b"arrow.r.vctrs"}, "its R class cannot be read"),
        (pa.array([1]), r_class("a") | {"ARROW:extension:metadata": b"X\n\0"}, "its R class cannot be read"),
    ],
)
def test_other_classes_of_r_are_refused(array: Array, metadata: dict[str, bytes], reason: str) -> None:
    assert refusals(table_of(array, metadata))["x"].startswith(reason)


# -- refusals ------------------------------------------------------------------------------------------------------


def test_every_offending_column_is_named_at_once_in_order() -> None:
    columns: dict[str, Array] = {
        "null": pa.nulls(1),
        "fine": pa.array([1.5]),
        "half": pa.array([1.5]).cast(pa.float16()),
        "bytes": pa.array([b"x"]),
        "long_bytes": pa.array([b"x"], pa.large_binary()),
        "view": pa.array([b"x"], pa.binary_view()),
        "fixed": pa.array([b"x"], pa.binary(1)),
        "uuid": pa.array([b"x" * 16], pa.uuid()),
        "list": pa.array([[1]]),
        "struct": pa.array([{"a": 1}]),
        "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),
        "union": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
        "runs": pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array([5])),
        "interval": pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
        "bytes_dictionary": pa.array([b"x"]).dictionary_encode(),
        "nul": pa.array(["a\0b"]),
        "nul_dictionary": pa.array(["a\0b"]).dictionary_encode(),
        "na\0me": pa.array([1]),
    }
    refused = refusals(pa.table(columns))
    assert [name for name in columns if name != "fine"] == list(refused)
    assert all("; " in reason for reason in refused.values()), "each reason ends in a way out"
    assert "raw bits" in refused["half"]
    assert "run-end" in refused["runs"]


def test_a_nul_character_is_named_with_its_row() -> None:
    texts: list[str | None] = ["x"] * 70_000
    texts[66_000:66_002] = [None, "\0"]
    assert refusals(pa.table({"x": texts}))["x"].startswith("row 66002 holds a NUL character")
    assert refusals(pa.table({"x": ["", "a", "\0"]}))["x"].startswith("row 3 ")
    assert refusals(pa.table({"x": ["", "a\0", "b"]}))["x"].startswith("row 2 ")


@pytest.mark.parametrize(
    "table", [pa.table({"x": pa.array([], pa.int32())}), pa.table({}), pa.table({"x": pa.nulls(0)})]
)
def test_empty_tables_are_refused(table: pa.Table) -> None:
    with pytest.raises(EmptyTable) as caught:
        hash_table(table)
    assert (table.num_rows, table.num_columns) == (caught.value.rows, caught.value.columns)
