"""A bare copy of a remote repository in the cache, for those who only read: fetched when told to, read at any commit.

Several processes may share one: fetches wait for each other, and a copy appears whole or not at all. What a remote's
branches no longer hold stays readable here, as git's objects always do. Paths are relative to the repository's root,
with `/`; commits are 40 hex digits as text.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import filelock
from dulwich.errors import NotGitRepository
from dulwich.object_store import iter_tree_contents, tree_lookup_path
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from datomfs.errors import FileUnwritable, NoSpace, RemoteUnreachable
from datomfs.repo.data_repo import choose_branch
from datomfs.repo.remote import Remote, check_remote_url, display_url

log = logging.getLogger(__name__)

_HEAD = Ref(b"HEAD")
_PATIENCE_S = 120.0
"""How long a fetch waits for another process's: whoever is first brings it for both."""


class Mirror:
    """The copy of one remote, in a folder of its own below `folder`. Safe to use from several threads."""

    def __init__(self, url: str, folder: Path) -> None:
        self._remote_url = check_remote_url(url)
        shown = display_url(url)
        name = shown.rstrip("/").removesuffix(".git").rpartition("/")[2] or "repository"
        self.path = folder / f"{name}-{hashlib.sha256(shown.encode()).hexdigest()[:16]}.git"
        self._repo: Repo | None = None
        # dulwich's readers of packs seek in one file: one thread at a time.
        self._lock = Lock()

    @property
    def url(self) -> str:
        """The remote, without a password."""
        return display_url(self._remote_url)

    def fetch(self) -> None:
        """Bring what the remote has, and be at the newest commit of its default branch.

        Raises RemoteUnreachable, RemoteDenied, NoSpace, FileUnwritable; what was here stays.
        """
        with self._guarded():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self.path.with_suffix(".lock"), timeout=_PATIENCE_S):
                self._create()
                with Repo(str(self.path)) as repo:
                    state = Remote(self._remote_url).fetch(repo)
                    branch = choose_branch(state.branches, state.head_branch)
                    for name, commit in state.branches.items():
                        repo.refs[Ref(b"refs/heads/" + name)] = ObjectID(commit)
                    for gone in set(repo.refs.keys(Ref(b"refs/heads"))) - {Ref(name) for name in state.branches}:
                        repo.refs.remove_if_equals(Ref(b"refs/heads/" + gone), None)
                    repo.refs.set_symbolic_ref(_HEAD, Ref(b"refs/heads/" + branch))
                    # When it was last heard of: its time is `fetched_ns`.
                    Path(self.path, "FETCH_HEAD").write_bytes(b"")

    @property
    def fetched_ns(self) -> int:
        """When the last fetch ended, nanoseconds since 1970; 0 before the first."""
        try:
            return Path(self.path, "FETCH_HEAD").stat().st_mtime_ns
        except OSError:
            return 0

    @property
    def tip(self) -> str | None:
        """The newest commit known of the default branch, or None where there is none."""
        with self._opened() as repo:
            try:
                return repo.head().decode() if repo else None
            except KeyError:
                return None

    def tip_at(self, time_ns: int) -> str | None:
        """The newest commit of the default branch at or before a moment, as `git rev-list -1 --before` gives it."""
        tip = self.tip
        with self._opened() as repo:
            if repo is None or tip is None:
                return None
            walker = repo.get_walker(include=[ObjectID(tip.encode())], until=time_ns // 1_000_000_000, max_entries=1)
            return next((entry.commit.id.decode() for entry in walker), None)

    def read(self, path: str, commit: str | None = None) -> bytes | None:
        """A file at a commit (the newest one known unless named), or None."""
        commit = commit or self.tip
        with self._opened() as repo:
            tree = _tree(repo, commit) if repo and commit else None
            if repo is None or tree is None:
                return None
            try:
                _, sha = tree_lookup_path(repo.__getitem__, tree.id, path.encode())
                found = repo[sha]
            except (KeyError, NotADirectoryError):
                return None
            return found.data if isinstance(found, Blob) else None

    def list(self, folder: str, commit: str | None = None) -> Sequence[str]:
        """The paths of all files below a folder (`projects/`), sorted; nothing where there is no such folder."""
        commit = commit or self.tip
        with self._opened() as repo:
            tree = _tree(repo, commit) if repo and commit else None
            if repo is None or tree is None:
                return ()
            name = folder.strip("/").encode()
            try:
                _, sha = tree_lookup_path(repo.__getitem__, tree.id, name)
                paths = [entry.path for entry in iter_tree_contents(repo.object_store, sha) if entry.path is not None]
            except (KeyError, NotADirectoryError):
                return ()
            return sorted(os.fsdecode(b"/".join((name, path))) for path in paths)

    def commits_of(self, path: str, until: str) -> Sequence[tuple[str, bytes]]:
        """The commits up to one that touched `path`, oldest first, each with the file as it left it."""
        found = []
        with self._opened() as repo:
            if repo is None:
                return ()
            walker = repo.get_walker(include=[ObjectID(until.encode())], paths=[path.encode()], reverse=True)
            commits = [entry.commit.id.decode() for entry in walker]
        for commit in commits:
            content = self.read(path, commit)
            if content is not None:
                found.append((commit, content))
        return found

    # -- inside ----------------------------------------------------------------------------------------------------

    def _create(self) -> None:
        """An empty bare repository, unless it is there; what a killed process left half-made is made anew."""
        try:
            Repo(str(self.path)).close()
        except NotGitRepository:
            shutil.rmtree(self.path, ignore_errors=True)
            Repo.init_bare(str(self.path), mkdir=True).close()

    @contextmanager
    def _opened(self) -> Iterator[Repo | None]:
        with self._lock:
            if self._repo is None:
                try:
                    self._repo = Repo(str(self.path))
                except NotGitRepository:
                    yield None
                    return
            yield self._repo

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


def _tree(repo: Repo, commit: str) -> Tree | None:
    try:
        found = repo[ObjectID(commit.encode())]
        tree = repo[found.tree] if isinstance(found, Commit) else None
    except KeyError:
        return None
    return tree if isinstance(tree, Tree) else None
