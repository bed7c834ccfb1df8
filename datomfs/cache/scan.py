"""What lies in the folder of the cache, whatever its index says: the only place that lists it.

For `cache.inspection`. No bytes of objects are read here, and files that are none of ours are left alone.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datomfs.cache.block_file import MAP_SUFFIX
from datomfs.cache.folder import OLD_DOWNLOADS, CacheFolder

_COMPLETE = re.compile(r"[0-9a-f]{64}")
_PARTIAL = re.compile(r"[0-9a-f]{64}(-[0-9a-f]{16})?")
_BUSY_S = 60.0
"""A file that was touched this lately may just be being made: what lacks its other half then is no leftover."""


@dataclass(frozen=True, slots=True)
class Found:
    """The file of an object in the folder; `stored` is how many bytes it takes on the disk."""

    name: str
    path: Path
    size: int
    stored: int
    inode: int
    owner: int


def find_objects(folder: CacheFolder) -> list[Found]:
    """The objects of everybody that are complete, and those that this user is bringing."""
    found = list(_found(folder.path / "objects", _COMPLETE, folder))
    return [*found, *_found(folder.path / "partial", _PARTIAL, folder)]


def _found(place: Path, names: re.Pattern[str], folder: CacheFolder) -> Iterator[Found]:
    """The objects in the folders under a place, as far as these may be looked into."""
    for inner in _folders(place):
        for item in _scan(inner):
            name = item.name if names is _COMPLETE else f"{inner.name}/{item.name}"
            if not names.fullmatch(item.name) or folder.place(name) != Path(item.path):
                continue
            with suppress(OSError):
                if item.is_file(follow_symlinks=False):
                    stat = item.stat(follow_symlinks=False)
                    stored = min(stat.st_size, stat.st_blocks * 512)
                    yield Found(name, Path(item.path), stat.st_size, stored, stat.st_ino, stat.st_uid)


def is_busy(path: Path) -> bool:
    """Whether somebody may be at work on a file."""
    with suppress(OSError):
        return time.time() - path.lstat().st_mtime < _BUSY_S
    return False


def _folders(place: Path) -> list[Path]:
    """The folders in a folder; not those that links lead to."""
    return [Path(item.path) for item in _scan(place) if item.is_dir(follow_symlinks=False)]


def _scan(place: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(place) as items:
            return sorted(items, key=lambda item: item.name)
    except OSError:
        return []


def remove_leftovers(path: Path) -> int:
    """Take away what nothing uses any more: downloads of old releases, maps and partial objects without the other."""
    removed = 0
    for item in _scan(path / OLD_DOWNLOADS):
        with suppress(OSError):
            removed += item.stat(follow_symlinks=False).st_size
    shutil.rmtree(path / OLD_DOWNLOADS, ignore_errors=True)
    for inner in (*_folders(path / "objects"), *_folders(path / "partial")):
        items = {item.name: item for item in _scan(inner)}
        for name, item in items.items():
            is_object = inner.parent.name == "objects" and not name.endswith(MAP_SUFFIX)
            other = name.removesuffix(MAP_SUFFIX) if name.endswith(MAP_SUFFIX) else name + MAP_SUFFIX
            is_ours = _PARTIAL.fullmatch(name.removesuffix(MAP_SUFFIX)) and item.is_file(follow_symlinks=False)
            # A complete object needs no map: its name tells what it is.
            if is_object or not is_ours or other in items or is_busy(Path(item.path)):
                continue
            with suppress(OSError):
                stat = item.stat(follow_symlinks=False)
                Path(item.path).unlink()
                removed += min(stat.st_size, stat.st_blocks * 512)
    return removed
