"""Open payloads: files of a folder store in place, everything else by range through the cache.

`mount.live_source` and `datomfs cache warm` open payloads here. Which kind one gets depends on where the bytes lie;
both give none before they are proven, unless proof is deferred.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock, Thread
from typing import Protocol

from cachetools import LRUCache

from datomfs.cache.block_memory import BlockMemory
from datomfs.cache.blocks import Blocks, Bytes
from datomfs.cache.fetch import Fetcher
from datomfs.cache.folder import CacheFolder
from datomfs.cache.grid import Grid, footer_length, parquet_grid, plain_grid
from datomfs.cache.in_place import FilePayload, open_in_place
from datomfs.cache.prefetch import LARGEST_WINDOW, Planner
from datomfs.cache.proof import OnProgress, Proofs, Recorded
from datomfs.cache.proving import Prover, Proving, Verify
from datomfs.cache.remote import RemotePayload
from datomfs.cache.standing import Verified
from datomfs.cache.tally import Tally
from datomfs.errors import (
    CacheFull,
    ObjectChanged,
    ObjectMissing,
    PayloadMismatch,
    RecordedMissing,
    SourceChanged,
    StoreDenied,
    StoreError,
)
from datomfs.store.base import ObjectInfo, ReadableStore

log = logging.getLogger(__name__)

SMALL = 1 << 20
"""Objects up to here come whole, in one request, and are hashed: to ask for an attestation would cost another."""

_TAIL = 64 << 10
_LARGEST_TAIL = 1 << 20
_GRIDS = 256
_REMEMBERED = 4096


class Payload(Protocol):
    """An open payload."""

    @property
    def size(self) -> int:
        """Its bytes."""
        ...

    @property
    def cached(self) -> int:
        """How many of them are on this machine."""
        ...

    @property
    def verified(self) -> Verified:
        """What has been seen of them so far."""
        ...

    def read_nowait(self, offset: int, length: int) -> Bytes | None:
        """Up to `length` bytes from `offset`, fewer only at the end, if nothing has to be waited for; else None."""
        ...

    def read(self, offset: int, length: int, on_progress: OnProgress) -> Bytes:
        """The same, whatever it takes. Raises IntegrityError, and the errors of the store."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


@dataclass
class _Turn:
    """Who opens one payload at the moment, and how many would like to."""

    lock: AbstractContextManager[bool] = field(default_factory=Lock)
    waiting: int = 0


