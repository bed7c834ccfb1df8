"""Bringing a whole object from a store into a file, in parallel ranges, proven before the file has its name.

Callers are the cache and `datomfs get`. The file appears under its name complete and proven, or not at all.
"""

from __future__ import annotations

import errno
import os
import tempfile
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from datomfs.cache.proof import OnProgress, Recorded, hash_file
from datomfs.errors import NoSpace, StoreUnreachable
from datomfs.store.base import ObjectInfo, Store

_CONNECTIONS = 8
_PART = 8 << 20
_FILE_MODE = 0o666


def fetch_proven(
    store: Store, info: ObjectInfo, recorded: Recorded, target: Path, on_progress: OnProgress = lambda: None
) -> bool:
    """Fetch the object `info` into `target` and prove it; False when nothing was recorded that could prove it.

    Raises PayloadMismatch, ObjectMissing, ObjectChanged when it changed on the way, NoSpace, and the store's errors.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=".datomfs-", dir=target.parent)
    except OSError as error:
        raise _disk_error(error, target) from error
    part = Path(name)
    try:
        with os.fdopen(handle, "w+b") as file:
            _fetch_ranges(store, info, file, on_progress)
            file.flush()
            actual = hash_file(file.fileno(), on_progress)
            proven = recorded.check(actual, f"{info.key} in {store.url}")
            os.fsync(file.fileno())
        part.chmod(_FILE_MODE & ~_umask())
        part.replace(target)
        return proven
    except OSError as error:
        raise _disk_error(error, target) from error
    finally:
        part.unlink(missing_ok=True)


def _fetch_ranges(store: Store, info: ObjectInfo, file: BinaryIO, on_progress: OnProgress) -> None:
    writing = Lock()

    def fetch(start: int) -> None:
        length = min(_PART, info.size - start)
        data = store.get_range(info.key, start, length, if_match=info.etag)
        if len(data) != length:
            raise StoreUnreachable(store.url, info.key, f"{len(data)} bytes came where {length} were asked for")
        with writing:
            file.seek(start)
            file.write(data)
        on_progress()

    starts = range(0, info.size, _PART)
    with ThreadPoolExecutor(min(_CONNECTIONS, max(1, len(starts))), "datomfs-fetch") as pool:
        futures = [pool.submit(fetch, start) for start in starts]
        done, pending = wait(futures, return_when=FIRST_EXCEPTION)
        for future in pending:
            future.cancel()
        for future in done:
            future.result()


def _disk_error(error: OSError, target: Path) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(str(target.parent))
    return error


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current
