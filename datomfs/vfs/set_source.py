"""What the tree needs to know of sets, and who tells it."""

from __future__ import annotations

from typing import Protocol

from datomfs.model.sets import SetContent
from datomfs.vfs.source import TableView


class SetSource(Protocol):
    """The versions of sets and what each holds. Methods raise `datomfs.errors`."""

    async def view(self, project: str, name: str, *, fresh: bool = False) -> TableView:
        """The versions of a set, as those of a table are told; with `fresh` read again unless just done."""
        ...

    def known_view(self, project: str, name: str) -> TableView | None:
        """What was last read of a set, however old; None before the first time. Asks nobody."""
        ...

    async def content(self, project: str, name: str, version: str) -> SetContent:
        """What a version, 64 digits, holds, proven. Raises IntegrityError, DocumentInvalid."""
        ...

    def known_content(self, project: str, name: str, version: str) -> SetContent | None:
        """The same, if it is in memory. Asks nobody."""
        ...
