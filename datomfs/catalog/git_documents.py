"""A project's documents as its data repository has them: the road of those who may read git (design.md §3).

All that is read between two refreshes comes from one commit, so manifest, histories and metadata agree. A clone has
no snapshots, and no history in it names commits: both are found in the commits that made the versions.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Protocol

from cachetools import LRUCache

from datomfs.errors import AccessError, ObjectMissing
from datomfs.identity.commits import first_commits
from datomfs.layout import clone_path, metadata_path, parse_snapshot_key

log = logging.getLogger(__name__)

_TABLES = 256
"""How many tables' commits are kept: to find them is to walk through all of history."""


class Repository(Protocol):
    """What is needed of a git repository; `repo.mirror` has it."""

    @property
    def url(self) -> str: ...

    @property
    def tip(self) -> str | None:
        """The newest commit known, or None."""
        ...

    @property
    def fetched_ns(self) -> int:
        """When it was last as its remote is, nanoseconds since 1970."""
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

    def commits_of(self, path: str, until: str) -> Iterable[tuple[str, bytes]]:
        """The commits up to one that changed a file, oldest first, each with the file."""
        ...


class GitDocuments:
    """Implements `catalog.documents.Documents` over a repository, at its newest commit or at a fixed one."""

    source = "git"

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._commit: str | None = None
        self._is_at_hand = False
        self._has_fetched = False
        self._is_fixed = False
        self._commits: LRUCache[tuple[str, str], Mapping[str, str]] = LRUCache(_TABLES)
        self._lock = Lock()

    @property
    def url(self) -> str:
        """The repository's."""
        return self._repository.url

    @property
    def commit(self) -> str | None:
        """The one that was the newest when they were last refreshed, or the fixed one."""
        return self._commit

    def where(self, key: str) -> str:
        """The path and the repository."""
        return f"{clone_path(key) or key} in {self._repository.url}"

    def refresh(self) -> None:
        """Fetch, and be at the newest commit.

        Raises AccessError, and stays where it was. Until a first fetch has come through, what an earlier process has
        fetched is good enough: who begins while the remote is away is served, and told once.
        """
        try:
            self.fetch()
        except AccessError as error:
            if self._has_fetched or self._repository.tip is None:
                raise
            if not self._is_at_hand:
                age_s = (time.time_ns() - self._repository.fetched_ns) // 1_000_000_000
                log.warning("%s serves as it was %d s ago: %s", self._repository.url, age_s, error.what)
            self._go()

    def fetch(self) -> None:
        """The same for who wants nothing older. Raises AccessError."""
        if not self._is_fixed:
            self._repository.fetch()
            self._has_fetched = True
            self._go()

    def get(self, key: str) -> bytes:
        """The file, or what the clone's history has of a snapshot. Raises ObjectMissing, and AccessError at first."""
        path, commit = clone_path(key), self._at_hand()
        if commit is not None:
            content = self._repository.read(path, commit) if path else self._find_snapshot(key, commit)
            if content is not None:
                return content
        raise ObjectMissing(self._repository.url, path or key)

    def find_commit(self, table: str, version: str) -> str | None:
        """The commit that first made a version."""
        commit = self._at_hand()
        return self._commits_of(table, commit).get(version) if commit is not None else None

    def at(self, time_ns: int) -> GitDocuments:
        """The documents of the newest commit at or before a moment; before the first commit there are none."""
        self._at_hand()
        past = GitDocuments(self._repository)
        past._commit = self._repository.tip_at(time_ns)
        past._is_at_hand = past._is_fixed = True
        return past

    def _go(self) -> None:
        """Be at the newest commit that is here."""
        self._commit = self._repository.tip
        self._is_at_hand = True

    def _at_hand(self) -> str | None:
        """The commit whose documents these are, once something has been fetched. Raises AccessError until then."""
        if not self._is_at_hand:
            self.refresh()
        return self._commit

    def _find_snapshot(self, key: str, commit: str) -> bytes | None:
        named = parse_snapshot_key(key)
        if named is None:
            return None
        table, version = named
        made_by = self._commits_of(table, commit).get(version)
        return self._repository.read(metadata_path(table), made_by) if made_by is not None else None

    def _commits_of(self, table: str, until: str) -> Mapping[str, str]:
        """Version → the commit that first made it. One walk at a time: several would be made for the same table."""
        with self._lock:
            key = (table, until)
            if key not in self._commits:
                path = metadata_path(table)
                self._commits[key] = first_commits(self._repository.commits_of(path, until), path)
            return self._commits[key]
