"""What the tree needs to know of documents, and who tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from datomfs.vfs.nodes import DocumentFile
from datomfs.vfs.source import Handle


class DocumentSource(Protocol):
    """The documents of projects, tables and sets, as files. Methods raise `datomfs.errors`."""

    async def names(self, project: str) -> Sequence[str]:
        """The project's own documents that exist, or of which nobody can say at the moment."""
        ...

    async def find(self, document: DocumentFile) -> bytes | None:
        """A document, no older than the clock allows, or None where there is none."""
        ...

    def known_size(self, document: DocumentFile) -> int:
        """The bytes of a document when it was last read, 0 before. Asks nobody."""
        ...

    async def open(self, document: DocumentFile) -> Handle:
        """A document as it is now, for as long as the handle is open, to be read and closed as a payload is."""
        ...
