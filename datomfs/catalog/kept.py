"""What was last read of documents, kept on this machine for the time when nobody answers.

Below one folder each project has a shelf, and each document on it a file: its digest, whose it is, its bytes. A file
appears whole or not at all, so several processes may keep the same things, and whoever is last wins. Its age is the
file's: what is read again and has not changed is only dated anew. Private to the user, whose files alone are believed.

Nothing here says when to believe what was kept. Keeping never fails: what cannot be kept is not.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread

log = logging.getLogger(__name__)

_LARGEST = 64 << 20
"""Larger documents are not kept: ten million entries of a history are nobody's offline work."""
_OVERHEAD = 4096
"""What a file costs beside its bytes."""
_CHECKED_EVERY = 128 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A document as it was kept, and when it was last known to be so: nanoseconds since 1970."""

    body: bytes
    checked_ns: int


class Kept:
    """All shelves, in `folder`. Holds about `limit` bytes: what was not read for longest goes first."""

    def __init__(self, folder: Path, *, limit: int = 1 << 30) -> None:
        self._folder = folder
        self._limit = limit
        self._lock = Lock()
        self._unchecked = _CHECKED_EVERY  # what other processes left is checked with our first document
        self._has_failed = False

    def shelf(self, *identity: str) -> Shelf:
        """The shelf of a project, by all that makes it another project's than one of the same name."""
        return Shelf(self, self._folder / _digest("\0".join(identity).encode())[:32])

    def write(self, path: Path, content: bytes) -> None:
        """A file of a shelf."""
        try:
            for folder in (self._folder, path.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = path.with_name(f".{secrets.token_hex(8)}")
            try:
                with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(content)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            self._count(len(content) + _OVERHEAD)
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                log.warning("documents cannot be kept in %s for times without network: %s", self._folder, error)

    def _count(self, size: int) -> None:
        with self._lock:
            self._unchecked += size
            is_due = self._unchecked >= min(_CHECKED_EVERY, self._limit)
            if is_due:
                self._unchecked = 0
        if is_due:  # whoever reads a document does not wait for a look at all of them
            Thread(target=self._trim, name="datomfs-kept", daemon=True).start()

    def _trim(self) -> None:
        files = []
        with suppress(OSError):  # somebody takes all of it away
            for path in self._folder.glob("*/*"):
                with suppress(OSError):  # another process may trim, too
                    status = path.stat()
                    files.append((status.st_mtime_ns, status.st_size + _OVERHEAD, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._limit:
                break
            with suppress(OSError):
                path.unlink()
            total -= size


class Shelf:
    """What is kept of one project, by name. Safe to use from several threads and processes."""

    def __init__(self, kept: Kept, folder: Path) -> None:
        self._kept = kept
        self._folder = folder
        self._known: dict[str, str] = {}

    def put(self, name: str, body: bytes) -> None:
        """This is how something is, now."""
        path, digest = self._path(name), _digest(body)
        if len(body) > _LARGEST:
            with suppress(OSError):
                path.unlink()
            return
        if self._known.get(name) == digest:
            with suppress(OSError):
                os.utime(path)
                return
        self._kept.write(path, b"\n".join((digest.encode(), self._label(name), body)))
        self._known[name] = digest

    def find(self, name: str) -> Found | None:
        """How something was, or None: nothing was kept, or what was is no longer whole, or somebody else's."""
        try:
            with self._path(name).open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_uid != os.getuid() or not stat.S_ISREG(status.st_mode):
                    return None
                content = file.read(_LARGEST + _OVERHEAD)
        except OSError:
            return None
        digest, _, rest = content.partition(b"\n")
        label, _, body = rest.partition(b"\n")
        if digest != _digest(body).encode() or label != self._label(name):
            return None
        return Found(body, status.st_mtime_ns)

    def _label(self, name: str) -> bytes:
        """Of what the file is: one that was moved from another shelf is nothing here."""
        return f"{self._folder.name} {name}".encode(errors="surrogatepass")

    def _path(self, name: str) -> Path:
        return self._folder / _digest(name.encode(errors="surrogatepass"))[:32]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
