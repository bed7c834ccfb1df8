"""A bare copy of a remote's default branch in the cache, for those who only read: fetched when told to, read anywhere.

Several processes may share one: fetches wait for each other, and what is fetched appears at one blow, by the move of
one ref of our own. So it does not matter what the remote's branch is called, nor that it is called otherwise one day.
What the branch no longer holds stays readable by commit. While the remote is away this is the offline copy. Paths are
relative to the repository's root, with `/`; commits are 40 hex digits as text.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import time
import weakref
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import filelock
from cachetools import LRUCache
from dulwich.errors import ApplyDeltaError, ChecksumMismatch, FileFormatException, NotGitRepository
from dulwich.objects import ObjectID
from dulwich.pack import Pack
from dulwich.refs import DiskRefsContainer, Ref
from dulwich.repo import Repo

from datomfs.errors import DocumentInvalid, FileUnwritable, NoSpace, RemoteUnreachable
from datomfs.repo.remote import Remote, check_remote_url, display_url
from datomfs.repo.walk import find_entry, list_files, read_step, states_of, walk

log = logging.getLogger(__name__)

_TIP = Ref(b"refs/heads/tip")
_PATIENCE_S = 120.0
"""How long a fetch waits for another process's: whoever is first brings it for both."""
_MOMENTS = 256
_UNPACKED = 100
"""Up to how many objects a pack is taken apart."""


