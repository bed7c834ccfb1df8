"""What the tree needs to know, and who tells it: the protocol `Source` and the values it speaks in.

`mount.live_source` answers from stores, tests answer from memory. Methods raise `datomfs.errors`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, NewType, Protocol

from datomfs.errors import DatomfsError, VersionAmbiguous, VersionNotFound
from datomfs.layout import short_version

if TYPE_CHECKING:
    from datomfs.vfs.document_source import DocumentSource
    from datomfs.vfs.fact_source import FactSource
    from datomfs.vfs.set_source import SetSource

Handle = NewType("Handle", int)
"""An open payload, as the source numbers it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What this machine knows of a payload's bytes.

    `verified` is `full` (they were hashed here), `attested` (the store vouches for their hash), `pending` (not proven
    yet), `unrecorded` (nothing was recorded that could prove them) or `failed` (they are not the recorded ones).
    `cached` is how many bytes of them lie on this machine.
    """

    verified: str
    cached: int


@dataclass(frozen=True, slots=True)
class Current:
    """The version of a table, or a set, that is current: 64 hex digits, and when it became so."""

    version: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class ProjectView:
    """A project at one moment: its tables and its sets by name, and when it last changed."""

    tables: Mapping[str, Current]
    time_ns: int
    sets: Mapping[str, Current] = field(default_factory=dict)

    def find(self, name: str) -> Current | None:
        """The current version of a table or a set, or None; one name is never both."""
        return self.tables.get(name) or self.sets.get(name)


@dataclass(frozen=True, slots=True)
class MomentView:
    """A project as of a moment: the version of each table that existed, and the tables of which nobody can say."""

    tables: Mapping[str, Current]
    broken: Mapping[str, DatomfsError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version of a table or a set: 64 hex digits, its time, and its size in bytes.

    The size is None where the store lacks the bytes.
    """

    version: str
    time_ns: int
    size: int | None


@dataclass(frozen=True, slots=True)
class TableView:
    """A table, or a set, at one moment: all its versions, newest first."""

    project: str
    table: str
    versions: Sequence[VersionView]
    ambiguous: frozenset[str] = frozenset()
    """Versions that the history records twice with different bytes (format.md §11.2): no name of theirs resolves."""
    _ordered: Sequence[VersionView] = field(init=False, repr=False, compare=False)
    """The same by their digits: those that share a prefix stand together, however many there are."""
    _shorts: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)
    """Each version's digits in a listing, once somebody lists them: a directory of a thousand needs all of them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ordered", sorted(self.versions, key=_digits))

    def resolve(self, prefix: str) -> VersionView:
        """The version that starts with `prefix`. Raises VersionNotFound, VersionAmbiguous."""
        start = bisect_left(self._ordered, prefix, key=_digits)
        matches = list(takewhile(lambda version: version.version.startswith(prefix), self._ordered[start:]))
        if not matches:
            raise VersionNotFound(self.project, self.table, prefix)
        if len(matches) > 1 or matches[0].version in self.ambiguous:
            raise VersionAmbiguous(self.project, self.table, prefix, tuple(match.version for match in matches))
        return matches[0]

    def short(self, version: str) -> str:
        """The first 8 digits of a version, or as many as tell it from the others; it may be newer than this view."""
        if not self._shorts:
            self._shorts.update(_shortened([each.version for each in self._ordered]))
        if version in self._shorts:
            return self._shorts[version]
        place = bisect_left(self._ordered, version, key=_digits)
        return short_version(version, {each.version for each in self._ordered[max(0, place - 1) : place + 1]})

    @property
    def time_ns(self) -> int:
        """When the table last got a version."""
        return max((version.time_ns for version in self.versions), default=0)


def _digits(version: VersionView) -> str:
    return version.version


def _shortened(ordered: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each of some sorted versions with its short form; only its neighbours can share more with it than others."""
    for before, version, after in zip(["", *ordered], ordered, [*ordered[1:], ""], strict=False):
        yield version, short_version(version, {before, after})


class Source(Protocol):
    """Projects, tables and payload bytes. The views it gives may be as old as its clock allows."""

    @property
    def sets(self) -> SetSource:
        """Who tells of sets."""
        ...

    @property
    def documents(self) -> DocumentSource:
        """Who has the documents themselves."""
        ...

    @property
    def facts(self) -> FactSource:
        """Who tells what is recorded of versions and projects."""
        ...

    async def projects(self) -> Sequence[str]:
        """The names of all projects, sorted."""
        ...

    def known_project(self, project: str) -> ProjectView | None:
        """What was last read of a project, however old; None before the first time. Asks nobody."""
        ...

    def known_table(self, project: str, table: str) -> TableView | None:
        """What was last read of a table, however old; None before the first time. Asks nobody."""
        ...

    def believed_s(self, project: str | None) -> float:
        """For how many seconds what was last read of a project still holds; None means the list of projects."""
        ...

    def standing(self, project: str, table: str, version: str) -> Standing:
        """What is known here of the bytes of a version, 64 digits. Asks nobody: no store, and no network."""
        ...

    def has_failed(self, project: str, table: str, version: str) -> bool:
        """Whether bytes of a version were given that turned out not to be the recorded ones. Asks nobody."""
        ...

    async def project(self, project: str) -> ProjectView:
        """The tables of a project."""
        ...

    async def moment(self, project: str, time_ns: int) -> MomentView:
        """A project as of a moment that is over, nanoseconds since 1970."""
        ...

    async def table(self, project: str, table: str, *, fresh: bool = False) -> TableView:
        """The versions of a table; with `fresh` read again unless that was done a moment ago."""
        ...

    async def open(self, project: str, table: str, version: str) -> Handle:
        """A proven payload, to be read and closed. Raises IntegrityError where its bytes are not the recorded ones."""
        ...

    def size(self, handle: Handle) -> int:
        """The bytes of an open payload: those it has, whatever a listing said."""
        ...

    async def read(self, handle: Handle, offset: int, length: int) -> bytes | bytearray:
        """Up to `length` bytes from `offset`, fewer only at the end."""
        ...

    def close(self, handle: Handle) -> None:
        """Give an open payload back."""
        ...
