"""The protocol every store obeys, and the values it speaks in.

A store is one namespace: `key` is always relative to `{prefix}/datom/` (format.md §1), and every implementation adds
that root itself. Keys are checked by `layout.check_key` before they reach a disk or a wire. Methods block; they may be
called from several threads at once. Third-party errors are translated inside the store, so callers see only
`datomfs.errors`. tests/store/contract.py holds each implementation to what stands here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from datomfs.errors import InvalidKey
from datomfs.layout import check_key


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store says of an object without giving its bytes.

    `size` is in bytes, `etag` an opaque text that changes whenever the bytes do, `sha256` the hex digest that the
    store itself attests for the whole object, or None where it attests nothing (listings never do).
    """

    key: str
    size: int
    etag: str
    sha256: str | None = None


class RangeBody(Protocol):
    """The bytes of a range as they arrive; to be closed, also when not all were read."""

    def readinto(self, buffer: memoryview) -> int:
        """Put the next bytes into `buffer`, at least one, and tell how many; 0 at the end of the range.

        Raises StoreUnreachable when they stop coming.
        """
        ...

    def close(self) -> None:
        """No more of it is wanted."""
        ...


class ReadableStore(Protocol):
    """Objects of one namespace, to be read. Every method raises StoreMissing, StoreDenied and StoreUnreachable.

    This is all that those who read are given: nothing under a mount could change a store (design.md §1.4). `url`
    names the store for people.
    """

    @property
    def url(self) -> str: ...

    def check(self) -> None:
        """Raise StoreMissing, StoreDenied or StoreUnreachable unless the store can be read."""
        ...

    def head(self, key: str) -> ObjectInfo:
        """Size, etag and attestation of one object. Raises ObjectMissing."""
        ...

    def get(self, key: str) -> bytes:
        """The whole object, a document. Raises ObjectMissing, and DocumentTooLarge without fetching it."""
        ...

    def get_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        """The same, and what the store says of exactly these bytes."""
        ...

    def get_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> bytes:
        """`length` bytes from `start`; fewer only where the object ends. Raises ObjectMissing, ObjectChanged.

        With `if_match` the bytes come from the object with that etag or not at all. Neither number is negative.
        """
        ...

    def open_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> RangeBody:
        """The same bytes as `get_range` gives, as a stream. `length` is at least 1; asked for once, never repeated.

        Raises ObjectMissing, ObjectChanged.
        """
        ...

    def list(self, prefix: str = "", *, recursive: bool = True, after: str = "") -> Iterator[ObjectInfo]:
        """Objects whose keys start with `prefix`, ordered by key; without `recursive` none below the next slash.

        `after` is a text, no key: only what sorts behind it is listed, which may cost a store fewer requests.
        What no key could name (folder markers of a console, temporary files) is not among them.
        """
        ...

    def local_path(self, key: str) -> Path | None:
        """The file that holds the object, where objects are files of this machine; else None."""
        ...


class Store(ReadableStore, Protocol):
    """A store that is written to, too.

    `document_suffix` is what ends a JSON document here: folders have a final newline, S3 objects none (format.md §2).
    """

    @property
    def document_suffix(self) -> bytes: ...

    def put(
        self,
        key: str,
        body: bytes,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        content_type: str | None = None,
    ) -> ObjectInfo:
        """Store `body` under `key`, whole or not at all. Raises ObjectExists and ObjectChanged.

        `if_absent` puts only where there is no object, `if_match` only over the object with that etag (ObjectChanged
        also when it is gone). Of several writers under the same condition exactly one gets through; one that puts
        without a condition is bound by nobody's. After ObjectExists or ObjectChanged from a store across a network,
        look: an answer may have been lost, and the object may be one's own.
        """
        ...

    def upload(self, key: str, source: Path, *, sha256: str) -> ObjectInfo:
        """Store a file's bytes under a key that must be free, attested where the store can. Raises ObjectExists.

        `sha256` is the hex digest of the file: where the bytes read from it have another, nothing is stored
        (SourceChanged). Raises FileMissing and UnreadableFile for the source.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...


def check_prefix(prefix: str) -> str:
    """`prefix` itself, if listing it stays inside the namespace; it may be empty. Raises InvalidKey."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def is_key(text: str) -> bool:
    """Whether `text`, found in a store, is a key that may be asked for."""
    try:
        check_key(text)
    except InvalidKey:
        return False
    return True
