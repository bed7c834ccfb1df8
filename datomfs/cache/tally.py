"""What became of reads and proofs, in numbers, for whoever watches a mount. Counts; decides nothing."""

from __future__ import annotations

from threading import Lock

from datomfs.cache.standing import Verified


class Tally:
    """Reads of fetched payloads and proofs of all payloads, since the process began. Safe to use from several threads.

    A read is at once when its bytes were in memory, from disk when they were on this machine, and fetched when some of
    them had to come from the store. A proof counts under what it found; a whole that is hashed after it was attested
    counts again.
    """

    def __init__(self) -> None:
        self.at_once = 0
        self.from_disk = 0
        self.fetched = 0
        self.proofs = dict.fromkeys((Verified.FULL, Verified.ATTESTED, Verified.UNRECORDED, Verified.FAILED), 0)
        self._lock = Lock()

    def waited(self, *, is_here: bool) -> None:
        """A read had to wait, for the disk alone or for the store."""
        with self._lock:
            if is_here:
                self.from_disk += 1
            else:
                self.fetched += 1

    def proven(self, found: Verified) -> None:
        """Somebody has found out what a payload's bytes are."""
        with self._lock:
            self.proofs[found] += 1
