"""A history as CSV: every entry and every field, whatever people wrote into them."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from datomfs.model.history import parse_history
from datomfs.model.history_csv import render_history_csv

ENTRY = {"version": "ab" * 32, "data_sha": "cd" * 32}
HEADER = [
    "version", "data_sha", "timestamp", "author", "commit_message", "parquet_sha", "document_sha", "original_file_sha",
    "commit_sha",
]  # fmt: skip


def csv_of(*entries: dict[str, Any]) -> bytes:
    return render_history_csv(parse_history(json.dumps(entries).encode(), "history"))


def rows_of(*entries: dict[str, Any]) -> list[dict[str, str]]:
    """What a reader of CSV makes of it."""
    return list(csv.DictReader(io.StringIO(csv_of(*entries).decode(), newline="")))


def test_lines_are_those_of_rfc_4180() -> None:
    entry = {
        **ENTRY, "timestamp": "2026-11-20T10:05:00Z", "author": {"name": "Smith, Jane", "email": "j@x"},
        "commit_message": 'say "hello"', "parquet_sha": "ef" * 32, "original_file_sha": "01" * 32,
        "commit_sha": "23" * 20,
    }  # fmt: skip
    line = [
        "ab" * 32, "cd" * 32, "2026-11-20T10:05:00Z", '"Smith, Jane <j@x>"', '"say ""hello"""', "ef" * 32, "",
        "01" * 32, "23" * 20,
    ]  # fmt: skip
    assert f"{','.join(HEADER)}\r\n{','.join(line)}\r\n".encode() == csv_of(entry)


def test_a_history_without_entries_is_a_header() -> None:
    assert (",".join(HEADER) + "\r\n").encode() == csv_of()


def test_entries_keep_their_order_and_lines_within_a_message_survive() -> None:
    messages = ["newest\nof two lines", "older\r\n", "\u00e4ltest,"]
    rows = rows_of(*({**ENTRY, "commit_message": message} for message in messages))
    assert messages == [row["commit_message"] for row in rows]


def test_fields_that_nobody_knows_come_last_as_they_came() -> None:
    rows = rows_of({**ENTRY, "ticket": "T-1", "more": {"a": [1, "\u00fc"]}}, {**ENTRY, "zeta": 5, "ticket": {}})
    assert [*HEADER, "ticket", "more", "zeta"] == list(rows[0])
    assert ("T-1", '{"a":[1,"\u00fc"]}', "") == (rows[0]["ticket"], rows[0]["more"], rows[0]["zeta"])
    assert ("", "", "5") == (rows[1]["ticket"], rows[1]["more"], rows[1]["zeta"])


def test_what_r_writes_for_nothing_is_empty() -> None:
    (row,) = rows_of({**ENTRY, "commit_sha": {}, "commit_message": [], "author": None})
    assert {"version": ENTRY["version"], "data_sha": ENTRY["data_sha"]} == {k: v for k, v in row.items() if v}


def test_an_author_of_an_older_writer_is_the_text_it_left() -> None:
    assert ["unknown"] == [row["author"] for row in rows_of({**ENTRY, "author": "unknown"})]


# A text of R's ends at its first NUL, and half a surrogate is `?` (model.jsonlite).
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(TEXT, max_size=5), TEXT.filter(lambda name: bool(name) and name not in [*HEADER]))
def test_any_text_comes_back(messages: list[str], name: str) -> None:
    entries = [{**ENTRY, "commit_message": message, name: message} for message in messages]
    rows = rows_of(*entries)
    assert messages == [row["commit_message"] for row in rows]
    assert messages == [row[name] for row in rows]
