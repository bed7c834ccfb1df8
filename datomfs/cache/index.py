"""What the cache holds, in a small database: bytes, last use and pins of each object, for all processes at once.

An entry is named like its file. Its bytes are counted before they are written (`reserve`), so the quota holds for what
is in flight too, whoever asked for it; a process that dies leaves an entry that is too large until its object is next
opened (`settle`), never one that is too small. SQLite in WAL mode: several processes and users may share it, a killed
one leaves nothing to mend. It knows names and numbers, no files.

Pins are by SHA-256, each under a label for people; versions that share their bytes each have their own. A pin keeps
whatever has those bytes, complete (`8a3b…`) or still coming (`1000/8a3b…`, `1000/8a3b…-SOURCE`).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

_BUSY_S = 5.0
_TOUCH_S = 60.0
"""How much older than now a last use must be to be written down again: eviction needs no finer order."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  name TEXT PRIMARY KEY, bytes INTEGER NOT NULL DEFAULT 0, used REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_use ON objects (used, bytes);
CREATE TABLE IF NOT EXISTS pins (name TEXT, label TEXT, PRIMARY KEY (name, label)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS total (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL);
INSERT OR IGNORE INTO total SELECT 1, COALESCE(SUM(bytes), 0) FROM objects;
CREATE TRIGGER IF NOT EXISTS inserted AFTER INSERT ON objects BEGIN UPDATE total SET bytes = bytes + NEW.bytes; END;
CREATE TRIGGER IF NOT EXISTS changed AFTER UPDATE OF bytes ON objects
  BEGIN UPDATE total SET bytes = bytes + NEW.bytes - OLD.bytes; END;
CREATE TRIGGER IF NOT EXISTS deleted AFTER DELETE ON objects BEGIN UPDATE total SET bytes = bytes - OLD.bytes; END;
"""

_SHA256 = "substr(objects.name, instr(objects.name, '/') + 1, 64)"
"""What an object's bytes have, or should have."""
_PINS = f"(SELECT group_concat(label, ', ') FROM pins WHERE pins.name = {_SHA256})"  # noqa: S608 - all of it is ours
_ENTRY = f"objects.name, bytes, used, {_PINS}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of the cache, or a pin of one that is not there.

    Bytes as counted, last use in seconds since 1970 (0 where there is no object), and the labels of its pins, if it
    has any.
    """

    name: str
    bytes: int
    used_s: float
    pin: str | None

    @property
    def sha256(self) -> str:
        """What its bytes have, or should have when they are complete."""
        return self.name.rpartition("/")[2].partition("-")[0]

    @property
    def is_object(self) -> bool:
        """Whether there is more of it than a pin."""
        return self.used_s > 0

    @property
    def is_complete(self) -> bool:
        """Whether all its bytes are there, for everybody; else somebody is still bringing it."""
        return self.is_object and "/" not in self.name


@dataclass(frozen=True, slots=True)
class Pin:
    """What keeps an object: its SHA-256, and what people call it."""

    sha256: str
    label: str


class Index:
    """The database of one cache folder. Safe to use from several threads. Every method raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            with _alone_in(path.parent):  # of two that turn to WAL at once, one would be told to go away
                self._db.execute("PRAGMA journal_mode = WAL")
            # A power cut may lose the last entries, never the file: lost ones come back with the next use.
            self._db.execute("PRAGMA synchronous = NORMAL")
            if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'deleted'").fetchone():
                with self._transaction():
                    for statement in _statements(_SCHEMA):
                        self._db.execute(statement)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Give the database back."""
        with self._lock:
            self._db.close()

    def total(self) -> int:
        """All bytes counted."""
        with self._lock:
            return int(self._db.execute("SELECT bytes FROM total").fetchone()[0])

    def entries(self) -> Iterator[Entry]:
        """Every object and every pin, least recently used first; a pin without an object has no bytes."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_ENTRY} FROM objects UNION ALL SELECT name, 0, 0, group_concat(label, ', ') FROM pins "  # noqa: S608
                f"WHERE name NOT IN (SELECT {_SHA256} FROM objects) GROUP BY name ORDER BY 3"
            ).fetchall()
        return (Entry(*row) for row in rows)

    def find(self, name: str) -> Entry | None:
        """The entry of an object, or None."""
        with self._lock:
            row = self._db.execute(f"SELECT {_ENTRY} FROM objects WHERE name = ?", (name,)).fetchone()  # noqa: S608
        return Entry(*row) if row else None

    def reserve(
        self, name: str, count: int, *, quota: int, in_use: frozenset[str], remove: Callable[[str], None]
    ) -> bool:
        """Count `count` more bytes for an object, if that keeps all within `quota`.

        What has not been used for longest goes first to make room, apart from pins and from `in_use`; `remove` takes
        away an object's files. False, and nothing is counted, where there is not enough that may go.
        """
        with self._transaction():
            self._upsert(name, count)
            if self._evict(self._total() - quota, in_use | {name}, remove):
                return True
            self._db.execute("UPDATE objects SET bytes = bytes - ? WHERE name = ?", (count, name))
            return False

    def evict(self, count: int, *, in_use: frozenset[str], remove: Callable[[str], None]) -> int:
        """Remove what has not been used for longest until `count` bytes are gone, or all that may go; the bytes."""
        with self._transaction():
            before = self._total()
            self._evict(count, in_use, remove, in_part=True)
            return before - self._total()

    def release(self, name: str, count: int) -> None:
        """Take back bytes that were reserved and did not come."""
        with self._transaction():
            self._db.execute("UPDATE objects SET bytes = MAX(0, bytes - ?) WHERE name = ?", (count, name))

    def settle(self, name: str, count: int, *, at_least: bool = False) -> None:
        """What an object's files really hold, or hold at least, and that it is in use now."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO objects VALUES (?1, ?2, ?3) "
                "ON CONFLICT DO UPDATE SET bytes = CASE WHEN ?4 THEN MAX(bytes, ?2) ELSE ?2 END, used = ?3",
                (name, count, time.time(), at_least),
            )

    def correct(self, name: str, count: int, used_s: float) -> None:
        """What an object's files really hold; `used_s` is its last use where none is known."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO objects VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET bytes = ?2", (name, count, used_s)
            )

    def touch(self, name: str) -> None:
        """An object is in use now."""
        now = time.time()
        with self._lock:
            row = self._db.execute("SELECT used FROM objects WHERE name = ?", (name,)).fetchone()
        if row and now - row[0] > _TOUCH_S:
            with self._transaction():
                self._db.execute("UPDATE objects SET used = ? WHERE name = ?", (now, name))

    def rename(self, name: str, new: str, count: int, *, move: Callable[[], bool]) -> bool:
        """Give an object of `count` bytes another name, in the place of what had it; False where `move` did not.

        `move` moves its files. Evictions remove files under the same lock: of an object that is on its way to another
        place one would take half, and leave the rest uncounted.
        """
        with self._transaction():
            if not move():
                return False
            self._db.execute("DELETE FROM objects WHERE name IN (?, ?)", (name, new))
            self._db.execute("INSERT INTO objects VALUES (?, ?, ?)", (new, count, time.time()))
            return True

    def delete(self, *names: str) -> None:
        """Forget objects."""
        with self._transaction():
            self._db.executemany("DELETE FROM objects WHERE name = ?", [(name,) for name in names])

    def pins(self) -> list[Pin]:
        """Every pin."""
        with self._lock:
            rows = self._db.execute("SELECT name, label FROM pins ORDER BY label").fetchall()
        return [Pin(*row) for row in rows]

    def pin(self, sha256: str, label: str) -> None:
        """Keep an object from eviction, whether it is there yet or not; `label` tells people what it is."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO pins VALUES (?, ?)", (sha256, label))

    def unpin(self, sha256: str, label: str | None = None) -> bool:
        """Take a pin away, or all of an object; whether there was one."""
        with self._transaction():
            return (
                self._db.execute("DELETE FROM pins WHERE name = ?1 AND label = ifnull(?2, label)", (sha256, label))
            ).rowcount > 0

    # -- inside ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk ends it by itself
                    self._db.execute("ROLLBACK")
                raise

    def _total(self) -> int:
        return int(self._db.execute("SELECT bytes FROM total").fetchone()[0])

    def _upsert(self, name: str, count: int) -> None:
        self._db.execute(
            "INSERT INTO objects VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET bytes = bytes + ?2, used = ?3",
            (name, count, time.time()),
        )

    def _evict(
        self, count: int, spared: frozenset[str], remove: Callable[[str], None], *, in_part: bool = False
    ) -> bool:
        """Free `count` bytes; whether that many went. Nothing goes where all that may go are not enough, or `in_part`.

        What cannot be removed, such as what another user is bringing, is passed over.
        """
        while count > 0:
            victims = self._victims(count, spared)
            if not victims or not (in_part or sum(size for _, size in victims) >= count):
                return False
            for name, size in victims:
                try:
                    # Files first: a process that dies in between leaves an entry without bytes, not bytes that nobody
                    # counts.
                    remove(name)
                except OSError:
                    spared |= {name}
                else:
                    self._db.execute("DELETE FROM objects WHERE name = ?", (name,))
                    count -= size
        return True

    def _victims(self, count: int, spared: frozenset[str]) -> list[tuple[str, int]]:
        """Who goes to free `count` bytes, the longest unused first: all that may go, where they are not enough."""
        victims: list[tuple[str, int]] = []
        for name, size in self._candidates():
            if count <= 0:
                break
            if name not in spared:
                victims.append((name, size))
                count -= size
        return victims

    def _candidates(self) -> Iterator[tuple[str, int]]:
        return iter(
            self._db.execute(
                f"SELECT name, bytes FROM objects WHERE {_SHA256} NOT IN (SELECT name FROM pins) ORDER BY used"  # noqa: S608
            )
        )


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One process at a time. The folder and not the file: to close a second descriptor would end SQLite's locks."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would end the transaction it runs in."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
