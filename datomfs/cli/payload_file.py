"""A payload as the file that libraries read: by range, and only what is asked for."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datomfs.cache.reader import Payload


class PayloadFile(io.RawIOBase):
    """An open payload, read from its beginning. Closing it closes the payload; reading raises what the payload does."""

    def __init__(self, payload: Payload) -> None:
        super().__init__()
        self._payload = payload
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._payload.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self._payload.read(self._position, len(view), lambda: None)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._payload.close()
        super().close()
