"""A clone of a project's data repository: its documents at any commit, and new commits that reach the remote.

A version is made without touching the working tree: the commit is built in the object database, pushed, and only then
the branch and the files follow. So a process that is killed before the push leaves a clean clone behind, and one that
is killed after it leaves a clone that is merely behind, which the next pull mends (docs/decisions/0002).

One process at a time works in a clone: `locked` holds a lock that the kernel drops with the process. The folder for
files in the making outlives a killed holder, and so tells the next one that files and git's own locks may be half-done.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import filelock
from dulwich import porcelain
from dulwich.diff_tree import CHANGE_ADD, tree_changes
from dulwich.errors import NotGitRepository
from dulwich.file import FileLocked
from dulwich.graph import can_fast_forward
from dulwich.index import IndexEntry, update_working_tree
from dulwich.object_store import commit_tree_changes, tree_lookup_path
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from datomfs.errors import (
    CloneBusy,
    CloneDirty,
    CloneDiverged,
    DirectoryNotEmpty,
    FileUnwritable,
    NoSpace,
    NotAClone,
    RemoteUnreachable,
)
from datomfs.layout import PROJECT_CONFIG_PATH
from datomfs.model.project import Project, parse_project
from datomfs.repo.remote import Remote, check_remote_url, choose_branch

log = logging.getLogger(__name__)

_FILE_MODE = 0o100644


class DataRepo:
    """An open clone. Paths are relative to its root with `/`; commits are 40 hex digits as text."""

    def __init__(self, path: Path, repo: Repo) -> None:
        self.path = path
        self._repo = repo
        self._interrupted = False

    # -- getting one -----------------------------------------------------------------------------------------------

    @classmethod
    def open(cls, path: Path) -> Self:
        """The clone at `path`. Raises NotAClone."""
        try:
            clone = cls(path, Repo(str(path)))
        except NotGitRepository as error:
            raise NotAClone(str(path)) from error
        if not (path / PROJECT_CONFIG_PATH).is_file():
            clone.close()
            raise NotAClone(str(path))
        return clone

    @classmethod
    def create(cls, url: str, path: Path) -> Self:
        """A new clone of `url`, with its files if the remote has commits. Nothing is left of one that fails.

        Raises DirectoryNotEmpty, RemoteUnreachable, RemoteDenied.
        """
        check_remote_url(url)
        url = str(Path(url).absolute()) if "://" not in url and Path(url).exists() else url
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise DirectoryNotEmpty(str(path))
        existed = path.exists()
        try:
            remote = Remote(url)
            path.mkdir(parents=True, exist_ok=True)
            clone = cls(path, Repo.init(str(path)))
            clone._configure(url)
            state = remote.fetch(clone._repo)
            branch = choose_branch(state.branches, state.head_branch)
            clone._follow(branch)
            for name, commit in state.branches.items():
                clone._repo.refs[_tracking(name)] = ObjectID(commit)
            if branch in state.branches:
                clone.advance(state.branches[branch].decode())
            return clone
        except BaseException:
            remove_created(path, existed)
            raise

    def close(self) -> None:
        """Release the files dulwich holds open."""
        self._repo.close()

    @contextmanager
    def locked(self) -> Iterator[Path]:
        """Hold the clone against other datomfs processes; gives an empty folder for files in the making.

        What a killed holder left in that folder is removed, and so are the locks of git that died with it. Raises
        CloneBusy at once when another process holds it, NoSpace, FileUnwritable.
        """
        control = Path(self._repo.controldir())
        lock = filelock.FileLock(control / "datomfs.lock")
        work_dir = control / "datomfs-work"
        with self._guarded():
            lock.acquire(blocking=False)
        try:
            with self._guarded():
                self._interrupted = work_dir.exists()
                if self._interrupted:
                    for git_lock in set(control.rglob("*.lock")) - {Path(lock.lock_file)}:
                        git_lock.unlink()
                for name in (b"index", b"refs/heads/" + self._branch, _tracking(self._branch)):
                    if Path(control, f"{os.fsdecode(name)}.lock").exists():
                        raise CloneBusy(str(self.path))  # now, and not after the push, when the version exists
                shutil.rmtree(work_dir, ignore_errors=True)
                work_dir.mkdir()
            yield work_dir
        except KeyboardInterrupt:
            self._interrupted = True
            raise
        finally:
            if not self._interrupted:  # else not mended yet: the next holder has to know as well
                shutil.rmtree(work_dir, ignore_errors=True)
            lock.release()

    # -- looking ---------------------------------------------------------------------------------------------------

    @property
    def remote_url(self) -> str:
        """The URL of `origin`. Raises NotAClone when there is none."""
        try:
            return self._repo.get_config().get((b"remote", b"origin"), b"url").decode()
        except KeyError as error:
            raise NotAClone(str(self.path)) from error

    @property
    def head(self) -> str | None:
        """The commit the clone is at, or None before the first."""
        try:
            return self._repo.head().decode()
        except KeyError:
            return None

    @property
    def upstream(self) -> str | None:
        """The remote's commit of our branch as of the last fetch, or None when it has none."""
        ref = _tracking(self._branch)
        return self._repo.refs[ref].decode() if ref in self._repo.refs else None

    def project(self) -> Project:
        """The project's configuration as it stands in the working tree, where people edit it."""
        where = self.path / PROJECT_CONFIG_PATH
        return parse_project(where.read_bytes(), str(where))

    def read(self, path: str, commit: str | None) -> bytes | None:
        """A file as it stood at a commit, or None where it did not exist or `commit` is None."""
        return None if commit is None else self._blob(path.encode(), self._tree(commit))

    def commits_of(self, path: str, after: str | None, until: str) -> Iterator[tuple[str, bytes]]:
        """The commits `after` one (where known) up to `until` that touched `path`, oldest first, with the file."""
        known = [ObjectID(after.encode())] if after and ObjectID(after.encode()) in self._repo.object_store else []
        walker = self._repo.get_walker(
            include=[ObjectID(until.encode())], exclude=known, paths=[path.encode()], reverse=True
        )
        for entry in walker:
            commit = entry.commit.id.decode()
            content = self.read(path, commit)
            if content is not None:
                yield commit, content

    def author(self) -> tuple[str, str] | None:
        """Name and email as git is configured, or None where one is missing."""
        config = self._repo.get_config_stack()
        values = []
        for variable, field in (("GIT_AUTHOR_NAME", "name"), ("GIT_AUTHOR_EMAIL", "email")):
            try:
                values.append(os.environ.get(variable) or config.get((b"user",), field.encode()).decode())
            except KeyError:
                return None
        return values[0], values[1]

    # -- following the remote --------------------------------------------------------------------------------------

    def pull(self) -> int:
        """Fetch, check that the clone is clean, and fast-forward it. Gives the number of commits that came.

        Raises CloneDirty, CloneDiverged, CloneBusy, RemoteUnreachable, RemoteDenied, NoSpace.
        """
        with self._guarded():
            state = Remote(self.remote_url).fetch(self._repo)
            for name, commit in state.branches.items():
                self._repo.refs[_tracking(name)] = ObjectID(commit)
        if self.upstream is not None and self._branch not in state.branches:
            raise RemoteUnreachable(self.remote_url, f"its branch {self._branch.decode()} is gone")
        with self._guarded():
            self._check_clean()
        head, upstream = self.head, self.upstream
        if upstream is None or head == upstream or (head is not None and self._is_ancestor(upstream, head)):
            self._interrupted = False
            return 0
        if head is not None and not self._is_ancestor(head, upstream):
            raise CloneDiverged(str(self.path), self._distance(upstream, head), self._distance(head, upstream))
        self.advance(upstream)
        self._interrupted = False
        return self._distance(head, upstream)

    def commit(self, files: Mapping[str, bytes], message: str, parent: str | None) -> str:
        """A new commit in the object database: `parent` with these files. No ref and no file moves. Raises NoSpace."""
        with self._guarded():
            changes = []
            for path, content in files.items():
                blob = Blob.from_string(content)
                self._repo.object_store.add_object(blob)
                changes.append((path.encode(), _FILE_MODE, blob.id))
            base = self._tree(parent) if parent else Tree()
            if not parent:
                self._repo.object_store.add_object(base)
            commit = Commit()
            commit.tree = commit_tree_changes(self._repo.object_store, base, changes)
            commit.parents = [ObjectID(parent.encode())] if parent else []
            name, email = self.author() or ("unknown", "unknown")
            commit.author = commit.committer = f"{name} <{email}>".encode()
            commit.author_time = commit.commit_time = int(time.time())
            commit.author_timezone = commit.commit_timezone = 0
            commit.encoding = b"UTF-8"
            commit.message = message.encode() + b"\n"
            self._repo.object_store.add_object(commit)
            return commit.id.decode()

    def push(self, commit: str) -> bool:
        """Push a commit to our branch of the remote. False when somebody else moved it since the last fetch.

        Raises RemoteRefused, RemoteUnreachable, RemoteDenied.
        """
        expected = self.upstream.encode() if self.upstream else None
        with self._guarded():
            if not Remote(self.remote_url).push(self._repo, self._branch, commit.encode(), expected=expected):
                return False
            self._repo.refs[_tracking(self._branch)] = ObjectID(commit.encode())
        return True

    def advance(self, commit: str) -> None:
        """Move the branch, the index and the files to a commit. Raises CloneBusy, NoSpace, FileUnwritable.

        Files go first and the branch last: killed between the two, the files already are what the next pull brings,
        and `_check_clean` takes them for clean.
        """
        head = self.head
        old = self._tree(head).id if head else None
        new = self._tree(commit).id
        changes = tree_changes(self._repo.object_store, old, new)
        with self._guarded():
            update_working_tree(self._repo, old, new, changes, allow_overwrite_modified=True)
            self._repo.refs[Ref(b"refs/heads/" + self._branch)] = ObjectID(commit.encode())

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _branch(self) -> bytes:
        names, _ = self._repo.refs.follow(Ref(b"HEAD"))
        if len(names) < 2:
            raise NotAClone(f"{self.path} (detached HEAD: check out a branch)")
        return bytes(names[-1]).removeprefix(b"refs/heads/")

    def _check_clean(self) -> None:
        """Raise CloneDirty, unless what differs from HEAD is what the commits up to upstream bring anyway.

        A process that was killed while the files followed may have left any of these states, and colleagues may have
        pushed since. Files that stand untracked where upstream brings one are somebody's, too.
        """
        status = porcelain.status(self._repo, untracked_files="no")
        found = {path for paths in status.staged.values() for path in paths} | set(status.unstaged)
        touched = {path if isinstance(path, bytes) else os.fsencode(path) for path in found} | set(self._new_paths())
        trees = [self._tree(commit) if commit else Tree() for commit in (*self._coming(), self.head)]
        index = dict(self._repo.open_index().items())
        dirty = []
        for path in sorted(touched):
            states = [self._blob(path, tree) for tree in trees]
            entry = index.get(path)
            staged = self._repo[entry.sha].as_raw_string() if isinstance(entry, IndexEntry) else None
            if staged not in states or not self._is_state(self.path / os.fsdecode(path), states):
                dirty.append(os.fsdecode(path))
        if dirty:
            raise CloneDirty(str(self.path), tuple(dirty))

    def _is_state(self, file: Path, states: list[bytes | None]) -> bool:
        """Whether a file is in one of these states, or on the way to one that a killed process did not reach."""
        content = file.read_bytes() if file.is_file() else None
        # dulwich removes a file and writes it anew, not at one blow.
        on_the_way = any(state is not None and state.startswith(content or b"") for state in states)
        return content in states or (self._interrupted and len(set(states)) > 1 and on_the_way)

    def _coming(self) -> Iterator[str]:
        """The commits of upstream that the clone does not have yet."""
        head, upstream = self.head, self.upstream
        if upstream is not None and upstream != head:
            exclude = [ObjectID(head.encode())] if head else []
            for entry in self._repo.get_walker(include=[ObjectID(upstream.encode())], exclude=exclude):
                yield entry.commit.id.decode()

    def _new_paths(self) -> Iterator[bytes]:
        """What upstream adds and somebody has already put there."""
        if self.upstream is None or self.upstream == self.head:
            return
        old = self._tree(self.head).id if self.head else None
        for change in tree_changes(self._repo.object_store, old, self._tree(self.upstream).id):
            path = change.new.path if change.type == CHANGE_ADD and change.new else None
            if path is not None and os.path.lexists(self.path / os.fsdecode(path)):
                yield path

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Errors of git's files as ours."""
        try:
            yield
        except (FileLocked, filelock.Timeout) as error:
            raise CloneBusy(str(self.path)) from error
        except OSError as error:
            self._interrupted = True  # dulwich leaves its lock files behind
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NoSpace(str(self.path)) from error
            raise FileUnwritable(str(self.path), error.strerror or str(error)) from error

    def _tree(self, commit: str) -> Tree:
        found = self._repo[ObjectID(commit.encode())]
        if not isinstance(found, Commit):
            raise NotAClone(f"{self.path} ({commit[:8]} is no commit)")
        tree = self._repo[found.tree]
        if not isinstance(tree, Tree):
            raise NotAClone(f"{self.path} ({commit[:8]} has no tree)")
        return tree

    def _blob(self, path: bytes, tree: Tree) -> bytes | None:
        try:
            _, sha = tree_lookup_path(self._repo.__getitem__, tree.id, path)
        except (KeyError, NotADirectoryError):
            return None
        blob = self._repo[sha]
        return blob.data if isinstance(blob, Blob) else None

    def _is_ancestor(self, older: str, newer: str) -> bool:
        return can_fast_forward(self._repo, ObjectID(older.encode()), ObjectID(newer.encode()))

    def _distance(self, base: str | None, commit: str) -> int:
        exclude = [ObjectID(base.encode())] if base else []
        return sum(1 for _ in self._repo.get_walker(include=[ObjectID(commit.encode())], exclude=exclude))

    def _configure(self, url: str) -> None:
        config = self._repo.get_config()
        config.set((b"remote", b"origin"), b"url", url.encode())
        config.set((b"remote", b"origin"), b"fetch", b"+refs/heads/*:refs/remotes/origin/*")
        config.write_to_path()

    def _follow(self, branch: bytes) -> None:
        self._repo.refs.set_symbolic_ref(Ref(b"HEAD"), Ref(b"refs/heads/" + branch))
        config = self._repo.get_config()
        config.set((b"branch", branch), b"remote", b"origin")
        config.set((b"branch", branch), b"merge", b"refs/heads/" + branch)
        config.write_to_path()


def _tracking(branch: bytes) -> Ref:
    return Ref(b"refs/remotes/origin/" + branch)


def remove_created(path: Path, existed: bool) -> None:
    """Take away what a failed clone has put there, the folder itself only if it was ours."""
    if not path.is_dir():
        return
    if not existed:
        shutil.rmtree(path, ignore_errors=True)
        return
    for child in path.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child, ignore_errors=True)
        else:
            child.unlink(missing_ok=True)
