"""What a write would do: nothing, a new description of old data, or new data. Pure: documents in, documents out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from datomfs.identity.metadata import metadata_sha
from datomfs.identity.table import TableSha
from datomfs.layout import MANIFEST_PATH, history_path, metadata_path
from datomfs.model.jsonlite import Json, check_length
from datomfs.model.metadata import TableFacts, render_metadata, table_document
from datomfs.model.timestamps import render_timestamp
from datomfs.write.payload import Payload
from datomfs.write.state import TableState

_COMMIT_BYTES = 70


class Action(StrEnum):
    """What becomes of a write."""

    UNCHANGED = "unchanged"
    METADATA_ONLY = "metadata_only"
    NEW_DATA = "new_data"


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked to be written: a table's values and names, a message, texts of his own, and who he is.

    `moment` is the one time of this version, UTC; `author` is name and email, or None where git knows neither.
    """

    project: str
    table: str
    identity: TableSha
    message: str
    custom: Mapping[str, str]
    author: tuple[str, str] | None
    moment: datetime

    @property
    def timestamp(self) -> str:
        """The moment as documents spell it, to the second."""
        return render_timestamp(self.moment)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version and the files of the commit that makes it: path in the clone → text without its final newline."""

    version: str
    files: Mapping[str, str]


def decide(state: TableState, request: Request) -> Action:
    """Which of the three it is (format.md §7.1 step 7). Only identity counts: no payload is needed to decide."""
    if state.metadata is None:
        return Action.NEW_DATA
    if metadata_sha(_document(request, Payload("", 0))) == metadata_sha(state.metadata.document):
        return Action.UNCHANGED
    same = state.metadata.data_sha == request.identity.data_sha
    return Action.METADATA_ONLY if same else Action.NEW_DATA


def plan_version(state: TableState, request: Request, payload: Payload) -> NewVersion:
    """The new version on top of `state`, with its stored payload.

    A version that is in the history already is come back to: metadata and manifest move, the history gets no second
    entry (format.md §4.5). Raises DocumentTooLarge rather than write a history that nobody would read.
    """
    document = _document(request, payload)
    version = metadata_sha(document)
    history = state.history
    files = {metadata_path(request.table): render_metadata(document)}
    if version not in history.versions:
        history = history.with_new(_entry(version, request, payload))
        files[history_path(request.table)] = history.render()
        # The copy in the store has a commit more in each entry (format.md §4.5), and must be one that is read.
        check_length(
            len(files[history_path(request.table)].encode()) + _COMMIT_BYTES * len(history.entries),
            f"the history of {request.project}/{request.table}",
        )
    row: dict[str, Json] = {
        "kind": "table",
        "current_version": version,
        "current_data_sha": request.identity.data_sha,
        "last_updated": request.timestamp,
        "size_bytes": payload.size,
        "version_count": len(history.entries),
    }
    files[MANIFEST_PATH] = state.manifest.with_row(request.table, row, request.timestamp).render()
    return NewVersion(version, files)


def _document(request: Request, payload: Payload) -> dict[str, Json]:
    return table_document(
        TableFacts(
            project=request.project,
            data_sha=request.identity.data_sha,
            parquet_sha=payload.sha256,
            size_bytes=payload.size,
            nrow=request.identity.nrow,
            ncol=request.identity.ncol,
            colnames=[name for name, _ in request.identity.column_hashes],
            created_at=request.timestamp,
            custom=request.custom,
        )
    )


def _entry(version: str, request: Request, payload: Payload) -> dict[str, Json]:
    """A history entry, its fields in the order of format.md §4.5."""
    author: Json = "unknown"
    if request.author is not None:
        author = {"name": request.author[0], "email": request.author[1]}
    return {
        "version": version,
        "data_sha": request.identity.data_sha,
        "timestamp": request.timestamp,
        "author": author,
        "commit_message": request.message,
        "parquet_sha": payload.sha256,
    }
