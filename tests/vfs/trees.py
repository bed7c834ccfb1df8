"""Trees over a source in memory, and walks through them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from datomfs.vfs.nodes import ROOT_INODE, Attrs
from datomfs.vfs.tree import Tree
from tests.vfs.fake_source import FakeSource, FakeTable, version

V1, V2, V3 = version("111111aa"), version("222222bb"), version("333333cc")
ODD = "Name with (parens) - v2"
MOUNTED_NS = 5 * 10**9
REFRESH_S = 30.0

T = TypeVar("T")


def run(work: Callable[[], Awaitable[T]]) -> T:
    """What an async function gives, in a trio of its own."""
    return trio.run(work)


def make_source() -> FakeSource:
    """Two projects; dm has three versions, the middle one current; one table has an odd name."""
    return FakeSource(
        {
            "STUDY_001": {
                "dm": FakeTable(V2, {V3: b"three", V2: b"payload two", V1: b"one"}),
                ODD: FakeTable(V1, {V1: b"odd"}),
            },
            "STUDY_002": {"dm": FakeTable(V1, {V1: b"other"})},
        }
    )


def make_tree(source: FakeSource, *, list_versions: bool = False) -> Tree:
    """A tree mounted at MOUNTED_NS."""
    return Tree(source, refresh_s=REFRESH_S, list_versions=list_versions, time_ns=MOUNTED_NS)


async def walk(tree: Tree, *names: str) -> Attrs:
    """The last of a chain of lookups from the root."""
    attrs = tree.getattr(ROOT_INODE)
    for name in names:
        attrs = await tree.lookup(attrs.inode, name)
    return attrs


def look(source: FakeSource, *names: str) -> Attrs:
    """The same in a fresh tree."""
    return run(lambda: walk(make_tree(source), *names))


def dm_of(source: FakeSource) -> FakeTable:
    """The table dm of STUDY_001, to be changed."""
    tables = source.content["STUDY_001"]
    assert isinstance(tables, dict)
    return tables["dm"]