class Mirror:
    """The copy of one remote, in a folder of its own below `folder`. Safe to use from several threads."""

    def __init__(self, url: str, folder: Path) -> None:
        self._remote_url = check_remote_url(url)
        shown = display_url(url)
        name = shown.rstrip("/").removesuffix(".git").rpartition("/")[2] or "repository"
        self.path = folder / f"{name}-{hashlib.sha256(shown.encode()).hexdigest()[:16]}.git"
        self._repo: Repo | None = None
        # dulwich's caches of packs are not made for several threads: one at a time, object by object, so that a walk
        # through all of history holds up nobody.
        self._lock = Lock()
        self._moments: LRUCache[tuple[str, int], str | None] = LRUCache(_MOMENTS)

    @property
    def url(self) -> str:
        """The remote, without a password."""
        return display_url(self._remote_url)

    def fetch(self) -> None:
        """Bring what the remote's default branch has, and be at its newest commit.

        Raises RemoteUnreachable, RemoteDenied, NoSpace, FileUnwritable; what was here stays.
        """
        wanted_ns = time.time_ns()
        with self._guarded():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self.path.with_suffix(".lock"), timeout=_PATIENCE_S):
                if self.fetched_ns >= wanted_ns:
                    return
                began_ns = time.time_ns()
                self._create()
                with Repo(str(self.path)) as repo:
                    commit = Remote(self._remote_url).fetch_default(repo)
                    self._unpack(repo)
                    if commit is not None:
                        repo.refs[_TIP] = ObjectID(commit)
                    else:
                        repo.refs.remove_if_equals(_TIP, None)
                heard = self._heard
                heard.touch()
                os.utime(heard, ns=(began_ns, began_ns))

    @property
    def fetched_ns(self) -> int:
        """When the last fetch that was not in vain began, nanoseconds since 1970; 0 before the first."""
        try:
            return self._heard.stat().st_mtime_ns
        except OSError:
            return 0

    @property
    def tip(self) -> str | None:
        """The newest commit known of the default branch, or None where there is none."""
        try:
            # Read anew each time: another process may have moved it, or packed it away.
            return DiskRefsContainer(os.fsencode(self.path))[_TIP].decode()
        except KeyError:
            return None

    def tip_at(self, time_ns: int) -> str | None:
        """The newest commit of the default branch at or before a moment, as `git rev-list -1 --before` gives it."""
        tip, time_s = self.tip, time_ns // 1_000_000_000
        if tip is None:
            return None
        key = (tip, time_s)
        if key not in self._moments:
            with self._whole("its history"):
                steps = walk(self._read_object, tip.encode())
                self._moments[key] = next((step.commit.decode() for step in steps if step.time_s <= time_s), None)
        return self._moments[key]

    def read(self, path: str, commit: str | None = None) -> bytes | None:
        """A file at a commit (the newest one known unless named), or None.

        This and all that follows raise DocumentInvalid where the copy lacks what it should have.
        """
        with self._whole(path):
            tree = self._find_tree(commit)
            blob = find_entry(self._read_object, tree, path) if tree is not None else None
            return self._read_object(blob) if blob is not None else None

    def list(self, folder: str) -> Sequence[str]:
        """The paths of all files below a folder (`projects/`) at the newest commit, sorted; none where it is not."""
        name = folder.strip("/")
        with self._whole(folder):
            tree = self._find_tree(None)
            below = find_entry(self._read_object, tree, name, is_folder=True) if tree is not None else None
            if below is None:
                return ()
            return sorted(f"{name}/{path}" for path in list_files(self._read_object, below))

    def commits_of(self, path: str, until: str) -> Iterator[tuple[str, bytes]]:
        """The commits up to one that changed `path`, oldest first, each with the file as it left it.

        All of history is walked: about 0.2 s for each thousand commits.
        """
        with self._whole(path):
            states = states_of(self._read_object, until.encode(), path)
        for commit, blob in states:
            with self._whole(path):
                content = self._read_object(blob)
            yield commit.decode(), content

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _heard(self) -> Path:
        """A file whose time says when the remote was last heard of."""
        return self.path / "FETCH_HEAD"

    def _create(self) -> None:
        """An empty bare repository, unless it is there; what a killed process left half-made is made anew.

        Only the holder of the lock writes here, so locks and packs in the making are those of the dead.
        """
        try:
            Repo(str(self.path)).close()
        except NotGitRepository:
            shutil.rmtree(self.path, ignore_errors=True)
            Repo.init_bare(str(self.path), mkdir=True).close()
        packs = self.path / "objects" / "pack"
        unnamed = {pack for pack in packs.glob("*.pack") if not pack.with_suffix(".idx").exists()}
        for left in {*self.path.rglob("*.lock"), *self.path.joinpath("objects").rglob("tmp*"), *unnamed}:
            log.debug("removing %s, which a killed fetch left", left)
            left.unlink(missing_ok=True)

    def _unpack(self, repo: Repo) -> None:
        """Make single objects of small packs, as git does (fetch.unpackLimit).

        Each fetch brings a pack, and a reader keeps every pack open: those of a month or two are more files than a
        process may have.
        """
        for index in self.path.glob("objects/pack/*.idx"):
            with Pack(str(index.with_suffix("")), object_format=repo.object_store.object_format) as pack:
                if len(pack) > _UNPACKED:
                    continue
                for found in pack.iterobjects():
                    repo.object_store.add_object(found)
            for part in index.parent.glob(f"{index.stem}.*"):
                part.unlink()

    def _find_tree(self, commit: str | None) -> bytes | None:
        """The tree of a commit, or of the newest one; None where there is none yet."""
        commit = commit or self.tip
        return read_step(self._read_object, commit.encode()).tree if commit else None

    def _read_object(self, sha: bytes) -> bytes:
        """An object's content; packs that came meanwhile, also from another process, are looked into."""
        with self._lock:
            if self._repo is None:
                try:
                    self._repo = Repo(str(self.path))
                except NotGitRepository:
                    raise KeyError(sha) from None
                # dulwich complains, also at the end of a process, of packs that nobody closed.
                weakref.finalize(self, self._repo.close)
            return self._repo.object_store.get_raw(ObjectID(sha))[1]

    @contextmanager
    def _whole(self, what: str) -> Iterator[None]:
        """A copy that lacks objects, or has broken ones, as a document that cannot be used."""
        try:
            yield
        except (KeyError, AssertionError, zlib.error, ApplyDeltaError, ChecksumMismatch, FileFormatException) as error:
            reason = f"its copy {self.path} is damaged; remove that folder, and it is fetched anew"
            raise DocumentInvalid(f"{what} in {self.url}", reason) from error

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except filelock.Timeout as error:
            raise RemoteUnreachable(self.url, "another process has been fetching it for too long") from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NoSpace(str(self.path)) from error
            raise FileUnwritable(str(self.path), error.strerror or str(error)) from error
