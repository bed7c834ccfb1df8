"""Payloads that programs have open: one file for all handles of a version, and the threads that wait for its bytes."""

from __future__ import annotations

import itertools
from collections.abc import Hashable
from dataclasses import dataclass

from datomfs.cache.blocks import Bytes
from datomfs.cache.proof import Recorded
from datomfs.cache.reader import Payload, PayloadReader
from datomfs.mount.single_flight import Progress
from datomfs.mount.work import Work
from datomfs.store.base import ObjectInfo, ReadableStore
from datomfs.vfs.source import Handle


@dataclass(slots=True)
class _Shared:
    """An open payload, and how many use it: handles, reads, and at first who opened it. The last to leave closes it."""

    payload: Payload
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
