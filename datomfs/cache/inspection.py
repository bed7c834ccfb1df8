"""Whether the files of the cache are what they should be, and the index knows them.

For `datomfs cache verify`, beside any number of daemons on the same folder, and safe to interrupt: each object is
looked at, and put right, on its own. What is damaged is dropped, and fetched again when somebody reads it. Files that
are none of ours are left alone.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto

from datomfs.cache.block_file import PIECE, BlockFile, map_path
from datomfs.cache.folder import CacheFolder
from datomfs.cache.proof import hash_bytes
from datomfs.cache.scan import Found, is_busy, remove_leftovers
from datomfs.cache.several import several
from datomfs.errors import DatomfsError

_AT_ONCE = 4

OnProgress = Callable[[str, int], None]
"""Told the name of an object, and how many of its bytes have been looked at."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What was wrong with an object: the bytes that were dropped, and whether the whole object was."""

    name: str
    path: str
    problem: str
    bytes: int
    removed: bool


@dataclass(slots=True)
class Report:
    """What an inspection found and put right.

    `counted` are objects that the index did not know, `settled` those it had another size of, `forgotten` those it knew
    and that are not there; `leftovers` are bytes of earlier releases, and of interrupted work, that were removed.
    `unread` are objects that may not be read here.
    """

    objects: int = 0
    bytes: int = 0
    damaged: list[Damage] = field(default_factory=list)
    counted: int = 0
    settled: int = 0
    forgotten: int = 0
    leftovers: int = 0
    unread: int = 0


def inspect(folder: CacheFolder, objects: Iterable[Found], *, quick: bool, on_progress: OnProgress) -> Report:
    """Look at each of these objects and at the index. `quick` reads no bytes of objects. Raises CacheUnusable."""
    report = Report()
    work = several(objects, lambda found: _check(folder, found, quick, on_progress), at_once=_AT_ONCE)
    for found, result in work:
        if isinstance(result, DatomfsError):
            raise result
        on_progress(found.name, found.stored)
        if result is None:
            continue
        if result.damage is not None:
            report.damaged.append(result.damage)
        report.unread += result.unread
        if result.damage is not None and result.damage.removed:
            _remove(folder, found)
        else:
            report.objects += 1
            report.bytes += result.stored
            report.counted += result.change is _Change.COUNTED
            report.settled += result.change is _Change.SETTLED
    report.leftovers = remove_leftovers(folder.path)
    lost = [entry.name for entry in folder.entries() if entry.is_object and folder.is_lost(entry.name)]
    folder.forget(*lost)
    report.forgotten = len(lost)
    return report


# -- objects -------------------------------------------------------------------------------------------------------


class _Change(Enum):
    """What the index had to be told of an object."""

    NONE = auto()
    COUNTED = auto()
    SETTLED = auto()


@dataclass(frozen=True, slots=True)
class _Checked:
    """How many bytes an object holds, what was wrong with it, and what the index had to be told."""

    stored: int
    damage: Damage | None = None
    change: _Change = _Change.NONE
    unread: bool = False


def _check(folder: CacheFolder, found: Found, quick: bool, on_progress: OnProgress) -> _Checked | None:
    """What is known of an object now; None where it is gone, or just being made."""
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        on_progress(found.name, done)

    try:
        if "/" in found.name:
            return _check_partial(folder, found, quick, step)
        damage = None if quick else _check_complete(found, step)
        if damage is not None:
            return _Checked(0, damage)
        return _Checked(found.size, change=_settle(folder, found, found.size, is_alone=True))
    except FileNotFoundError:
        return None
    except OSError as error:
        if isinstance(error, PermissionError):
            return _Checked(found.size, unread=True)
        if error.errno == errno.ESTALE and is_busy(found.path):
            return None
        problem = f"it cannot be read: {error.strerror}"
        return _Checked(0, Damage(found.name, str(found.path), problem, found.stored, removed=True))


def _check_partial(folder: CacheFolder, found: Found, quick: bool, step: Callable[[int], None]) -> _Checked:
    """The pieces that have their digests; the map forgets the others."""
    file = BlockFile(found.path, found.size, create=False)
    try:
        before, damage = file.stored_bytes, None
        if not quick and not file.check(lambda: step(PIECE)):
            lost = max(0, before - file.stored_bytes)
            damage = Damage(found.name, str(found.path), "pieces of it were damaged", lost, removed=False)
        file.refresh()
        # Who else has it open may have reserved bytes that are on their way.
        with file.claimed() as is_alone:
            change = _settle(folder, found, file.stored_bytes, is_alone=is_alone)
        return _Checked(file.stored_bytes, damage, change)
    finally:
        file.close()


def _check_complete(found: Found, step: Callable[[int], None]) -> Damage | None:
    """Its SHA-256 is its name, whatever its map says; a map that says otherwise is taken away."""
    if found.owner == os.geteuid() and _check_mapped(found, step):
        return None
    # Links are not followed, and a pipe is not waited for.
    with open(os.open(found.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", 0) as plain:
        actual = hash_bytes(plain.readinto, lambda: None)
    if actual != found.name:
        return Damage(found.name, str(found.path), f"its SHA-256 is {actual}", found.size, removed=True)
    map_path(found.path).unlink(missing_ok=True)
    return None


def _check_mapped(found: Found, step: Callable[[int], None]) -> bool:
    """Whether its map has the digests of all its pieces, and the SHA-256 of them all is its name."""
    try:
        file = BlockFile(found.path, found.size, create=False)
    except OSError:
        return False
    digest = hashlib.sha256()
    try:
        for start in range(0, found.size, PIECE):
            body = file.read(start, min(start + PIECE, found.size))
            if body is None:
                return False
            digest.update(body)
            step(len(body))
    finally:
        file.close()
    return digest.hexdigest() == found.name


def _remove(folder: CacheFolder, found: Found) -> None:
    """Remove a damaged object, unless another has taken its place since."""
    with suppress(OSError):
        if found.path.lstat().st_ino == found.inode:
            folder.remove(found.name)


def _settle(folder: CacheFolder, found: Found, stored: int, *, is_alone: bool) -> _Change:
    """Have the index count what is there; not less than it does while others are at work. Raises OSError."""
    entry = folder.find(found.name)
    if entry is not None and (entry.bytes == stored or (entry.bytes > stored and not is_alone)):
        return _Change.NONE
    # The time also tells whether it is still there; what is gone is not counted again.
    folder.correct(found.name, stored, max(1.0, found.path.lstat().st_mtime))
    return _Change.COUNTED if entry is None else _Change.SETTLED
