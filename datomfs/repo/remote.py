"""One git remote: what it holds, fetching from it, and pushing one commit to one branch.

`data_repo` and `mirror` are the callers. Everything dulwich and urllib3 raise on the way is translated here.

A folder remote is served by the machine's own `git` where there is one, because only that runs the remote's hooks:
dulwich's local client moves the ref itself and would walk past a pre-receive hook that says no.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import urllib3.exceptions
from dulwich.client import (
    GitClient,
    HTTPProxyUnauthorized,
    HTTPUnauthorized,
    LocalGitClient,
    SubprocessGitClient,
    get_transport_and_path,
)
from dulwich.config import ConfigDict
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository, SendPackError
from dulwich.objects import ObjectID
from dulwich.pack import UnpackedObject
from dulwich.refs import Ref
from dulwich.repo import Repo

from datomfs.credentials import git_credentials
from datomfs.errors import ConfigInvalid, RemoteDenied, RemoteRefused, RemoteUnreachable

log = logging.getLogger(__name__)

DEFAULT_BRANCH = b"main"
_TIMEOUT_S = b"60"
_HOOKS = ("pre-receive", "update", "post-receive")
_DENIALS = ("401", "403", "permission denied", "authentication failed", "access denied")


@dataclass(frozen=True, slots=True)
class RemoteState:
    """The branches of a remote (name → commit, both as bytes) and the branch its HEAD names, if it tells."""

    branches: dict[bytes, bytes]
    head_branch: bytes | None


class Remote:
    """A git remote by URL: a folder, `file://`, `http(s)://` with a token from the credentials, or ssh."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client, self._path = _connect(url)

    def fetch(self, repo: Repo) -> RemoteState:
        """Bring all objects of the remote's branches into `repo`; its refs are left alone.

        Raises RemoteUnreachable, RemoteDenied.
        """
        with _translated(self.url):
            result = self._client.fetch(self._path.encode(), repo)
        branches = _branches(result.refs)
        head = result.symrefs.get(Ref(b"HEAD")) if result.symrefs else None
        return RemoteState(branches, bytes(head).removeprefix(b"refs/heads/") if head else self._unborn_head())

    def fetch_default(self, repo: Repo) -> bytes | None:
        """Bring the remote's default branch alone, and give its commit; None where the remote has no branch.

        A host advertises far more (one ref for each pull request), and readers need none of that. Raises
        RemoteUnreachable, RemoteDenied.
        """
        newest: ObjectID | None = None

        def wants(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
            nonlocal newest
            branches = _branches(refs)
            chosen = branches.get(choose_branch(branches, None))
            newest = refs.get(Ref(b"HEAD")) or (ObjectID(chosen) if chosen else None)
            return [newest] if newest is not None and newest not in repo.object_store else []

        with _translated(self.url):
            self._client.fetch(self._path.encode(), repo, determine_wants=wants)
        return newest

    def push(self, repo: Repo, branch: bytes, commit: bytes, *, expected: bytes | None) -> bool:
        """Move `branch` from `expected` (None: it does not exist) to `commit`. False when somebody else was first.

        The remote compares and swaps, so of two pushes from one state exactly one wins. Raises RemoteRefused,
        RemoteUnreachable, RemoteDenied.
        """
        ref = Ref(b"refs/heads/" + branch)
        self._check_hooks_run()

        lost = False
        said: list[bytes] = []

        def update(refs: dict[Ref, ObjectID]) -> dict[Ref, ObjectID]:
            nonlocal lost
            lost = refs.get(ref) != expected
            return {} if lost else {ref: ObjectID(commit)}

        def pack(
            have: Set[ObjectID],
            want: Set[ObjectID],
            *,
            ofs_delta: bool = False,
            progress: Callable[[bytes], None] | None = None,
        ) -> tuple[int, Iterator[UnpackedObject]]:
            return repo.generate_pack_data(set(have), set(want), ofs_delta=ofs_delta)

        with _translated(self.url):
            result = self._client.send_pack(self._path.encode(), update, pack, progress=said.append)
        if lost:
            return False
        reasons = [reason for reason in (result.ref_status or {}).values() if reason]
        if reasons:
            words = b"".join(said).decode(errors="replace").split("\n")
            return self._judge_refusal(
                repo, branch, expected, "; ".join([str(reasons[0]), *filter(None, map(str.strip, words))])
            )
        return True

    def _judge_refusal(self, repo: Repo, branch: bytes, expected: bytes | None, reason: str) -> bool:
        """False when the branch has moved meanwhile (the race was lost); else the remote did not want our commit."""
        if self.fetch(repo).branches.get(branch) != expected:
            return False
        raise RemoteRefused(self.url, reason)

    def _check_hooks_run(self) -> None:
        if isinstance(self._client, LocalGitClient):
            hooks = Path(self._path, "hooks")
            active = [name for name in _HOOKS if os.access(hooks / name, os.X_OK)]
            if active:
                raise RemoteRefused(self.url, f"it has the hook {active[0]}, which only an installed git can run")

    def _unborn_head(self) -> bytes | None:
        """The branch an empty folder remote expects; other remotes do not tell."""
        if not isinstance(self._client, LocalGitClient | SubprocessGitClient):
            return None
        with _translated(self.url), Repo(self._path) as remote:
            return remote.refs.get_symrefs().get(Ref(b"HEAD"), b"").removeprefix(b"refs/heads/") or None


def _branches(refs: Mapping[Ref, ObjectID | None]) -> dict[bytes, bytes]:
    """The branches among what a remote advertises, by their short names."""
    return {
        bytes(ref).removeprefix(b"refs/heads/"): bytes(commit)
        for ref, commit in refs.items()
        if commit is not None and bytes(ref).startswith(b"refs/heads/")
    }


def choose_branch(branches: Mapping[bytes, bytes], head: bytes | None) -> bytes:
    """The branch a clone follows: the remote's HEAD, else one of the usual names, else the first it has."""
    if head is not None and (head in branches or not branches):
        return head
    usual = next((name for name in (DEFAULT_BRANCH, b"master") if name in branches), None)
    return usual or min(branches, default=DEFAULT_BRANCH)


def display_url(url: str) -> str:
    """The URL without a password or token in it."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def check_remote_url(url: str) -> str:
    """`url` itself, unless it carries a password: URLs end up in files. Raises ConfigInvalid."""
    if urlsplit(url).password is not None:
        reason = "a URL must not hold a password or token; put it into the keyring entry GITHUB_PAT"
        raise ConfigInvalid(f"git remote {display_url(url)}", reason)
    return url


def _connect(url: str) -> tuple[GitClient, str]:
    folder = url.removeprefix("file://")
    if "://" not in folder and (Path(folder).is_absolute() or Path(folder).exists()):
        if not Path(folder).is_dir():
            raise RemoteUnreachable(url, "no such folder")
        if not any(Path(folder, name).exists() for name in ("HEAD", ".git")):
            raise RemoteUnreachable(url, "there is no git repository")
        client: GitClient = SubprocessGitClient() if shutil.which("git") else LocalGitClient()
        return client, folder
    config = ConfigDict()
    config.set((b"http",), b"timeout", _TIMEOUT_S)
    login = git_credentials(url)
    try:
        return get_transport_and_path(
            url,
            config=config,
            username=login.username if login else None,
            password=login.token.reveal() if login else None,
        )
    except ValueError as error:
        raise RemoteUnreachable(display_url(url), "it is no git URL") from error


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Errors of dulwich and urllib3 as ours. Their texts are kept, credentials are not in them."""
    shown = display_url(url)
    try:
        yield
    except (HTTPUnauthorized, HTTPProxyUnauthorized) as error:
        raise RemoteDenied(shown, "no valid credentials") from error
    except NotGitRepository as error:
        raise RemoteUnreachable(shown, "there is no git repository") from error
    except SendPackError as error:
        raise RemoteRefused(shown, _text(error)) from error
    except (HangupException, GitProtocolError) as error:
        text = _text(error)
        if any(word in text.lower() for word in _DENIALS):
            raise RemoteDenied(shown, text) from error
        raise RemoteUnreachable(shown, text) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # the clone's own disk: `data_repo` knows its name
        raise RemoteUnreachable(shown, _text(error)) from error


def _text(error: BaseException) -> str:
    tried = error if isinstance(error, urllib3.exceptions.MaxRetryError) else error.__cause__
    if isinstance(tried, urllib3.exceptions.MaxRetryError) and tried.reason is not None:
        # `HTTPConnection(host=…, port=…): why`; host and port stand in the URL already.
        text = str(tried.reason)
        return text.partition("): ")[2] or text
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "; ".join(lines) or type(error).__name__
