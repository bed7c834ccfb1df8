"""The history of one artifact: version_history.json (format.md §4.5), newest entry first.

A history is append-only: an entry once written is never changed, and no version gets a second entry. Unknown fields
of an entry survive a rewrite, so a History keeps the parsed documents beside its typed entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datomfs.errors import DocumentInvalid
from datomfs.model.fields import find_sha, find_text, get_sha
from datomfs.model.jsonlite import Json, parse_json, render_pretty
from datomfs.model.timestamps import parse_timestamp_ns


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One version as its history tells it. Shas are lowercase hex; absent fields are None.

    `timestamp` is UTC text as written (`2026-11-20T10:00:00Z`), `author` is `name <email>` or what else was recorded.
    """

    version: str
    data_sha: str
    timestamp: str | None
    author: str | None
    message: str | None
    parquet_sha: str | None
    document_sha: str | None
    original_file_sha: str | None
    commit_sha: str | None

    @property
    def time_ns(self) -> int:
        """The timestamp in nanoseconds since 1970, 0 where there is none that can be read."""
        return parse_timestamp_ns(self.timestamp)


@dataclass(frozen=True, slots=True)
class History:
    """All entries of an artifact, newest first, and the documents they came from in the same order."""

    entries: tuple[HistoryEntry, ...]
    documents: tuple[Mapping[str, Json], ...]

    @property
    def versions(self) -> frozenset[str]:
        """Every version, once."""
        return frozenset(entry.version for entry in self.entries)

    def find(self, version: str) -> HistoryEntry | None:
        """The entry of exactly that version (64 digits), or None.

        Before cv1 a revert could record a version twice (format.md §11.2); such twins are one version as long as
        they name the same bytes, and the newest stands for them.
        """
        return next((entry for entry in self.entries if entry.version == version), None)

    def matching(self, prefix: str) -> tuple[HistoryEntry, ...]:
        """The newest entry of each version that starts with `prefix`; several mean that the prefix is ambiguous.

        Twins of one version with different data_sha are both given: nobody can say which one is meant.
        """
        found: dict[tuple[str, str], HistoryEntry] = {}
        for entry in self.entries:
            if entry.version.startswith(prefix):
                found.setdefault((entry.version, entry.data_sha), entry)
        return tuple(found.values())

    def without_documents(self) -> History:
        """The entries alone, which take half the memory: for who keeps many histories, and renders none."""
        return History(self.entries, ())

    def recorded_payload(self, data_sha: str) -> HistoryEntry | None:
        """The oldest entry that records payload bytes for these values, or None (format.md §7.1 step 8)."""
        named = [entry for entry in self.entries if entry.data_sha == data_sha and entry.parquet_sha]
        return named[-1] if named else None

    def with_new(self, document: Mapping[str, Json]) -> History:
        """This history with one entry before all others. The version must not be in it yet."""
        entry = _parse_entry(document, "new history entry")
        if entry.version in self.versions:
            raise ValueError(f"version {entry.version} already has an entry")
        return History((entry, *self.entries), (document, *self.documents))

    def with_commits(self, commits: Mapping[str, str]) -> History:
        """The copy for a store: each entry ends in the commit_sha that `commits` has for its version (§4.5)."""
        documents = tuple(
            {
                **{name: value for name, value in document.items() if name != "commit_sha"},
                **_commit(commits, entry),
            }
            for entry, document in zip(self.entries, self.documents, strict=True)
        )
        return History(tuple(_parse_entry(document, "history") for document in documents), documents)

    def render(self) -> str:
        """The document as jsonlite prints it."""
        return render_pretty([dict(document) for document in self.documents], inline_vectors=False)


EMPTY_HISTORY = History((), ())


def parse_history(data: bytes, where: str) -> History:
    """The history in a version_history.json. Raises DocumentInvalid; `where` names the document in it."""
    document = parse_json(data, where)
    if not isinstance(document, list):
        raise DocumentInvalid(where, "it is not a JSON array")
    documents: list[Mapping[str, Json]] = []
    for entry in document:
        if not isinstance(entry, dict):
            raise DocumentInvalid(where, "an entry is not a JSON object")
        documents.append(entry)
    return History(tuple(_parse_entry(entry, where) for entry in documents), tuple(documents))


def _parse_entry(document: Mapping[str, Json], where: str) -> HistoryEntry:
    return HistoryEntry(
        version=get_sha(document, "version", where),
        data_sha=get_sha(document, "data_sha", where),
        timestamp=find_text(document, "timestamp", where),
        author=_parse_author(document.get("author")),
        message=find_text(document, "commit_message", where),
        parquet_sha=find_sha(document, "parquet_sha", where),
        document_sha=find_sha(document, "document_sha", where),
        original_file_sha=find_text(document, "original_file_sha", where),
        commit_sha=find_text(document, "commit_sha", where),
    )


def _parse_author(value: Json) -> str | None:
    """`name <email>`, the bare text older writers left, or None."""
    if isinstance(value, dict):
        name, email = (part if isinstance(part, str) else "" for part in (value.get("name"), value.get("email")))
        return f"{name} <{email}>".strip() if email else name or None
    return value if isinstance(value, str) and value else None


def _commit(commits: Mapping[str, str], entry: HistoryEntry) -> dict[str, Json]:
    known = entry.commit_sha or commits.get(entry.version)
    return {"commit_sha": known} if known else {}
