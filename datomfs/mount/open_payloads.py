"""Files that programs have open: one for all handles of a version, and the threads that wait for its bytes."""

from __future__ import annotations

import itertools
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

from datomfs.cache.blocks import Bytes
from datomfs.cache.proof import OnProgress, Recorded
from datomfs.cache.reader import PayloadReader
from datomfs.mount.single_flight import Progress
from datomfs.mount.work import Work
from datomfs.store.base import ObjectInfo, ReadableStore
from datomfs.vfs.source import Handle


class Readable(Protocol):
    """What is open: a payload of `cache.reader`, or a document in memory."""

    @property
    def size(self) -> int: ...

    def read_nowait(self, offset: int, length: int) -> Bytes | None: ...

    def read(self, offset: int, length: int, on_progress: OnProgress) -> Bytes: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Bytes in memory, as they were when a file was opened."""

    body: bytes

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.body)

    def read_nowait(self, offset: int, length: int) -> bytes:
        """Up to `length` of them from `offset`, fewer only at the end."""
        return self.body[offset : offset + length]

    def read(self, offset: int, length: int, on_progress: OnProgress) -> bytes:
        """The same."""
        return self.read_nowait(offset, length)

    def close(self) -> None:
        """They go with their last user."""


@dataclass(slots=True)
class _Shared:
    """What is open, and how many use it: handles, reads, and at first who opened it. The last to leave closes it."""

    payload: Readable
    what: str
    users: int = 1

    def take(self) -> None:
        """One more uses it."""
        self.users += 1

    def leave(self) -> None:
        """One uses it no more; nobody can take it again after the last."""
        self.users -= 1
        if not self.users:
            self.payload.close()


class OpenPayloads:
    """The handles of one mount. All methods run in the trio thread."""

    def __init__(self, reader: PayloadReader, work: Work) -> None:
        self._reader = reader
        self._work = work
        self._handles: dict[Handle, _Shared] = {}
        self._numbers = itertools.count(1)

    async def open(
        self, key: Hashable, store: ReadableStore, info: ObjectInfo, recorded: Recorded, what: str
    ) -> Handle:
        """A proven payload. One proof runs at a time for each key, and those who wait for it share the open file."""

        async def prove(progress: Progress) -> _Shared:
            payload = await self._work.in_thread(self._reader.open, store, info, recorded, progress.report)
            return _Shared(payload, what)

        shared = await self._work.once(("open", key), prove, what, claim=_Shared.take, settle=_Shared.leave)
        return self._add(shared)

    def open_snapshot(self, body: bytes, what: str) -> Handle:
        """Bytes to be read as a file, whatever becomes of the document they came from."""
        return self._add(_Shared(Snapshot(body), what))

    def _add(self, shared: _Shared) -> Handle:
        handle = Handle(next(self._numbers))
        self._handles[handle] = shared
        return handle

    @property
    def count(self) -> int:
        """How many handles are open."""
        return len(self._handles)

    def size(self, handle: Handle) -> int:
        """The bytes of an open payload."""
        return self._handles[handle].payload.size

    async def read(self, handle: Handle, offset: int, length: int) -> Bytes:
        """Bytes of an open payload: at once where the page cache has them, else in a thread."""
        shared = self._handles[handle]
        data = shared.payload.read_nowait(offset, length)
        if data is not None:
            return data

        async def read(progress: Progress) -> Bytes:
            shared.take()
            try:
                return await self._work.in_reading_thread(shared.payload.read, offset, length, progress.report)
            finally:
                shared.leave()

        return await self._work.once(("read", handle, offset, length), read, shared.what)

    def close(self, handle: Handle) -> None:
        """Give an open payload back."""
        self._handles.pop(handle).leave()

    def close_all(self) -> None:
        """Give everything back, at the end of the mount."""
        for handle in list(self._handles):
            self.close(handle)
