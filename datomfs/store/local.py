"""A store in a folder: every object is a file under `ROOT/PREFIX/datom/`, as R's local backend lays it out.

The composition root makes one for each folder location. Objects appear whole or not at all: they are written under a
name that no listing shows, synced, then linked or renamed into place. Colleagues share such folders, also over NFS
and SMB, so modes follow the umask and conditions hold between processes. Errors of the operating system are
translated here and nowhere else.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from datomfs.errors import (
    DatomfsError,
    NoSpace,
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    StoreDenied,
    StoreMissing,
    StoreUnreachable,
)
from datomfs.layout import NAMESPACE, check_key
from datomfs.model.jsonlite import check_length
from datomfs.model.location import Location
from datomfs.store.base import ObjectInfo, check_prefix, is_key
from datomfs.store.source import Source

_HIDDEN_PREFIX = ".datomfs-"
_LOCK_NAME = f"{_HIDDEN_PREFIX}lock"
_ATTEMPTS = 3
"""How often a whole object is read when somebody rewrites it in place at the same time, as R does."""

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_UNREACHABLE = {
    errno.EIO,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.ENOTCONN,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
}


class LocalStore:
    """The folder of one location. The root must exist; `datom/` in it comes into being with the first object."""

    def __init__(self, location: Location) -> None:
        self._root = Path(location.root)
        self._namespace = self._root / location.namespace
        self._url = location.url

    @property
    def url(self) -> str:
        """The folder that holds `datom/`."""
        return self._url

    @property
    def document_suffix(self) -> bytes:
        """The newline that R's local backend ends a document with (format.md §2)."""
        return b"\n"

    def check(self) -> None:
        """Raise StoreMissing, StoreDenied or StoreUnreachable unless root and namespace can be listed."""
        with self._door(f"{NAMESPACE}/"):
            os.scandir(self._root).close()
            with suppress(FileNotFoundError):
                os.scandir(self._namespace).close()

    def head(self, key: str) -> ObjectInfo:
        """Size and etag of a file; a folder attests nothing."""
        path = self.local_path(key)
        with self._door(key):
            return self._info(key, path.stat())

    def get(self, key: str) -> bytes:
        """The whole file."""
        return self.get_with_info(key)[0]

    def get_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        """The whole file and its etag. Raises ObjectChanged if it is rewritten each time we read it."""
        for _ in range(_ATTEMPTS):
            with self._reading(key) as (descriptor, info):
                check_length(info.size, f"{key} in {self._url}")
                body = _read(descriptor, 0, info.size)
                if self._info(key, os.fstat(descriptor)) == info:
                    return body, info
        raise ObjectChanged(self._url, key)

    def get_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> bytes:
        """Part of the file; with `if_match` its etag is looked at before and after the read."""
        with self._reading(key) as (descriptor, info):
            if if_match not in (None, info.etag):
                raise ObjectChanged(self._url, key)
            # The kernel would take `length` as the size of a buffer, however small the file.
            body = _read(descriptor, start, min(length, info.size - start))
            if if_match not in (None, self._info(key, os.fstat(descriptor)).etag):
                raise ObjectChanged(self._url, key)
        return body

    def open_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> io.BytesIO:
        """Part of the file, read at once: who wants to stream from a folder has `local_path`."""
        return io.BytesIO(self.get_range(key, start, length, if_match=if_match))

    def put(
        self,
        key: str,
        body: bytes,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        content_type: str | None = None,
    ) -> ObjectInfo:
        """Write a file; folders keep no content types."""
        publish: Callable[[Path, Path], object] = Path.replace
        if if_absent:
            publish = partial(self._publish_new, key)
        elif if_match is not None:
            publish = partial(self._publish_over, key, if_match)
        return self._write(key, [body], publish)

    def upload(self, key: str, source: Path, *, sha256: str) -> ObjectInfo:
        """Copy a file, hashed on the way."""
        path = self.local_path(key)
        with Source(source) as content:
            with self._door(key):
                if os.path.lexists(path):
                    raise ObjectExists(self._url, key)
            return self._write(key, content.chunks(sha256), partial(self._publish_new, key))

    def list(self, prefix: str = "", *, recursive: bool = True, after: str = "") -> Iterator[ObjectInfo]:
        """The files below a folder whose keys start with `prefix`."""
        folder, slash, start = check_prefix(prefix).rpartition("/")
        return (info for info in self._walk(folder + slash, start, recursive) if info.key > after)

    def delete(self, key: str) -> None:
        """Remove a file; its folder stays."""
        path = self.local_path(key)
        with suppress(ObjectMissing), self._door(key):
            self._info(key, path.stat())
            path.unlink()
            _sync_folder(path.parent)

    def local_path(self, key: str) -> Path:
        """Where the object's file is, or would be."""
        return self._namespace / check_key(key)

    # -- reading ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self, key: str) -> Iterator[tuple[int, ObjectInfo]]:
        path = self.local_path(key)
        with self._door(key):
            # Without O_NONBLOCK a named pipe that stands in the folder would be waited for.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                yield descriptor, self._info(key, os.fstat(descriptor))
            finally:
                os.close(descriptor)

    def _info(self, key: str, status: os.stat_result) -> ObjectInfo:
        if not stat.S_ISREG(status.st_mode):
            raise ObjectMissing(self._url, key)
        etag = f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ctime_ns:x}"
        return ObjectInfo(key, status.st_size, etag)

    def _walk(self, folder: str, start: str, recursive: bool) -> Iterator[ObjectInfo]:
        try:
            with self._door(folder or f"{NAMESPACE}/"), os.scandir(self._namespace / folder) as scan:
                # A folder sorts with its slash: `a-b` comes before what is in `a/`.
                entries = sorted((f"{entry.name}/" if entry.is_dir() else entry.name, entry) for entry in scan)
        except ObjectMissing:
            return
        for name, entry in entries:
            key = folder + name
            if name.startswith(_HIDDEN_PREFIX) or not name.startswith(start) or not is_key(key.removesuffix("/")):
                continue
            if not name.endswith("/"):
                try:
                    with self._door(key):
                        info = self._info(key, entry.stat())
                except ObjectMissing:
                    continue
                yield info
            elif recursive:
                yield from self._walk(key, "", recursive)

    # -- writing ---------------------------------------------------------------------------------------------------

    def _write(self, key: str, chunks: Iterable[bytes], publish: Callable[[Path, Path], object]) -> ObjectInfo:
        path = self.local_path(key)
        with self._door(key):
            self._make_folder(path.parent)
            temporary = path.parent / f"{_HIDDEN_PREFIX}{secrets.token_hex(8)}"
            # Not tempfile: its files are 0600, whatever the umask, and colleagues could not read them.
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                with open(descriptor, "wb") as file:
                    file.writelines(chunks)
                    file.flush()
                    os.fsync(descriptor)
                    publish(temporary, path)
                    # A second name of the same file would count into its ctime, and so into its etag.
                    temporary.unlink(missing_ok=True)
                    _sync_folder(path.parent)
                    return self._info(key, os.fstat(descriptor))
            finally:
                temporary.unlink(missing_ok=True)

    def _publish_new(self, key: str, temporary: Path, path: Path) -> None:
        try:
            os.link(temporary, path)
        except FileExistsError as error:
            raise ObjectExists(self._url, key) from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with _locked(path.parent):
                if os.path.lexists(path):
                    raise ObjectExists(self._url, key) from error
                temporary.replace(path)

    def _publish_over(self, key: str, etag: str, temporary: Path, path: Path) -> None:
        with _locked(path.parent):
            try:
                current = self._info(key, path.stat()).etag
            except (FileNotFoundError, ObjectMissing) as error:
                raise ObjectChanged(self._url, key) from error
            if current != etag:
                raise ObjectChanged(self._url, key)
            temporary.replace(path)

    def _make_folder(self, folder: Path) -> None:
        """Make what is missing below the root, never the root: an unmounted share must not be written beside."""
        if folder == self._root or folder.is_dir():
            return
        self._make_folder(folder.parent)
        try:
            folder.mkdir()
        except FileExistsError:
            if not folder.is_dir():
                raise
        _sync_folder(folder.parent)

    # -- errors ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _door(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._translated(error, key) from error

    def _translated(self, error: OSError, key: str) -> DatomfsError:
        reason = os.strerror(error.errno or 0)
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return ObjectMissing(self._url, key) if os.path.isdir(self._root) else StoreMissing(self._url, key)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return NoSpace(str(self._root))
        if error.errno in _UNREACHABLE:
            return StoreUnreachable(self._url, key, reason)
        return StoreDenied(self._url, key, reason)


def _read(descriptor: int, start: int, length: int) -> bytes:
    pieces = []
    while length > 0 and (piece := os.pread(descriptor, length, start)):
        pieces.append(piece)
        start += len(piece)
        length -= len(piece)
    return b"".join(pieces)


def _sync_folder(folder: Path) -> None:
    """Make names in a folder durable. SMB and some FUSE file systems cannot, and say so with EINVAL."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Be alone among the conditional writers of a folder, those of other machines on NFS included.

    The lock is a file that lives as long as it is held: a lock on the folder itself would on NFS bind this machine
    only. Who waited for a lock file that its holder has removed meanwhile holds nothing, and begins again.
    """
    path = folder / _LOCK_NAME
    while (descriptor := _try_lock(path)) is None:
        continue
    try:
        yield
    finally:
        with suppress(PermissionError):  # in a folder with the sticky bit, a lock file of somebody else stays
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock, waited for; None if the file was no longer the one at `path` by then."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        with suppress(PermissionError):
            os.fchmod(descriptor, 0o666)  # whoever may write into the folder must be able to lock it
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
