"""The class attribute out of R's ASCII serialization."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datomfs.identity.r_class import parse_r_class

GOLDEN = Path(__file__).parents[1] / "golden" / "data-sha" / "r"

HEADER = "A\n3\n262658\n197888\n5\nUTF-8\n"


@pytest.mark.parametrize(
    ("file", "classes"),
    [
        ("ITime", ("ITime",)),
        ("labelled_num", ("haven_labelled", "vctrs_vctr", "double")),
        ("labelled_tagged_na", ("haven_labelled", "vctrs_vctr", "double")),
    ],
)
def test_the_class_r_wrote_into_a_file(file: str, classes: tuple[str, ...]) -> None:
    metadata = pq.read_schema(GOLDEN / f"{file}.parquet").field("x").metadata or {}
    assert classes == parse_r_class(metadata[b"ARROW:extension:metadata"])


def text(value: str) -> str:
    return f"262153\n{len(value)}\n{value}\n"


def test_the_class_of_an_attribute_is_not_that_of_the_vector() -> None:
    labels = "526\n1\n1\n1026\n1\n" + text("class") + "16\n1\n" + text("inner") + "254\n"
    attributes = "1026\n1\n" + text("labels") + labels + "1026\n511\n16\n1\n" + text("outer") + "254\n"
    # 511 is a reference to the first symbol, `labels`; 767 to the second, `class`.
    assert ("outer",) == parse_r_class((HEADER + "782\n0\n" + attributes.replace("1026\n511", "1026\n767")).encode())


def test_values_and_texts_that_look_like_a_class_are_none() -> None:
    names = "1026\n1\n" + text("names") + "16\n2\n" + text("class") + text("16") + "254\n"
    assert () == parse_r_class((HEADER + "526\n2\n1026\n1\n" + names).encode())


def test_missing_and_empty_texts_are_read_over() -> None:
    names = "1026\n1\n" + text("names") + "16\n2\n9\n-1\n" + text("")
    attributes = names + "1026\n1\n" + text("class") + "16\n1\n" + text("yearmon") + "254\n"
    assert ("yearmon",) == parse_r_class((HEADER + "781\n2\n1\nNA\n" + attributes).encode())


def test_version_2_has_no_encoding() -> None:
    attributes = "1026\n1\n" + text("class") + "16\n1\n" + text("ITime") + "254\n"
    assert ("ITime",) == parse_r_class(("A\n2\n262658\n131840\n781\n0\n" + attributes).encode())


def test_a_compact_sequence_carries_its_class_last() -> None:
    info = "2\n1\n" + text("compact_intseq") + "254\n"
    attributes = "1026\n1\n" + text("class") + "16\n1\n" + text("mine") + "254\n"
    assert ("mine",) == parse_r_class((HEADER + "238\n" + info + "14\n3\n3\n1\n1\n" + attributes).encode())


@pytest.mark.parametrize(
    "serialized",
    [b"", b"X\n", b"B\n\0\0", b"A\n3\n", (HEADER + "781\n5\n1\n").encode(), (HEADER + "3\n").encode(), b"A\nx\n",
     b"\xff", (HEADER + "511\n").encode(), (HEADER + "531\n1\n" * 3000).encode()],
)  # fmt: skip
def test_anything_else_is_a_value_error(serialized: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(not|an R object|invalid literal|'ascii' codec)"):
        parse_r_class(serialized)
