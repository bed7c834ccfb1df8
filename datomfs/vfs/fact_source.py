"""What is recorded of versions and projects beside their bytes, and who tells it: what extended attributes show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a version, by the names of docs/semantics.md, and which of those would have to be read first.

    What is `unread` may turn out not to be recorded.
    """

    known: Mapping[str, str]
    unread: Sequence[str] = ()


class FactSource(Protocol):
    """Facts of versions and projects. Methods raise `datomfs.errors`."""

    def known(self, project: str, name: str, version: str) -> Facts | None:
        """What is in memory of a version of a table or a set, 64 digits; None where that is nothing. Asks nobody."""
        ...

    async def read(self, project: str, name: str, version: str) -> Mapping[str, str]:
        """All that is recorded of a version; one document is read unless that was done before."""
        ...

    async def project(self, project: str) -> Mapping[str, str]:
        """What is known of a project, read no longer ago than the clock allows."""
        ...
