"""The folder of the cache: where objects lie in it, what it may hold, and what leaves it.

    index.sqlite3               bytes, last use and pins (`cache.index`)
    objects/8a/8a3b21cc…        complete objects under their SHA-256, each with its map of digests
    partial/1000/8a3b21cc…      what one user is still bringing; nobody else's daemon believes or touches it

Nothing is scanned at start. Whatever the disk or the database refuse, reading goes on without them: methods that bring
bytes in answer None or False then, and one warning tells why. The folder may be emptied at any time.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TypeVar

from datomfs.cache.block_file import BlockFile, map_path
from datomfs.cache.index import Entry, Index, Pin
from datomfs.errors import CacheUnusable

log = logging.getLogger(__name__)

T = TypeVar("T")

OLD_DOWNLOADS = "incoming"
"""Where releases before this one brought objects to. Nothing in it is used any more."""
_INDEX_NAME = "index.sqlite3"
_TAG_NAME = "CACHEDIR.TAG"
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Backups may leave this folder out (bford.info/cachedir).\n"
_DAMAGE = (sqlite3.DatabaseError, OSError)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the cache may take: bytes in all, bytes of its disk that stay free, and who may read what it holds."""

    quota: int
    min_free: int
    group_readable: bool = False


class CacheFolder:
    """One cache folder as this process uses it. Safe to use from several threads, beside other processes and users."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self._limits = limits
        self._in_use: Counter[str] = Counter()
        self._lock = Lock()
        self._index: Index | None = None
        self._index_file: tuple[int, int] | None = None
        self._complained: set[str] = set()

    def close(self) -> None:
        """Give the database back."""
        with self._lock:
            if self._index is not None:
                self._index.close()
                self._index = None

    # -- objects ---------------------------------------------------------------------------------------------------

    def partial_name(self, stem: str) -> str:
        """The name of an object this user is bringing, as the index knows it."""
        return f"{os.geteuid()}/{stem}"

    def place(self, name: str) -> Path:
        """Where the object of a name lies: complete ones are named by their SHA-256, others as `partial_name` says."""
        owner, slash, stem = name.partition("/")
        return self.path / "partial" / owner / stem if slash else self.path / "objects" / name[:2] / name

    def open(self, name: str, size: int) -> BlockFile | None:
        """An object's file with what is already there, counted and in use from now on; None where the disk fails.

        A complete object is not made: one that was evicted a moment ago is None too.
        """
        place, is_partial = self.place(name), "/" in name
        try:
            self._make_folders(place.parent, private=is_partial)
            file = BlockFile(place, size, create=is_partial)
        except OSError as error:
            if is_partial or error.errno not in (errno.ENOENT, errno.ESTALE):
                self._complain(error)
            return None
        if not file.is_ours:
            file.close()
            self._complain(PermissionError(errno.EPERM, f"somebody else's file lies at {place}"))
            return None
        with self._lock:
            self._in_use[name] += 1
        with file.claimed() as is_alone:
            self._ask(lambda index: index.settle(name, file.stored_bytes, at_least=not is_alone))
        return file

    def holds(self, name: str, size: int) -> bool:
        """Whether an object of that size is there that this user brought, with its map, to be opened as blocks."""
        place = self.place(name)
        try:
            files = [path.lstat() for path in (place, map_path(place))]
        except OSError:
            return False
        return files[0].st_size == size and all(file.st_uid == os.geteuid() for file in files)

    def counted(self, name: str) -> int:
        """How many bytes of an object are counted as being here."""
        entry = self._ask(lambda index: index.find(name)) if self.place(name).exists() else None
        return entry.bytes if entry else 0

    def leave(self, name: str) -> None:
        """An opened object is not in use here any more."""
        with self._lock:
            self._in_use[name] -= 1
            if self._in_use[name] <= 0:
                del self._in_use[name]

    def hold(self, *names: str) -> None:
        """Count objects as in use here, whether they are there yet or not, as long as this process lives."""
        with self._lock:
            self._in_use.update(names)

    def touch(self, name: str) -> None:
        """An object was used just now."""
        self._ask(lambda index: index.touch(name))

    def publish(self, file: BlockFile, name: str, sha256: str) -> bool:
        """Give a complete, proven object its place for everybody; whether that worked. It is in use under it then."""

        def move() -> bool:
            place = self.place(sha256)
            try:
                self._make_folders(place.parent)
                file.rename(place, mode=0o640 if self._limits.group_readable else 0o600)
            except OSError as error:
                if not file.is_gone:  # evicted a moment ago, by another process
                    self._complain(error)
                return False
            return True

        if not self._ask(lambda index: index.rename(name, sha256, file.stored_bytes, move=move)):
            return False
        with self._lock:
            self._in_use[sha256] += 1
        self.leave(name)
        return True

    # -- room ------------------------------------------------------------------------------------------------------

    def reserve(self, name: str, count: int) -> bool:
        """Make room for `count` bytes of an object and count them; False where there is none, or the cache fails."""
        try:
            lacking = count + self._limits.min_free - self._free()
        except OSError as error:
            self._complain(error)
            return False
        spared = self._spared()
        if lacking > 0:
            self._ask(lambda index: index.evict(lacking, in_use=spared, remove=self._remove_files))
            if count + self._limits.min_free > self._free():
                self._complain(OSError(0, f"less than {self._limits.min_free >> 20} MiB are free on its disk"))
                return False
        reserved = self._ask(
            lambda index: index.reserve(name, count, quota=self._limits.quota, in_use=spared, remove=self._remove_files)
        )
        return bool(reserved)

    def release(self, name: str, count: int) -> None:
        """Give back room that was reserved and is not needed."""
        self._ask(lambda index: index.release(name, count))

    def remove(self, name: str) -> None:
        """Remove an object, whoever uses it: an open file stays readable for who has it open."""
        self._remove_files(name)
        self._ask(lambda index: index.delete(name))

    def evict(self, count: int) -> int:
        """Remove what was not used for longest until `count` bytes are gone; how many went. Raises CacheUnusable."""
        with self._usable() as index:
            return index.evict(count, in_use=self._spared(), remove=self._remove_files)

    def clear(self) -> None:
        """Remove everything but pins, of which only the note stays. Raises CacheUnusable.

        What another user is still bringing stays, and stays counted.
        """
        with self._usable() as index:
            for folder in ("objects", "partial", OLD_DOWNLOADS):
                shutil.rmtree(self.path / folder, ignore_errors=True)
            # After the files: interrupted in between, too much is counted, never too little.
            index.delete(*(entry.name for entry in index.entries() if entry.is_object and self.is_lost(entry.name)))

    def is_lost(self, name: str) -> bool:
        """Whether an object has no file (any more). Not where another user's folder cannot be looked into."""
        try:
            self.place(name).lstat()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return False

    # -- what people ask -------------------------------------------------------------------------------------------

    @property
    def limits(self) -> Limits:
        """What it may take."""
        return self._limits

    def entries(self) -> list[Entry]:
        """All objects and pins, least recently used first. Raises CacheUnusable."""
        with self._usable() as index:
            return list(index.entries())

    def find(self, name: str) -> Entry | None:
        """What is counted of an object, or None. Raises CacheUnusable."""
        with self._usable() as index:
            return index.find(name)

    @property
    def is_begun(self) -> bool:
        """Whether anything was ever counted here. Makes nothing."""
        return (self.path / _INDEX_NAME).is_file()

    def total(self) -> int:
        """All bytes counted, those in flight included. Raises CacheUnusable."""
        with self._usable() as index:
            return index.total()

    def free(self) -> int:
        """The bytes its disk has left. Raises CacheUnusable."""
        with self._usable():
            return self._free()

    def pins(self) -> list[Pin]:
        """All pins, by their labels. Raises CacheUnusable."""
        with self._usable() as index:
            return index.pins()

    def pin(self, sha256: str, label: str) -> None:
        """Keep an object whatever comes. Raises CacheUnusable."""
        with self._usable() as index:
            index.pin(sha256, label)

    def unpin(self, sha256: str, label: str | None = None) -> bool:
        """Take a pin of an object away, or all of them; whether there was one. Raises CacheUnusable."""
        with self._usable() as index:
            return index.unpin(sha256, label)

    def correct(self, name: str, count: int, used_s: float) -> None:
        """What an object's files really hold, whenever it was used. Raises CacheUnusable."""
        with self._usable() as index:
            index.correct(name, count, used_s)

    def forget(self, *names: str) -> None:
        """Count objects no more that have no files. Raises CacheUnusable."""
        with self._usable() as index:
            index.delete(*names)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _free(self) -> int:
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def _spared(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._in_use)

    def _remove_files(self, name: str) -> None:
        place = self.place(name)
        # The map first: a complete object without one is hashed as a whole, a map without its object lies.
        for path in (map_path(place), place):
            with suppress(FileNotFoundError):
                path.unlink()

    def _make_folders(self, folder: Path, *, private: bool = False) -> None:
        if not folder.is_dir():
            if folder != self.path:
                self._make_folders(folder.parent)
            try:
                folder.mkdir(parents=folder == self.path)
            except FileExistsError:
                if not folder.is_dir():
                    raise
            else:
                folder.chmod(0o2770 if self._limits.group_readable and not private else 0o700)
                if folder == self.path:
                    (folder / _TAG_NAME).write_text(_TAG, encoding="ascii")
        if private and folder.lstat().st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, f"somebody else made {folder}")

    def _open_index(self) -> Index:
        with self._lock:
            path = self.path / _INDEX_NAME
            if self._index is not None and _which(path) != self._index_file:  # somebody emptied the folder
                self._index.close()
                self._index = None
            if self._index is None:
                self._make_folders(self.path)
                if not path.exists():
                    # Made by us, since SQLite gives its journal the mode of its database.
                    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                    path.chmod(0o660 if self._limits.group_readable else 0o600)
                self._index_file = _which(path)
                self._index = Index(path)
            return self._index

    def _ask(self, question: Callable[[Index], T]) -> T | None:
        """What the index answers, or None where it fails: then it is opened anew the next time."""
        try:
            try:
                return question(self._open_index())
            except sqlite3.ProgrammingError:  # closed a moment ago, by a thread for which it failed
                return question(self._open_index())
        except _DAMAGE as error:
            self._complain(error)
            self._forget_index(error)
            return None

    @contextmanager
    def _usable(self) -> Iterator[Index]:
        try:
            yield self._open_index()
        except _DAMAGE as error:
            self._forget_index(error)
            raise CacheUnusable(str(self.path), str(error)) from error

    def _forget_index(self, error: Exception) -> None:
        self.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            # It is no database any more. What it knew comes back as objects are used, or with `cache verify`.
            with suppress(OSError):
                for path in self.path.glob(f"{_INDEX_NAME}*"):
                    path.unlink()

    def _complain(self, error: Exception) -> None:
        text = str(getattr(error, "strerror", None) or error)
        if text not in self._complained:
            self._complained.add(text)
            log.warning("the cache %s takes nothing: %s; reading goes on without it", self.path, text)


def _which(path: Path) -> tuple[int, int] | None:
    """Which file lies at a path: device and inode, or None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
