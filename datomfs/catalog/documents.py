"""Where a project's documents come from: the seam between the roads of design.md §3.

Whatever the road, documents are asked for by their keys in a store (format.md §1) and come as they were written. The
store's mirror is the road every reader has; a clone of the data repository is another (`catalog.git_documents`).
Nothing here parses.
"""

from __future__ import annotations

from typing import Protocol

from datomfs.store.base import ReadableStore


class Documents(Protocol):
    """The documents of one project, by their keys in its store. Safe to use from several threads.

    Methods raise AccessError where the road is closed.
    """

    @property
    def source(self) -> str:
        """Which road this is, as `user.datom.source` tells it: `storage` or `git`."""
        ...

    @property
    def url(self) -> str:
        """Where they come from, for people."""
        ...

    @property
    def commit(self) -> str | None:
        """The git commit they are read at, where they come from git. Asks nobody."""
        ...

    def where(self, key: str) -> str:
        """A document as errors name it."""
        ...

    def refresh(self) -> None:
        """See to it that what is read from now on is no older than now."""
        ...

    def get(self, key: str) -> bytes:
        """A document. Raises ObjectMissing."""
        ...

    def find_commit(self, table: str, version: str) -> str | None:
        """The commit that first made a version, 64 digits, where this road knows more than histories tell."""
        ...

    def at(self, time_ns: int) -> Documents | None:
        """The documents as they were at a moment, nanoseconds since 1970, or None on a road that cannot tell.

        Before the first there is no document.
        """
        ...


class StoreDocuments:
    """The mirror under `.metadata/` in the project's store."""

    source = "storage"
    commit = None

    def __init__(self, store: ReadableStore) -> None:
        self._store = store

    @property
    def url(self) -> str:
        """The store's."""
        return self._store.url

    def where(self, key: str) -> str:
        """The key and the store."""
        return f"{key} in {self._store.url}"

    def refresh(self) -> None:
        """Every read asks the store anew."""

    def get(self, key: str) -> bytes:
        """The object under that key. Raises ObjectMissing."""
        return self._store.get(key)

    def find_commit(self, table: str, version: str) -> None:
        """Histories in a store record it themselves (format.md §4.5)."""

    def at(self, time_ns: int) -> None:
        """A store keeps no past states of what moves."""
