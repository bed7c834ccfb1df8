"""One object of the cache on disk: a sparse file, and beside it the map of what is in it.

The map is a log: a head, then one record of 32 bytes for each piece that was written, with the XXH3 digest of the
piece. A record is appended, in one write, after its bytes: so whatever moment the process dies, the map names nothing
that was not written, and what a power cut leaves of the bytes does not have its digest. Several processes may fill one
object: they write the same bytes, and each reads the records of the others. The digests tell damage, no forgery: who
can write to the file can write to its map. What proves an object is its SHA-256 (docs/decisions/0010).

Bytes are given only while they are known to be what was written. A piece is hashed when it is first read from the
disk, and again each time the disk has to be asked; in between, the page cache is trusted as long as nobody else has
touched the file (`proof.identify`). A piece without its digest is dropped: it is a miss, never an answer.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import struct
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from xxhash import xxh3_128_digest

from datomfs.cache.extents import Extents, Range
from datomfs.cache.proof import identify

log = logging.getLogger(__name__)

PIECE = 1 << 20
"""The longest piece: reading 4 KiB from a cold disk costs reading one."""

_DISK_AHEAD = 8 << 20
"""How far the disk is to read ahead of who reads in sequence."""

MAP_SUFFIX = ".map"
_MAGIC = b"datomfs map 2\n\0\0"
_HEAD = struct.Struct("<16sQ4xI")
_RECORD = struct.Struct("<QI16sI")


class _Piece(NamedTuple):
    start: int
    end: int
    digest: bytes


class BlockFile:
    """An object's bytes on disk, as far as they are there. Safe to use from several threads, beside other processes.

    `path` is the sparse file; it and its map are made where they are missing, with `mode`. Without `create` they are
    taken as they are or not at all. Raises OSError.
    """

    def __init__(self, path: Path, size: int, *, mode: int = 0o600, create: bool = True) -> None:
        self.path = path
        self.size = size
        self._lock = Lock()
        self._writers = 0
        # A folder that a group shares may hold links that lead elsewhere.
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
        self._fd = os.open(path, flags, mode)
        try:
            self._map_fd = os.open(map_path(path), flags | os.O_APPEND, mode)
        except BaseException:
            os.close(self._fd)
            raise
        try:
            # What the kernel would read ahead would be in its cache without ever having been hashed.
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_RANDOM)
            self._pieces: list[_Piece] = []
            self._stored = Extents()
            self._trusted = Extents()
            self._map_read = 0
            self._begin(create=create)
            self._identity = identify(self._fd)
            self.refresh()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the files back."""
        os.close(self._fd)
        os.close(self._map_fd)

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """Whether nobody else has the file open, and might have bytes of it under way; nobody opens it meanwhile."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_alone = True
        except BlockingIOError:
            is_alone = False
        try:
            yield is_alone
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_SH)  # until it is closed

    @property
    def is_ours(self) -> bool:
        """Whether this user wrote it: digests that somebody else wrote prove nothing."""
        return all(os.fstat(fd).st_uid == os.geteuid() for fd in (self._fd, self._map_fd))

    @property
    def is_gone(self) -> bool:
        """Whether the file was removed, by an eviction or by hand: what is written to it now helps nobody."""
        return os.fstat(self._fd).st_nlink == 0

    @property
    def stored_bytes(self) -> int:
        """How many bytes of the object are there."""
        with self._lock:
            return self._stored.total

    @property
    def is_complete(self) -> bool:
        """Whether all of it is there."""
        return self.covers(0, self.size)

    def covers(self, start: int, end: int) -> bool:
        """Whether a range is there; whether it still has its digests is seen when it is read."""
        with self._lock:
            return self._stored.covers(start, end)

    def missing(self, start: int, end: int) -> list[Range]:
        """The parts of a range that are not there."""
        with self._lock:
            return self._stored.missing(start, end)

    def refresh(self) -> None:
        """Take in what other processes have written since."""
        with self._lock:
            length = os.fstat(self._map_fd).st_size
            if length <= self._map_read:
                return
            pieces, parsed = _parse_records(os.pread(self._map_fd, length - self._map_read, self._map_read), self.size)
            self._map_read += parsed
            for piece in pieces:
                self._insert(piece)

    def write(self, start: int, data: memoryview) -> None:
        """Put a piece into the file and its digest into the map. Raises OSError; nothing is recorded then."""
        digest = xxh3_128_digest(data)
        with self._lock:
            if not self._writers:
                self._check_untouched()
            self._writers += 1
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self._fd, data[written:], start + written)
            record = _RECORD.pack(start, len(data), digest, 0)[:-4]
            os.write(self._map_fd, record + zlib.crc32(record).to_bytes(4, "little"))
        finally:
            with self._lock:
                self._writers -= 1
                if not self._writers:
                    self._identity = identify(self._fd)
        with self._lock:
            self._insert(_Piece(start, start + len(data), digest))
            self._trusted.add(start, start + len(data))

    def read_nowait(self, start: int, end: int) -> bytearray | None:
        """A range, where it is in the page cache and known to be good, else None. Never waits for a disk.

        File systems that cannot tell what is in memory (tmpfs, some network ones) refuse: there it is always None.
        """
        with self._lock:
            is_trusted = self._trusted.covers(start, end)
        if not is_trusted and not all(map(self._trust_in_memory, self._overlapping(start, end))):
            return None
        with self._lock:
            if not self._trusted.covers(start, end):
                return None
        buffer = bytearray(end - start)
        try:
            count = os.preadv(self._fd, [buffer], start, os.RWF_NOWAIT)
        except OSError:
            return None
        # Looked at after the read: what was changed before or during it shows in the file's times.
        with self._lock:
            if not self._check_untouched():
                return None
        return buffer if count == len(buffer) else None

    def read(self, start: int, end: int) -> bytes | None:
        """A range, hashed before it is given; None where something of it is not there, or not any more."""
        data = bytearray(end - start)
        covered = start
        for piece in self._overlapping(start, end):
            if piece.end <= covered:
                continue
            if piece.start > covered:
                return None
            body = self._checked(piece)
            if body is None:
                return None
            upto = min(piece.end, end)
            data[covered - start : upto - start] = body[covered - piece.start : upto - piece.start]
            covered = upto
            if covered >= end:
                return bytes(data)
        return bytes(data) if covered >= end else None

    def check(self, on_progress: Callable[[], None]) -> bool:
        """Read all that is there; whether it had its digests. What had not is dropped."""
        good = True
        for piece in self._overlapping(0, self.size):
            good = self._checked(piece) is not None and good
            on_progress()
        return good

    def rename(self, path: Path, *, mode: int) -> None:
        """Give file and map another place; the bytes first, so that a map never lies without them. Raises OSError."""
        for fd in (self._fd, self._map_fd):
            os.fchmod(fd, mode)
        for old, new, fd in ((self.path, path, self._fd), (map_path(self.path), map_path(path), self._map_fd)):
            try:
                old.replace(new)
            except FileNotFoundError:
                # Another process, which filled the same file, may have moved it a moment ago.
                if not os.path.samestat(new.stat(), os.fstat(fd)):
                    raise
        self.path = path
        with self._lock:
            self._identity = identify(self._fd)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _begin(self, *, create: bool) -> None:
        """Give the file its size and read the head of its map, or write it.

        A map of something else, or of a file that has gone, is begun anew, and its bytes forgotten.
        """
        head = _HEAD.pack(_MAGIC, self.size, zlib.crc32(_MAGIC + self.size.to_bytes(8, "little")))
        fcntl.flock(self._map_fd, fcntl.LOCK_EX)  # two processes may begin it at the same moment
        try:
            is_known = os.fstat(self._fd).st_size == self.size
            is_begun = is_known and os.pread(self._map_fd, _HEAD.size, 0) == head
            if not is_begun and not create:
                raise OSError(errno.ESTALE, "its map is of something else")
            if not is_known:
                os.ftruncate(self._fd, self.size)
            if not is_begun:
                os.ftruncate(self._map_fd, 0)
                os.write(self._map_fd, head)
        finally:
            fcntl.flock(self._map_fd, fcntl.LOCK_UN)
        self._map_read = _HEAD.size

    def _insert(self, piece: _Piece) -> None:
        place = bisect_left(self._pieces, piece)
        if self._pieces[place : place + 1] != [piece]:
            self._pieces.insert(place, piece)
        self._stored.add(piece.start, piece.end)

    def _overlapping(self, start: int, end: int) -> Iterator[_Piece]:
        """The pieces that a range touches, by their start; none is longer than PIECE."""
        with self._lock:
            first = bisect_left(self._pieces, _Piece(start - PIECE, 0, b""))
            last = bisect_left(self._pieces, _Piece(end, 0, b""))
            return iter([piece for piece in self._pieces[first:last] if piece.end > start])

    def _trust_in_memory(self, piece: _Piece) -> bool:
        """Hash a piece that is wholly in the page cache: cheaper, for 1 MiB, than to have a thread do it (0.15 ms)."""
        with self._lock:
            if self._trusted.covers(piece.start, piece.end):
                return True
        buffer = bytearray(piece.end - piece.start)
        try:
            count = os.preadv(self._fd, [buffer], piece.start, os.RWF_NOWAIT)
            self._read_on(piece)
        except OSError:
            return False
        if count < len(buffer) or xxh3_128_digest(buffer) != piece.digest:
            return False
        with self._lock:
            self._trusted.add(piece.start, piece.end)
        return True

    def _read_on(self, piece: _Piece) -> None:
        """Have the disk read ahead of who reads in sequence: what comes before a piece has just been read then."""
        with self._lock:
            is_sequence = not piece.start or self._trusted.covers(piece.start - 1, piece.start)
        if is_sequence:
            os.posix_fadvise(self._fd, piece.end, _DISK_AHEAD, os.POSIX_FADV_WILLNEED)

    def _checked(self, piece: _Piece) -> bytes | None:
        """The bytes of a piece if they have its digest; else the piece is dropped."""
        try:
            body = os.pread(self._fd, piece.end - piece.start, piece.start)
            self._read_on(piece)
        except OSError as error:
            log.warning("%s cannot be read: %s", self.path, error.strerror)
            body = b""
        good = xxh3_128_digest(body) == piece.digest
        with self._lock:
            if good:
                self._trusted.add(piece.start, piece.end)
            elif piece in self._pieces:
                self._drop(piece)
        return body if good else None

    def _drop(self, piece: _Piece) -> None:
        log.warning("bytes %d to %d of %s have rotted; they are fetched again", piece.start, piece.end, self.path)
        self._pieces.remove(piece)
        self._strike_out(piece)
        for extents in (self._stored, self._trusted):
            extents.remove(piece.start, piece.end)
        # Another process may have written some of these bytes too, in pieces of its own.
        for other in self._pieces:
            if other.start < piece.end and other.end > piece.start:
                self._stored.add(other.start, other.end)

    def _strike_out(self, piece: _Piece) -> None:
        """Make the piece's records in the map unreadable, so that whoever opens it next does not believe them."""
        wanted = _RECORD.pack(piece.start, piece.end - piece.start, piece.digest, 0)[:-4]
        # Not through our own descriptor: what is written by that is always appended.
        with suppress(OSError), open(f"/proc/self/fd/{self._map_fd}", "r+b", buffering=0) as map_file:
            records = map_file.read()
            at = records.find(wanted, _HEAD.size)
            while at >= 0:
                os.pwrite(map_file.fileno(), bytes(_RECORD.size), at)
                at = records.find(wanted, at + _RECORD.size)

    def _check_untouched(self) -> bool:
        """Whether only this process has changed the file; trust ends where somebody else has, until bytes are hashed.

        Not while this process writes, which moves the file's times all the while: what somebody changes meanwhile is
        found when the complete object is hashed.
        """
        if self._writers or identify(self._fd) == self._identity:
            return True
        self._identity = identify(self._fd)
        self._trusted.clear()
        return False


def map_path(path: Path) -> Path:
    """Where the map of an object lies: beside it."""
    return path.with_name(path.name + MAP_SUFFIX)


def _parse_records(data: bytes, size: int) -> tuple[list[_Piece], int]:
    """The whole records in a part of a map, and how much of it has been looked at.

    What a killed process or a bad disk left of others is passed over. The next record begins right behind it, wherever
    that is: records are appended.
    """
    pieces, at = [], 0
    while at + _RECORD.size <= len(data):
        record = data[at : at + _RECORD.size]
        start, length, digest, check = _RECORD.unpack(record)
        if zlib.crc32(record[:-4]) == check and 0 < length <= PIECE and start + length <= size:
            pieces.append(_Piece(start, start + length, digest))
            at += _RECORD.size
        else:
            at += 1
    return pieces, at
