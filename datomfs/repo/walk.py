"""The objects of a git repository as far as history is concerned: commits in git's order, and what stood at a path.

dulwich's own walker parses every commit and tree it passes into objects, which costs three times as much, and orders
commits of one second by their names; here they come as `git rev-list` has them. Everything works on a function that
gives an object's content and raises KeyError where there is none; ids are 40 hex digits as bytes, as dulwich has them.
"""

from __future__ import annotations

import heapq
import stat
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

from dulwich.objects import parse_tree

Read = Callable[[bytes], bytes]

_SHA_BYTES = 20


class Step(NamedTuple):
    """A commit: its id, its tree, its parents, and its committer's time in seconds since 1970."""

    commit: bytes
    tree: bytes
    parents: tuple[bytes, ...]
    time_s: int


def read_step(read: Read, commit: bytes) -> Step:
    """A commit. One whose time cannot be read is of second 0, as git has it."""
    tree, parents, time_s = b"", [], 0
    for line in read(commit).split(b"\n"):
        field, _, value = line.partition(b" ")
        match field:
            case b"":
                break
            case b"tree":
                tree = value
            case b"parent":
                parents.append(value)
            case b"committer":
                words = value.rsplit(b" ", 2)
                time_s = int(words[1]) if len(words) == 3 and words[1].isdigit() else 0
    return Step(commit, tree, tuple(parents), time_s)


def walk(read: Read, tip: bytes) -> Iterator[Step]:
    """All commits up to one, in the order of `git rev-list`: the newest of those whose children have been given.

    Of one second, the one that was reached first. Where clocks were askew, a parent may be newer than its child.
    """
    numbers = count()
    first = read_step(read, tip)
    waiting = [(-first.time_s, next(numbers), first)]
    seen = {tip}
    while waiting:
        step = heapq.heappop(waiting)[2]
        yield step
        for parent in step.parents:
            if parent not in seen:
                seen.add(parent)
                reached = read_step(read, parent)
                heapq.heappush(waiting, (-reached.time_s, next(numbers), reached))


def find_entry(read: Read, tree: bytes, path: str, *, is_folder: bool = False) -> bytes | None:
    """The id of the file (or the folder) at a path in a tree, or None. A link or a submodule is neither."""
    *folders, last = path.encode().split(b"/")
    found: bytes | None = tree
    for name in folders:
        found = _find_child(read, found, name, stat.S_IFDIR) if found else None
    return _find_child(read, found, last, stat.S_IFDIR if is_folder else stat.S_IFREG) if found else None


def list_files(read: Read, tree: bytes) -> Iterator[str]:
    """The paths of all files in a tree, relative to it, that are text."""
    for name, mode, sha in parse_tree(read(tree), _SHA_BYTES):
        try:
            text = name.decode()
        except UnicodeDecodeError:  # no path that datom writes
            continue
        if stat.S_IFMT(mode) == stat.S_IFDIR:
            yield from (f"{text}/{path}" for path in list_files(read, sha))
        elif stat.S_IFMT(mode) == stat.S_IFREG:
            yield text


def states_of(read: Read, tip: bytes, path: str) -> Sequence[tuple[bytes, bytes]]:
    """The commits up to one that changed the file at a path, oldest first, each with the file's id after it.

    A merge that took the file over from one of its parents has not changed it.
    """
    steps = list(walk(read, tip))
    # Most commits change other files, so most trees on the way down are met many times.
    known: dict[bytes, bytes | None] = {}
    *folders, _ = path.encode().split(b"/")
    files: dict[bytes, bytes | None] = {}
    for step in steps:
        top = _find_child(read, step.tree, folders[0], stat.S_IFDIR) if folders else step.tree
        if top is not None and top not in known:
            known[top] = find_entry(read, top, path.partition("/")[2] if folders else path)
        files[step.commit] = known[top] if top is not None else None
    return [
        (step.commit, found)
        for step in reversed(steps)
        if (found := files[step.commit]) is not None and all(files[parent] != found for parent in step.parents)
    ]


def _find_child(read: Read, tree: bytes, name: bytes, kind: int) -> bytes | None:
    for child, mode, sha in parse_tree(read(tree), _SHA_BYTES):
        if child == name:
            return bytes(sha) if stat.S_IFMT(mode) == kind else None
    return None
