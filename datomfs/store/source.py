"""A local file on its way into a store: as long as it was when opened, hashed as it is read.

The stores that take uploads read their sources through this, so that each of them refuses a file that is not the one
its caller hashed. Knows neither keys nor stores.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from datomfs.errors import FileMissing, SourceChanged, UnreadableFile

_CHUNK = 1 << 20


class Source:
    """A file open for reading, to be used as a context manager. Raises FileMissing and UnreadableFile when made.

    `read`, `seek` and `tell` are those of a binary file, as botocore wants them of a body. `size` is in bytes and
    fixed: bytes that are appended meanwhile are not read, and bytes that vanish raise SourceChanged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("rb")
        except FileNotFoundError as error:
            raise FileMissing(str(path)) from error
        except OSError as error:
            raise UnreadableFile(str(path), str(error.strerror)) from error
        self.size = os.fstat(self._file.fileno()).st_size
        self._position = 0
        self._digest = hashlib.sha256()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, or all that remain. Raises SourceChanged where the file has become shorter."""
        remaining = self.size - self._position
        wanted = remaining if size < 0 else min(size, remaining)
        try:
            data = self._file.read(wanted)
        except OSError as error:
            raise UnreadableFile(str(self._path), str(error.strerror)) from error
        if len(data) < wanted:
            raise SourceChanged(str(self._path))
        self._position += len(data)
        self._digest.update(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The new position. Going back to the start begins the hash anew: a body is sent again when a request is."""
        self._position = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence] + offset
        self._file.seek(self._position)
        if self._position == 0:
            self._digest = hashlib.sha256()
        return self._position

    def tell(self) -> int:
        """The position in bytes."""
        return self._position

    def check(self, sha256: str) -> None:
        """Raise SourceChanged unless what was read since the start has this SHA-256 (hex)."""
        if self._digest.hexdigest() != sha256:
            raise SourceChanged(str(self._path))

    def chunks(self, sha256: str) -> Iterator[bytes]:
        """The whole file in pieces of 1 MiB; raises SourceChanged after the last one if they have another SHA-256."""
        while chunk := self.read(_CHUNK):
            yield chunk
        self.check(sha256)
