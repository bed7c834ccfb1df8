"""What people ask of the cache and do to it: what it holds, how much more would fit, what is to leave it.

For `datomfs cache`, beside any number of daemons on the same folder. All of it comes from the index; whether the files
agree with that is the business of `cache.inspection`. Knows neither tables nor stores.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from datomfs.cache.folder import CacheFolder
from datomfs.cache.index import Entry
from datomfs.errors import CacheUnusable


@dataclass(frozen=True, slots=True)
class Summary:
    """A cache folder as its index tells it, in bytes and numbers of objects.

    `pins` has an entry for each object that is pinned, and for each pin of one that is not there. `oldest` and `newest`
    are the least and the most recently used objects.
    """

    total: int
    free: int
    complete: int
    partial: int
    pins: tuple[Entry, ...]
    oldest: Entry | None
    newest: Entry | None

    @property
    def pinned_bytes(self) -> int:
        """What the pinned objects take."""
        return sum(entry.bytes for entry in self.pins)


def summarize(folder: CacheFolder) -> Summary:
    """What a cache holds, without a look at its objects. Raises CacheUnusable."""
    entries = folder.entries()
    objects = [entry for entry in entries if entry.is_object]
    complete = sum(entry.is_complete for entry in objects)
    return Summary(
        total=folder.total(),
        free=folder.free(),
        complete=complete,
        partial=len(objects) - complete,
        pins=tuple(entry for entry in entries if entry.pin is not None),
        oldest=objects[0] if objects else None,
        newest=objects[-1] if objects else None,
    )


def room(folder: CacheFolder, kept: Collection[str]) -> int:
    """How many bytes may still come while what is pinned, and what has one of the SHA-256 `kept`, stays.

    Raises CacheUnusable.
    """
    total, limits = folder.total(), folder.limits
    staying = sum(entry.bytes for entry in folder.entries() if entry.pin is not None or entry.sha256 in kept)
    return max(0, min(limits.quota - staying, folder.free() - limits.min_free + total - staying))


def evict_to(folder: CacheFolder, size: int) -> list[Entry]:
    """Remove what was not used for longest, apart from pins, until at most `size` bytes are left or nothing may go.

    What went. Raises CacheUnusable.
    """
    excess = folder.total() - size
    gone: list[Entry] = []
    for entry in folder.entries():
        if excess <= 0:
            break
        if entry.pin is None and _remove(folder, entry):
            gone.append(entry)
            excess -= entry.bytes
    return gone


def evict(folder: CacheFolder, entries: Iterable[Entry]) -> list[Entry]:
    """Remove these objects, pinned or not; what went. Pins stay noted. Raises CacheUnusable."""
    return [entry for entry in entries if _remove(folder, entry)]


def _remove(folder: CacheFolder, entry: Entry) -> bool:
    """One at a time, so that nobody waits long for the index, and an interruption leaves nothing half done."""
    if not entry.is_object:
        return False
    try:
        folder.remove(entry.name)
    except PermissionError:  # what another user is still bringing
        return False
    except OSError as error:
        raise CacheUnusable(str(folder.path), str(error.strerror)) from error
    return True
