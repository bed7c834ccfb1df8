"""The versions of a set, and the proof of what a version holds (format.md §4.6, §6)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from datomfs.catalog.catalog import Catalog, TableVersion, TableVersions
from datomfs.errors import DocumentInvalid, PayloadMismatch
from datomfs.layout import set_payload_key
from datomfs.model.history import HistoryEntry
from datomfs.model.sets import SetContent, parse_set

LARGEST_PAYLOAD = 8 << 20
"""Bytes; some thirty thousand members. Nobody reads a set of more, and somebody might make one to be read."""


@dataclass(frozen=True, slots=True)
class SetVersions(TableVersions):
    """The versions of one set; their keys are those of its payloads."""

    def key(self, entry: HistoryEntry) -> str:
        """Where the members of an entry lie."""
        return set_payload_key(self.name, entry.data_sha)


def read_set_versions(catalog: Catalog, name: str) -> SetVersions:
    """The versions of a set, of one document, for who knows that it is one. Raises RecordedMissing."""
    return SetVersions(catalog.project, name, catalog.read_history(name).without_documents())


def recorded_sha(version: TableVersion) -> str:
    """The SHA-256 that a payload has to have. Raises DocumentInvalid: without one no set is read (format.md §15.4)."""
    if version.entry.document_sha is None:
        raise DocumentInvalid(_where(version), "its history has no document_sha, so nothing proves it")
    return version.entry.document_sha


def check_bytes(version: TableVersion, data: bytes) -> None:
    """Raise PayloadMismatch where the payload of a version is not the recorded one."""
    expected, actual = recorded_sha(version), hashlib.sha256(data).hexdigest()
    if expected != actual:
        raise PayloadMismatch(_where(version), expected, actual)


def check_payload(version: TableVersion, data: bytes) -> SetContent:
    """What the payload of a version holds: hashed first, then parsed. Raises PayloadMismatch, DocumentInvalid."""
    check_bytes(version, data)
    return parse_set(data, _where(version))


def check_size(version: TableVersion, size: int) -> None:
    """Raise DocumentInvalid for a payload of absurd `size` in bytes, before it is read."""
    if size > LARGEST_PAYLOAD:
        raise DocumentInvalid(_where(version), f"it has {size} bytes; sets are read up to {LARGEST_PAYLOAD}")


def _where(version: TableVersion) -> str:
    return f"{version.key} of project {version.project}"
