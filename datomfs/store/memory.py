"""A store that lives as long as its process, behaving like a bucket: for tests, and for trying things out.

What `upload` stores is attested, as on S3; what `put` stores is not. Every put makes a new etag, so that nothing can
come to rely on equal bytes having equal etags.
"""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

from datomfs.errors import ObjectChanged, ObjectExists, ObjectMissing
from datomfs.layout import check_key
from datomfs.model.jsonlite import check_length
from datomfs.store.base import ObjectInfo, check_prefix
from datomfs.store.source import Source


class MemoryStore:
    """Objects in a dictionary; `name` only stands in its URL."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._objects: dict[str, tuple[bytes, ObjectInfo]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """`memory:NAME`."""
        return f"memory:{self._name}"

    @property
    def document_suffix(self) -> bytes:
        """Nothing, as in a bucket."""
        return b""

    def check(self) -> None:
        """Memory can always be read."""

    def head(self, key: str) -> ObjectInfo:
        """Size, etag and attestation."""
        return self._find(key)[1]

    def get(self, key: str) -> bytes:
        """The whole object."""
        return self.get_with_info(key)[0]

    def get_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        """The whole object and its info, of one moment."""
        body, info = self._find(key)
        check_length(info.size, f"{key} in {self.url}")
        return body, info

    def get_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> bytes:
        """Part of the object."""
        body, info = self._find(key)
        if if_match not in (None, info.etag):
            raise ObjectChanged(self.url, key)
        return body[start : start + length]

    def open_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> io.BytesIO:
        """Part of the object, as a stream."""
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
        """Keep the bytes; content types are not kept."""
        return self._keep(key, body, if_absent=if_absent, if_match=if_match, sha256=None)

    def upload(self, key: str, source: Path, *, sha256: str) -> ObjectInfo:
        """Keep a file's bytes."""
        check_key(key)
        with Source(source) as content:
            body = b"".join(content.chunks(sha256))
        return self._keep(key, body, if_absent=True, if_match=None, sha256=sha256)

    def list(self, prefix: str = "", *, recursive: bool = True, after: str = "") -> Iterator[ObjectInfo]:
        """The objects there are when this is called."""
        check_prefix(prefix)
        with self._lock:
            keys = sorted(key for key in self._objects if key.startswith(prefix) and key > after)
            found = [self._objects[key][1] for key in keys if recursive or "/" not in key[len(prefix) :]]
        return (ObjectInfo(info.key, info.size, info.etag) for info in found)

    def delete(self, key: str) -> None:
        """Forget the object."""
        with self._lock:
            self._objects.pop(check_key(key), None)

    def local_path(self, key: str) -> Path | None:
        """Memory has no files."""
        check_key(key)
        return None

    def _find(self, key: str) -> tuple[bytes, ObjectInfo]:
        try:
            return self._objects[check_key(key)]
        except KeyError as error:
            raise ObjectMissing(self.url, key) from error

    def _keep(self, key: str, body: bytes, *, if_absent: bool, if_match: str | None, sha256: str | None) -> ObjectInfo:
        with self._lock:
            present = self._objects.get(check_key(key))
            if if_absent and present is not None:
                raise ObjectExists(self.url, key)
            if if_match is not None and (present is None or present[1].etag != if_match):
                raise ObjectChanged(self.url, key)
            info = ObjectInfo(key, len(body), f"{next(self._numbers)}", sha256)
            self._objects[key] = bytes(body), info
            return info
