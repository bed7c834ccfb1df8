"""A project's documents as its data repository has them: the road of those who may read git (design.md §3).

All that is read between two refreshes comes from one commit, so manifest, histories and metadata agree. A clone has
no snapshots: the document of a version is found in the commit that made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from datomfs.errors import DocumentInvalid, ObjectMissing
from datomfs.identity.metadata import metadata_sha
from datomfs.layout import clone_path, metadata_path, parse_snapshot_key
from datomfs.model.metadata import parse_metadata


class Repository(Protocol):
    """What is needed of a git repository; `repo.mirror` has it."""

    @property
    def url(self) -> str: ...

    @property
    def tip(self) -> str | None:
        """The newest commit known, or None."""
        ...

    def fetch(self) -> None:
        """Bring what the remote has. Raises RemoteUnreachable, RemoteDenied."""
        ...

    def tip_at(self, time_ns: int) -> str | None:
        """The newest commit at or before a moment, or None."""
        ...

    def read(self, path: str, commit: str) -> bytes | None:
        """A file at a commit, or None."""
        ...

    def commits_of(self, path: str, until: str) -> Sequence[tuple[str, bytes]]:
        """The commits up to one that touched a file, oldest first, each with the file."""
        ...


class GitDocuments:
    """Implements `catalog.documents.Documents` over a repository, at its newest commit or a fixed one."""

    source = "git"

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._commit: str | None = None
        self._is_fixed = False

    def where(self, key: str) -> str:
        """The path and the repository."""
        return f"{clone_path(key) or key} in {self._repository.url}"

    def refresh(self) -> None:
        """Fetch, and be at the newest commit. Raises AccessError."""
        if not self._is_fixed:
            self._repository.fetch()
            self._commit = self._repository.tip

    def get(self, key: str) -> bytes:
        """The file, or what the clone's history has of a snapshot. Raises ObjectMissing, and AccessError at first."""
        if self._commit is None:
            self.refresh()
        path, commit = clone_path(key), self._commit
        if commit is not None:
            content = self._repository.read(path, commit) if path else self._find_snapshot(key, commit)
            if content is not None:
                return content
        raise ObjectMissing(self._repository.url, path or key)

    def at(self, time_ns: int) -> GitDocuments:
        """The documents of the newest commit at or before a moment; before the first commit there are none."""
        past = GitDocuments(self._repository)
        past._commit = self._repository.tip_at(time_ns)
        past._is_fixed = True
        return past

    def _find_snapshot(self, key: str, commit: str) -> bytes | None:
        named = parse_snapshot_key(key)
        if named is None:
            return None
        table, version = named
        path = metadata_path(table)
        for _, content in self._repository.commits_of(path, commit):
            try:
                if metadata_sha(parse_metadata(content, path).document) == version:
                    return content
            except DocumentInvalid:  # one broken commit hides no other
                continue
        return None
