"""How a remote payload is proven before it is served (design.md §3, "Proof before bytes").

Its SHA-256 was recorded when it was written. The bytes are proven when the store attests that SHA-256 for the very
object (its etag) they come from; when all of them are here and have been hashed; or when they were hashed here before
and still have their digests. `strict` serves nothing earlier; `deferred` serves, and hashes when all is here.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from queue import SimpleQueue
from threading import Event, Lock, Thread

from datomfs.cache.block_file import PIECE
from datomfs.cache.extents import Range
from datomfs.cache.fetch import Urgency
from datomfs.cache.proof import OnProgress, Recorded
from datomfs.cache.remote import RemotePayload
from datomfs.cache.standing import Verified
from datomfs.errors import DatomfsError, PayloadMismatch
from datomfs.store.base import ReadableStore

log = logging.getLogger(__name__)

_GET = 8 << 20
_WINDOW = 8 * _GET
_NICENESS = 10
_LOOK_S = 1.0
"""How often who waits for another reader's proof looks how far that is."""


class Verify(StrEnum):
    """When a payload must be proven: before its first byte is served, or when all of it is here."""

    STRICT = "strict"
    DEFERRED = "deferred"


class Proving:
    """The proof of one remote payload: opens its gate, or marks it as failed. Safe to use from several threads.

    `attested` is the SHA-256 that the store attests for the object, None where it attests nothing; `prover` hashes
    complete objects in the background.
    """

    def __init__(
        self, store: ReadableStore, payload: RemotePayload, recorded: Recorded, verify: Verify, prover: Prover
    ) -> None:
        self._store = store
        self._payload = payload
        self._recorded = recorded
        self._verify = verify
        self._prover = prover
        self._lock = Lock()
        self._is_queued = False
        self._step_count = 0
        payload.open_gate = self.open_gate
        payload.prove = self.prove
        payload.renew = self.renew
        payload.on_complete = self.on_complete

    def believe_copy(self) -> None:
        """All of it was hashed here before, and each piece has its digest beside it."""
        self._payload.verified = Verified.FULL
        self._payload.is_open = True

    def believe_store(self, attested: str) -> None:
        """The store says what the object's SHA-256 is. Raises PayloadMismatch if that is not the recorded one."""
        payload = self._payload
        payload.is_attested = attested == self._recorded.sha256
        if payload.is_attested:
            payload.verified = Verified.ATTESTED
        elif self._recorded.parquet_sha is None:
            payload.verified = Verified.UNRECORDED
        else:
            self._fail(PayloadMismatch(payload.where, self._recorded.parquet_sha, attested))
        payload.tally.proven(payload.verified)
        payload.may_stream = payload.is_open = True

    def open_gate(self, on_progress: OnProgress) -> None:
        """Prove the payload now, if it is not. Raises PayloadMismatch and the errors of the store."""
        payload = self._payload
        with self._alone(on_progress):
            if payload.is_open:
                return
            if payload.failure is not None:
                raise payload.failure
            if payload.verified is Verified.FULL and self._reattest():
                return  # a piece of a proven copy has rotted, and comes again
            if self._verify is Verify.DEFERRED and payload.verified is not Verified.FULL:
                payload.verified = Verified.PENDING
                payload.may_stream = payload.is_open = True
                return
            self._judge(self._hash_whole(on_progress))

    def prove(self, on_progress: OnProgress) -> None:
        """Hash all of it now, whatever is deferred. Raises PayloadMismatch and the errors of the store."""
        with self._lock:
            self._judge(self._hash_whole(on_progress))

    def _reattest(self) -> bool:
        """Ask the store again for the object's SHA-256; False where it attests none, or not that of the bytes here.

        Raises PayloadMismatch.
        """
        info = self._store.head(self._payload.info.key)
        if info.sha256 is None or (self._recorded.parquet_sha is None and info.sha256 != self._recorded.sha256):
            return False
        was_proven = self._payload.is_attested
        self.believe_store(info.sha256)
        self._payload.info = info  # not before: what is not believed may have another size
        if not was_proven:
            self._payload.blocks.forget()  # it came from an object that was never proven
        return True

    def renew(self) -> bool:
        """The store has another object, or the study has moved to another store: whether that is meant from now on.

        One that attests the same bytes is read on at once. Of any other nothing is served before all has been hashed:
        the gate is closed, also where proof is deferred, for what is here is of two objects then. Where nothing was
        recorded that could prove it, it is not meant. Raises PayloadMismatch, and the errors of the store.
        """
        payload = self._payload
        with self._lock:
            if payload.failure is not None or payload.verified is Verified.UNRECORDED:
                return False
            info = self._store.head(payload.info.key)
            if info.etag == payload.etag:
                return True  # another reader has been here
            if payload.verified is not Verified.PENDING and self._reattest():
                return True
            is_known = payload.verified is not Verified.PENDING or self._recorded.parquet_sha is not None
            if info.size != payload.size or not is_known:
                return False
            # What an older history records may be no proof of the bytes; here it has proven those that were meant.
            self._recorded = replace(self._recorded, parquet_sha=self._recorded.sha256)
            self._verify = Verify.STRICT
            payload.is_open = payload.may_stream = payload.is_attested = False
            payload.verified = Verified.PENDING
            payload.info = info
            return True

    def on_complete(self) -> None:
        """All of it is here: have it hashed, once, by whoever has time. Not if somebody is at it to open the gate."""
        payload = self._payload
        if self._is_queued or not payload.is_open or payload.verified not in (Verified.ATTESTED, Verified.PENDING):
            return
        if payload.acquire():
            self._is_queued = True
            self._prover.submit(self._prove_complete)

    def _prove_complete(self, on_progress: OnProgress) -> None:
        try:
            with self._lock:
                # Somebody who wanted all of it may have hashed it meanwhile.
                proven = self._payload.verified is Verified.FULL
                if self._payload.failure is None and self._payload.blocks.is_on_disk and not proven:
                    self._judge(self._hash_whole(on_progress))
        except PayloadMismatch as error:
            log.error("%s", error.what)  # noqa: TRY400 - what happened, not where in the code
        except DatomfsError as error:  # a piece had rotted already, and cannot be fetched
            log.warning("%s could not be hashed: %s", self._payload.where, error.what)
        finally:
            self._is_queued = False
            self._payload.close()

    @contextmanager
    def _alone(self, on_progress: OnProgress) -> Iterator[None]:
        """One proves at a time; who waits for him gets on as he does."""
        seen = self._step_count
        while not self._lock.acquire(timeout=_LOOK_S):
            if self._step_count != seen:
                seen = self._step_count
                on_progress()
        try:
            yield
        finally:
            self._lock.release()

    def _hash_whole(self, on_progress: OnProgress) -> str:
        """The SHA-256 of all its bytes, brought as far as they are not here, in order."""
        payload, digest, brought = self._payload, hashlib.sha256(), 0
        window = max(min(_WINDOW, payload.blocks.window), PIECE)
        for start in range(0, payload.size, PIECE):
            while brought < min(start + window, payload.size):
                end = min(brought + min(_GET, max(window // 2, PIECE)), payload.size)
                payload.bring([Range(brought, end)], Urgency.AHEAD)
                brought = end
            digest.update(payload.fetch(start, min(start + PIECE, payload.size), on_progress))
            self._step_count += 1
            on_progress()
        return digest.hexdigest()

    def _judge(self, actual: str) -> None:
        """What the SHA-256 of all its bytes means for the payload. Raises PayloadMismatch."""
        payload = self._payload
        try:
            proven = self._recorded.check(actual, payload.where)
        except PayloadMismatch as error:
            payload.blocks.remove()
            self._fail(error)
        payload.verified = Verified.FULL if proven else Verified.UNRECORDED
        payload.tally.proven(payload.verified)
        payload.blocks.keep()
        # Without a copy on disk more will be fetched: from the object, by its etag, that was hashed just now.
        payload.may_stream = payload.may_stream or not payload.blocks.is_on_disk
        payload.is_open = True
        if proven:
            payload.blocks.publish(actual)

    def _fail(self, error: PayloadMismatch) -> None:
        self._payload.verified = Verified.FAILED
        self._payload.tally.proven(Verified.FAILED)
        self._payload.fail(error)
        raise error


class Prover:
    """One thread, of low priority, that hashes what has become complete: nobody waits for it."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[OnProgress], None] | None] = SimpleQueue()
        self._lock = Lock()
        self._ending = Event()
        self._thread: Thread | None = None

    def submit(self, work: Callable[[OnProgress], None]) -> None:
        """Do this when there is time. What it is given as progress ends it when nothing more is to be done."""
        with self._lock:
            self._work.put(work)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="datomfs-prover", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Give up what is under way and begin nothing more; it is done again when the object is next opened."""
        self._ending.set()
        self._work.put(None)
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while (work := self._work.get()) is not None:
            try:
                work(self._go_on)
            except _Ended:
                pass
            except Exception:  # a fault of ours must not end all proofs to come
                log.exception("a complete object could not be hashed")

    def _go_on(self) -> None:
        if self._ending.is_set():
            raise _Ended


class _Ended(Exception):
    """The process ends; never leaves this module."""
