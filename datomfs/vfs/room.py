"""What every kind of directory knows: which node a name stands for, and what it lists.

A room serves all directories of its kind. It asks the source, and keeps nothing but listings it has made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from cachetools import LRUCache

from datomfs.vfs.nodes import Directory, Node

D = TypeVar("D", bound=Directory)
D_contra = TypeVar("D_contra", bound=Directory, contravariant=True)

Entries = Sequence[tuple[str, Node]]

_LISTED = 20_000
"""How many names the listings hold together that are kept; the one made last always stays."""


class Room(Protocol[D_contra]):
    """The directories of one kind."""

    async def find(self, directory: D_contra, name: str) -> Node | None:
        """The node of that name, also of one that is not listed; None where the name stands for nothing."""
        ...

    async def entries(self, directory: D_contra) -> Entries:
        """What the directory lists."""
        ...


class Listings(Generic[D]):
    """The listings made last, each for one view of its directory: a listing of a thousand is asked for again."""

    def __init__(self) -> None:
        self._made: LRUCache[D, tuple[object, Entries]] = LRUCache(_LISTED, lambda made: min(_LISTED, 1 + len(made[1])))

    def of(self, directory: D, view: object, make: Callable[[], Entries]) -> Entries:
        """The listing of a directory, made unless it was for this very view."""
        known = self._made.get(directory)
        if known is None or known[0] is not view:
            known = self._made[directory] = (view, make())
        return known[1]
