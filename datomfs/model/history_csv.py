"""A history as a table for spreadsheets and statistics programs: CSV as RFC 4180 has it, UTF-8, newest entry first."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from operator import attrgetter

from datomfs.model.history import History, HistoryEntry
from datomfs.model.jsonlite import Json

_FIELDS: Mapping[str, Callable[[HistoryEntry], str | None]] = {
    "version": attrgetter("version"),
    "data_sha": attrgetter("data_sha"),
    "timestamp": attrgetter("timestamp"),
    "author": attrgetter("author"),
    "commit_message": attrgetter("message"),
    "parquet_sha": attrgetter("parquet_sha"),
    "document_sha": attrgetter("document_sha"),
    "original_file_sha": attrgetter("original_file_sha"),
    "commit_sha": attrgetter("commit_sha"),
}
"""The columns that are always there: the fields of format.md §4.5, in its order."""


def render_history_csv(history: History) -> bytes:
    """All entries under a header, with every field that any of them has; those nobody knows come last, as they came.

    A field that is absent, or what R writes for one, is empty. An author is `name <email>`; what is no text is JSON.
    """
    more = dict.fromkeys(name for document in history.documents for name in document if name not in _FIELDS)
    text = io.StringIO()
    writer = csv.writer(text)  # its lines end as RFC 4180 wants them
    writer.writerow([*_FIELDS, *more])
    for entry, document in zip(history.entries, history.documents, strict=True):
        known = [get(entry) or "" for get in _FIELDS.values()]
        writer.writerow([*known, *(_text(document.get(name)) for name in more)])
    return text.getvalue().encode()


def _text(value: Json) -> str:
    if value is None or value in ({}, []):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
