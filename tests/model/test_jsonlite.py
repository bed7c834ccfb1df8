"""Reading and writing JSON as R's jsonlite does; the golden values are R's own."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datomfs.errors import DocumentInvalid, DocumentTooLarge
from datomfs.model.jsonlite import MOST_BYTES, Json, number_text, parse_json, render_compact, render_pretty
from tests.identity.r_stores import needs_r_stores, objects

GOLDEN = Path(__file__).parents[1] / "golden" / "metadata-sha"


def golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def parse(text: str) -> Json:
    return parse_json(text.encode(), "doc.json")


# -- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", golden("json_texts.json"), ids=lambda case: case["json"][:40])
def test_texts_are_refused_exactly_where_r_refuses_them(case: dict[str, str]) -> None:
    if "refused" in case:
        with pytest.raises(DocumentInvalid):
            parse(case["json"])
    else:
        assert isinstance(parse(case["json"]), dict)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('\ufeff{"a":1}', {"a": 1}),
        ('{"a":1 // one\n,/* two\n*/"b":2}', {"a": 1, "b": 2}),
        ('{"a":"/* no */ // comment", /* one */ "b":"\\"// no"}', {"a": "/* no */ // comment", "b": '"// no'}),
        ('{"a":1} // the end', {"a": 1}),
        ('{"a":1} /* the end', {"a": 1}),
        ("[1,\v2\f]", [1, 2]),
        ('{"a":1,"b":2,"a":3}', {"a": 1, "b": 2}),
        ('{"a":{"b":1,"b":2}}', {"a": {"b": 1}}),
        ('{"a\\u0000x":1,"a\\u0000y":2}', {"a": 1}),
        ('["\\ud83d", "\\udc00x", "\\ud83d\\u0041", "\\ud83d\\ude00"]', ["?", "?x", "?A", "\U0001f600"]),
        ('["x\\u0000y", "\\u0000"]', ["x", ""]),
        ('"text"', "text"),
        ("null", None),
        ("[true, false]", [True, False]),
    ],
)
def test_accepts_what_r_accepts(text: str, value: Json) -> None:
    assert value == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "// nothing",
        '{"a":1 // open',
        '{"a":1 /* open',
        '{"a":1 /*/ open }',
        '{"a":1} /',
        "\ufeff\ufeff1",
        "[Infinity]",
        "[-Infinity]",
        '["a\nb"]',
        '["a\0b"]',
        '["\\x41"]',
        '["\\u12"]',
        "[1,]",
        "[tru]",
        "[1e]",
        "[-]",
        '{"a":1}{"b":2}',
        "{a:1}",
        '{"a":1}\0',
    ],
)
def test_refuses_what_r_refuses(text: str) -> None:
    with pytest.raises(DocumentInvalid):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-0", 0),
        ("2147483648", 2147483648),
        ("9007199254740993", 9007199254740992),
        ("1" + "0" * 5000, float("inf")),
        ("-" + "1" + "0" * 5000, float("-inf")),
        ("1.0", 1.0),
        ("1e999", float("inf")),
        ("1e-999", 0.0),
    ],
)
def test_numbers_are_as_exact_as_in_r(text: str, value: float) -> None:
    found = parse(text)
    assert (type(value), value) == (type(found), found)


def test_minus_zero_is_an_integer_without_point_only() -> None:
    assert ["0", "-0"] == [number_text(parse("-0")), number_text(parse("-0.0"))]  # type: ignore[arg-type]


def test_bytes_that_are_not_utf8_are_refused_with_their_place() -> None:
    with pytest.raises(DocumentInvalid, match="byte 2 is not UTF-8"):
        parse_json(b'["\xe9"]', "doc.json")


def test_what_is_nested_a_hundred_deep_is_read_and_what_is_nested_deeper_is_not() -> None:
    for begin, end in (("[", "]"), ('{"a":', "}")):
        assert isinstance(parse(begin * 99 + "[1]" + end * 99), dict | list)
        for depth in (100, 400, 900):
            with pytest.raises(DocumentInvalid, match="nested too deeply"):
                parse(begin * depth + "[1]" + end * depth)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(DocumentInvalid, match="nested too deeply"):
        parse("[" * 100_000 + "]" * 100_000)


@pytest.mark.parametrize(
    "text",
    [
        '["' + '\\"' * 500_000,
        '"' * 1_000_001,
        "/*" * 500_000,
        "/" * 1_000_000,
        '{"a":' * 200_000,
        "[\n" * 500_000 + "x",
    ],
    ids=["escaped quotes", "quotes", "comments", "slashes", "keys", "lines"],
)
def test_a_text_that_is_meant_to_take_long_is_refused_at_once(text: str) -> None:
    with pytest.raises(DocumentInvalid):
        parse(text)


def test_a_string_that_does_not_end_is_refused_also_behind_a_comment() -> None:
    for text in ('/* a */ ["b', '/* a */ ["b\\', '/* a */ ["b\\"', '["b // c'):
        with pytest.raises(DocumentInvalid):
            parse(text)


def test_a_document_has_its_longest_length() -> None:
    assert [] == parse("[" + " " * (MOST_BYTES - 2) + "]")
    with pytest.raises(DocumentTooLarge) as raised:
        parse("[" + " " * (MOST_BYTES - 1) + "]")
    assert ("doc.json", MOST_BYTES + 1, MOST_BYTES) == (raised.value.where, raised.value.length, raised.value.limit)


def test_the_error_names_document_and_place_also_behind_a_comment() -> None:
    with pytest.raises(DocumentInvalid, match=r"^dm/metadata\.json cannot be used: .* line 2 column 5"):
        parse_json(b"/* one\n */ ?", "dm/metadata.json")


# -- writing -------------------------------------------------------------------------------------------------------


def test_numbers_print_as_in_r() -> None:
    cases = golden("numbers.json")
    printed = [number_text(struct.unpack("<d", bytes.fromhex(bits))[0]) for bits, _ in cases]
    assert [text for _, text in cases] == printed


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (100000, "100000"),
        (100000.0, "100000"),
        (2**53, "9007199254740992"),
        (0.12345, "0.1234"),
        (0.1234567, "0.1235"),
        (0.00005, "0"),
        (0.00006, "0.0001"),
        (2e-05, "0"),
        (-2e-05, "-0"),
        (1e-05, "1e-05"),
        (1.03706e-09, "1.0371e-09"),
        (0.99995, "1"),
        (-0.0, "-0"),
        (1e300, "1.0000000000000001e+300"),
        (float("nan"), '"NaN"'),
        (float("inf"), '"Inf"'),
        (float("-inf"), '"-Inf"'),
    ],
)
def test_the_number_rule(number: float, text: str) -> None:
    assert text == number_text(number)


def test_strings_and_keys_escape_what_r_escapes() -> None:
    text = '\b\f\n\r\t"\\\x01\x1f\x7f</a>/é\u2028'
    escaped = '"\\b\\f\\n\\r\\t\\"\\\\\\u0001\\u001f\x7f<\\/a>/é\u2028"'
    assert f"{{{escaped}:{escaped}}}" == render_compact({text: text})


def test_null_is_an_empty_object_and_an_empty_key_its_place() -> None:
    assert '{"a":[{}],"2":1}' == render_compact({"a": [None], "": 1})


def test_layout_of_a_document_just_made() -> None:
    document: Json = {"a": ["x", "y"], "b": [1, 2.5], "c": [], "d": {}, "e": [{"f": True}], "g": None, "h": ["x", 1]}
    expected = """{
  "a": ["x", "y"],
  "b": [1, 2.5],
  "c": [],
  "d": {},
  "e": [
    {
      "f": true
    }
  ],
  "g": {},
  "h": [
    "x",
    1
  ]
}"""
    assert expected == render_pretty(document, inline_vectors=True)


def test_layout_of_a_document_that_was_read() -> None:
    expected = '{\n  "a": [\n    "x",\n    "y"\n  ]\n}'
    assert expected == render_pretty({"a": ["x", "y"]}, inline_vectors=False)


# The text does not tell a list from a vector, and reading changes -0, null, NA among numbers, and big integers.
_NOT_RENDERED_INLINE = {
    "array_of_array",
    "chrvec_na",
    "colnames_list1",
    "date_vec",
    "i64",
    "mixed_list",
    "n_NA_lgl",
    "n_negzero",
    "numvec_na",
    "numvec_naninf",
}


@pytest.mark.parametrize(
    "case",
    [case for case in golden("vectors.json") if case["id"] not in _NOT_RENDERED_INLINE],
    ids=lambda case: case["id"],
)
def test_documents_come_out_as_r_wrote_them(case: dict[str, str]) -> None:
    assert case["json"] == render_pretty(parse(case["json"]), inline_vectors=True) + "\n"


@needs_r_stores
@pytest.mark.parametrize("pattern", ["*/.metadata/*.json", ".metadata/manifest.json"])
def test_documents_of_stores_come_out_as_r_wrote_them(pattern: str) -> None:
    files = list(objects(pattern))
    assert files
    for file in files:
        document = parse_json(file.read_bytes(), str(file))
        fresh = render_pretty(document, inline_vectors=True) + "\n"
        # `custom` comes last and from the user, who gave it as lists in one of the tables.
        head, custom, _ = fresh.partition('  "custom": ')
        tail = (render_pretty(document, inline_vectors=False) + "\n").partition(custom)[2] if custom else ""
        assert file.read_text(encoding="utf-8") in (fresh, head + custom + tail), file


# -- both ways -----------------------------------------------------------------------------------------------------

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_scalars = _texts | st.booleans() | st.integers(-(2**31) + 1, 2**31 - 1)
_values: st.SearchStrategy[Any] = st.recursive(
    _scalars, lambda inner: st.lists(inner) | st.dictionaries(_texts.filter(bool), inner), max_leaves=20
)


@settings(deadline=None)
@given(_values)
def test_what_is_written_reads_back(value: Json) -> None:
    assert value == parse(render_compact(value))
    assert value == parse(render_pretty(value, inline_vectors=True))
    assert value == parse(render_pretty(value, inline_vectors=False))


@settings(deadline=None)
@given(st.floats())
def test_a_number_reprints_as_itself(number: float) -> None:
    text = number_text(number)
    again = parse(text)
    assert text == render_compact(again) or text == "-0"