class PayloadReader:
    """Payloads of any store. Safe to use from several threads, and beside other processes on one folder.

    `memory` bounds the bytes kept in memory, `stall_s` is how long fetching may get nowhere before readers get an
    error.
    """

    def __init__(self, folder: CacheFolder, *, memory: int, verify: Verify, stall_s: float) -> None:
        self._folder = folder
        self._memory = BlockMemory(memory)
        self._verify = verify
        self._stall_s = stall_s
        self._tally = Tally()
        self._proofs = Proofs(self._tally)
        self._prover = Prover()
        self._fetchers: dict[ReadableStore, Fetcher] = {}
        self._remote: dict[tuple[str, str, str], RemotePayload] = {}
        self._looked_at: LRUCache[tuple[str, str, str], ObjectInfo] = LRUCache(_REMEMBERED)
        self._failed: LRUCache[tuple[str, str, str], bool] = LRUCache(_REMEMBERED)
        self._opening: dict[str, _Turn] = {}
        self._grids: LRUCache[str, Grid] = LRUCache(_GRIDS)
        self._lock = Lock()

    def close(self) -> None:
        """End what runs in the background. Payloads are closed by who opened them."""
        self._prover.stop()
        for fetcher in list(self._fetchers.values()):
            fetcher.stop()
        self._folder.close()

    def open(self, store: ReadableStore, info: ObjectInfo, recorded: Recorded, on_progress: OnProgress) -> Payload:
        """The payload `info` of a listing, proven or about to be, as `verify` wants it; that may take its time.

        Raises PayloadMismatch, RecordedMissing, SourceChanged, and the store's errors.
        """
        where = f"{info.key} in {store.url}"
        local = store.local_path(info.key)
        if local is not None:
            try:
                return self._open_file(local, recorded, where, self._verify, on_progress)
            except RecordedMissing:
                info = _look_again(store, info)  # a study that has moved is found where it is now
                moved = store.local_path(info.key)
                if moved == local:
                    raise
                if moved is not None:
                    return self._open_file(moved, recorded, where, self._verify, on_progress)
        with self._alone(recorded.sha256):
            return (
                self._open_shared(store, info)
                or self._open_copy(store, info, recorded, where, on_progress)
                or self._open_listed(store, info, recorded, where, on_progress)
            )

    def standing(self, store: ReadableStore, info: ObjectInfo, recorded: Recorded) -> tuple[Verified, int]:
        """What is known of a payload's bytes, and how many are on this machine; asks no store and reads no payload."""
        local = store.local_path(info.key)
        if local is not None:
            return self._standing_of_file(local, recorded), info.size
        source = (store.url, info.key, info.etag)
        with self._lock:
            payload = self._remote.get(source)
            if payload is not None:
                return payload.verified, payload.cached
            if source in self._failed:
                return Verified.FAILED, 0
            seen = self._looked_at.get(source)
        if self._folder.holds(recorded.sha256, info.size):
            return Verified.FULL, info.size
        cached = max(map(self._folder.counted, self._partial_names(store, info, recorded)))
        # Nobody has it open any more, and what its store said of this very object stays true.
        is_attested = seen is not None and seen.sha256 == recorded.sha256
        return Verified.ATTESTED if is_attested else Verified.PENDING, cached

    @property
    def tally(self) -> Tally:
        """What became of reads and proofs so far."""
        return self._tally

    @property
    def folder(self) -> CacheFolder:
        """The folder that keeps what is fetched."""
        return self._folder

    def hold(self, store: ReadableStore, info: ObjectInfo, recorded: Recorded) -> None:
        """See to it that nothing this process fetches pushes the payload out of the cache."""
        self._folder.hold(recorded.sha256, *self._partial_names(store, info, recorded))

    def bring(
        self, store: ReadableStore, info: ObjectInfo, recorded: Recorded, on_progress: Callable[[int], None]
    ) -> Verified:
        """Have all of a payload in the cache, hashed: FULL then, and in its place for everybody, or UNRECORDED.

        For payloads that are fetched; those of folder stores are read where they lie. `info` is what `head` says. A
        complete copy is believed as it is for readers. `on_progress` is told how many of the bytes are here. Raises
        CacheFull as soon as the disk does not take all of it, PayloadMismatch, and the store's errors.
        """
        where = f"{info.key} in {store.url}"
        with self._alone(recorded.sha256):
            payload = self._open_shared(store, info)
            if payload is None:
                copy = self._open_copy(store, info, recorded, where, lambda: None)
                if copy is not None:
                    copy.close()
                    return copy.verified
                payload = self._begin(store, info, recorded, where)

        def check_progress() -> None:
            if payload.blocks.is_spilled:
                raise CacheFull(where, str(self._folder.path))
            on_progress(payload.cached)

        try:
            if payload.verified is not Verified.FULL:
                payload.prove(check_progress)
            proven = payload.verified is Verified.FULL
            if not (self._folder.holds(recorded.sha256, info.size) if proven else payload.blocks.is_on_disk):
                raise CacheFull(where, str(self._folder.path))
            return payload.verified
        finally:
            payload.close()

    def has_failed(self, store: ReadableStore, info: ObjectInfo, _recorded: Recorded) -> bool:
        """Whether bytes of a remote payload were not the recorded ones, also some that were given. Asks nobody."""
        with self._lock:
            return (store.url, info.key, info.etag) in self._failed

    @contextmanager
    def _alone(self, sha256: str) -> Iterator[None]:
        """One opens a payload, the others wait for it: they find it open, or its copy complete."""
        with self._lock:
            turn = self._opening.setdefault(sha256, _Turn())
            turn.waiting += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._lock:
                turn.waiting -= 1
                if not turn.waiting:
                    del self._opening[sha256]

    # -- files -----------------------------------------------------------------------------------------------------

    def _open_file(
        self, path: Path, recorded: Recorded, where: str, verify: Verify, on_progress: OnProgress
    ) -> FilePayload:
        payload = open_in_place(path, recorded, where, self._proofs)
        if verify is Verify.DEFERRED:
            payload.prove_behind()
            return payload
        try:
            payload.prove(on_progress)
        except BaseException:
            payload.close()
            raise
        return payload

    def _standing_of_file(self, path: Path, recorded: Recorded) -> Verified:
        known = self._proofs.find(path)
        if known is None:
            return Verified.PENDING
        try:
            return Verified.FULL if recorded.check(known, str(path)) else Verified.UNRECORDED
        except PayloadMismatch:
            return Verified.FAILED

    def _open_copy(
        self, store: ReadableStore, info: ObjectInfo, recorded: Recorded, where: str, on_progress: OnProgress
    ) -> Payload | None:
        """The complete copy in the cache, if there is one and it is what it should be."""
        sha256 = recorded.sha256
        for name in (sha256, self._folder.partial_name(sha256)):
            if self._folder.holds(name, info.size):
                payload, proving = self._make(store, info, recorded, where, name)
                if payload.blocks.is_on_disk:
                    try:
                        proving.believe_copy() if name == sha256 else proving.prove(on_progress)
                    except PayloadMismatch:
                        payload.close()
                        continue
                    except BaseException:
                        payload.close()
                        raise
                    return self._share(store, payload)
                payload.close()
        # Somebody else's, or of an older release: its digests prove nothing, its SHA-256 does.
        copy = self._folder.place(sha256)
        try:
            return self._open_file(copy, Recorded(sha256, recorded.data_sha), where, Verify.STRICT, on_progress)
        except (RecordedMissing, SourceChanged):  # another process is about to remove it, or to give it its place
            return None
        except (PayloadMismatch, StoreDenied) as error:
            log.warning("the cached copy of %s is of no use, fetching it again: %s", where, error.what)
            with suppress(OSError):
                copy.unlink()
            return None

    # -- by range --------------------------------------------------------------------------------------------------

    def _open_shared(self, store: ReadableStore, info: ObjectInfo) -> RemotePayload | None:
        """The payload, if somebody has it open already and it is good."""
        with self._lock:
            payload = self._remote.get((store.url, info.key, info.etag))
            if payload is None or payload.failure is not None or not payload.acquire():
                return None
            return payload

    def _open_listed(
        self, store: ReadableStore, info: ObjectInfo, recorded: Recorded, where: str, on_progress: OnProgress
    ) -> RemotePayload:
        try:
            return self._open_remote(store, info, recorded, where, on_progress)
        except ObjectChanged:  # since it was listed; it may well have the same bytes
            return self._open_remote(store, store.head(info.key), recorded, where, on_progress)

    def _open_remote(
        self, store: ReadableStore, info: ObjectInfo, recorded: Recorded, where: str, on_progress: OnProgress
    ) -> RemotePayload:
        attested, tail = None, b""
        if info.size > SMALL:
            source = (store.url, info.key, info.etag)
            with self._lock:
                seen = self._looked_at.get(source)
            info, tail = (seen, b"") if seen else self._look(store, info)
            with self._lock:
                if info.etag == source[2]:
                    self._looked_at[source] = info
                has_failed = (store.url, info.key, info.etag) in self._failed
            # Who attested the recorded hash and gave other bytes is not believed again: these are hashed first.
            if has_failed and info.sha256 == recorded.sha256:
                info = replace(info, sha256=None)
            attested = info.sha256
            on_progress()
        payload, proving = self._make(store, info, recorded, where, self._name(store, info, recorded))
        try:
            if attested is not None:
                proving.believe_store(attested)
            planner = self._find_planner(recorded.sha256, payload, tail, on_progress)
            if planner is not None:
                payload.follow(planner)
            if not payload.is_open:
                payload.open_gate(on_progress)
            if payload.blocks.is_on_disk:
                proving.on_complete()  # it was before, and whoever brought it did not live to prove it
        except BaseException:
            payload.close()
            raise
        return self._share(store, payload)

    def _begin(self, store: ReadableStore, info: ObjectInfo, recorded: Recorded, where: str) -> RemotePayload:
        """A payload to bring whole, of which nothing is known but what its store attests. Raises PayloadMismatch."""
        payload, proving = self._make(store, info, recorded, where, self._name(store, info, recorded))
        try:
            if info.sha256 is not None:
                proving.believe_store(info.sha256)
        except BaseException:
            payload.close()
            raise
        return self._share(store, payload)

    def _make(
        self, store: ReadableStore, info: ObjectInfo, recorded: Recorded, where: str, name: str
    ) -> tuple[RemotePayload, Proving]:
        blocks = Blocks(self._folder, self._memory, name, info.size)
        planner = _planner(plain_grid(info.size), blocks)
        payload = RemotePayload(self._fetcher(store), info, where, blocks, planner)
        payload.tally = self._tally
        payload.acquire()

        def remember() -> None:
            with self._lock:
                self._failed[store.url, payload.info.key, payload.info.etag] = True

        payload.on_failure = remember
        # What has turned out to be other bytes is not served a second time before it is proven.
        verify = Verify.STRICT if self.has_failed(store, info, recorded) else self._verify
        return payload, Proving(store, payload, recorded, verify, self._prover)

    def _share(self, store: ReadableStore, payload: RemotePayload) -> RemotePayload:
        """Let others who open it use it too, as long as anybody does."""
        key = (store.url, payload.info.key, payload.info.etag)

        def forget() -> None:
            with self._lock:
                if self._remote.get(key) is payload:
                    del self._remote[key]

        payload.on_unused = forget
        with self._lock:
            self._remote[key] = payload
            if payload.verified is Verified.FULL:
                self._failed.pop(key, None)
        return payload

    def _fetcher(self, store: ReadableStore) -> Fetcher:
        with self._lock:
            if store not in self._fetchers:
                self._fetchers[store] = Fetcher(store, deadline_s=self._stall_s)
            return self._fetchers[store]

    def _look(self, store: ReadableStore, info: ObjectInfo) -> tuple[ObjectInfo, bytes]:
        """What the store attests for the object, and its end, where parquet has its footer: two requests at once."""
        length = min(info.size, max(_TAIL, min(info.size >> 12, _LARGEST_TAIL)))
        tail: list[bytes] = []

        def fetch_tail() -> None:
            body, filled = memoryview(bytearray(length)), 0
            try:
                with closing(store.open_range(info.key, info.size - length, length, if_match=info.etag)) as stream:
                    while count := stream.readinto(body[filled:]):
                        filled += count
            except StoreError as error:
                log.debug("the end of %s did not come: %s", info.key, error.what)
            if filled == length:
                tail.append(bytes(body))

        thread = Thread(target=fetch_tail, name="datomfs-tail", daemon=True)
        thread.start()
        now = store.head(info.key)
        thread.join(self._stall_s / 3)  # an object can be read without its footer, if not as well
        return now, tail[0] if tail and now.etag == info.etag else b""

    def _name(self, store: ReadableStore, info: ObjectInfo, recorded: Recorded) -> str:
        """Bytes that are proven as they come lie under the SHA-256, whatever place they come from; all others apart."""
        attested, apart = self._partial_names(store, info, recorded)
        return attested if info.sha256 == recorded.sha256 else apart

    def _partial_names(self, store: ReadableStore, info: ObjectInfo, recorded: Recorded) -> tuple[str, str]:
        """The two names that `_name` may give."""
        source = hashlib.sha256("\0".join((store.url, info.key, info.etag)).encode()).hexdigest()
        sha256 = recorded.sha256
        return self._folder.partial_name(sha256), self._folder.partial_name(f"{sha256}-{source[:16]}")

    def _find_planner(
        self, sha256: str, payload: RemotePayload, tail: bytes, on_progress: OnProgress
    ) -> Planner | None:
        """The plans along the object's own layout, which stands at its end; None where that is not to be had."""
        with self._lock:
            grid = self._grids.get(sha256)
        payload.put(payload.size - len(tail), tail)
        if grid is None or grid.size != payload.size:
            if not tail:
                return None
            grid = self._read_grid(payload, tail, on_progress)
            with self._lock:
                self._grids[sha256] = grid
        return _planner(grid, payload.blocks)

    def _read_grid(self, payload: RemotePayload, tail: bytes, on_progress: OnProgress) -> Grid:
        size = payload.size
        length = footer_length(tail)
        if length is None or length > size:
            return plain_grid(size)
        if length > len(tail):
            tail = bytes(payload.fetch(size - length, size - len(tail), on_progress)) + tail
        return parquet_grid(size, tail[-length:]) or plain_grid(size)


def _look_again(store: ReadableStore, info: ObjectInfo) -> ObjectInfo:
    """The object as its store has it now. Raises RecordedMissing, and the store's errors."""
    try:
        return store.head(info.key)
    except ObjectMissing as error:
        raise RecordedMissing(f"{info.key} in {store.url}") from error


def _planner(grid: Grid, blocks: Blocks) -> Planner:
    return Planner(grid, largest_window=min(LARGEST_WINDOW, blocks.window))
