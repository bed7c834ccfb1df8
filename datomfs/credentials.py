"""Who we are to S3 and to git hosts: credentials from the environment, the keyring and boto3's own chain.

`store.s3` gets its session from here and `repo` its token; nothing else asks. A secret travels as a `Secret`, which
masks itself wherever it would be printed. boto3 and keyring take 0.15 s to import, so they are imported by the
functions that need them. Keyring entries are those R's `keyring` package stores for datom: the service is the name of
the entry, the user name is empty.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from datomfs.errors import ConfigInvalid
from datomfs.model.s3 import S3Settings

if TYPE_CHECKING:
    from boto3.session import Session

log = logging.getLogger(__name__)

_MASK = "***"

_AWS_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Variables by which a person or a platform gave this very process its AWS identity."""

_GIT_VARIABLES = ("GITHUB_PAT", "GITHUB_TOKEN")
_GIT_USER = "x-access-token"
"""The user name GitHub expects beside a token over HTTPS."""


class Secret:
    """A text that shows itself only to `reveal()`: `repr`, `str` and `format` give a mask."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({_MASK})"

    def __str__(self) -> str:
        return _MASK

    def __format__(self, spec: str) -> str:
        return format(_MASK, spec)

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not written anywhere")


@dataclass(frozen=True, slots=True)
class GitCredentials:
    """A user name and a token for one git host."""

    username: str
    token: Secret


def aws_session(settings: S3Settings) -> Session:
    """A boto3 session with the first identity of: profile in the settings, environment, keyring, boto3's own chain.

    Raises ConfigInvalid for a profile that the AWS configuration does not have. Whether the identity is valid, only a
    request can tell.
    """
    import boto3
    from botocore.exceptions import ProfileNotFound

    _keep_headers_out_of_logs()
    key_id = secret_key = None
    if not settings.profile and not any(os.environ.get(name) for name in _AWS_VARIABLES):
        key_id, secret_key = _find_in_keyring("AWS_ACCESS_KEY_ID"), _find_in_keyring("AWS_SECRET_ACCESS_KEY")
    try:
        if key_id and secret_key:
            return boto3.Session(key_id.reveal(), secret_key.reveal(), region_name=settings.region)
        return boto3.Session(region_name=settings.region, profile_name=settings.profile)
    except ProfileNotFound as error:
        where = "s3.profile" if settings.profile else "AWS_PROFILE"
        raise ConfigInvalid(where, str(error)) from error


class AwsSessions:
    """A boto3 session for each way to reach buckets: it takes some MB, and its stores share clients that take more.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._sessions: dict[S3Settings, Session] = {}
        self._lock = Lock()

    def get(self, settings: S3Settings) -> Session:
        """The session of some settings; its identity is that of `aws_session`, found the first time. Raises as that."""
        with self._lock:
            if settings not in self._sessions:
                self._sessions[settings] = aws_session(settings)
            return self._sessions[settings]


def git_credentials(url: str) -> GitCredentials | None:
    """What to show the host of an http(s) URL: its own password, GITHUB_PAT, GITHUB_TOKEN or the keyring's; or None.

    Other URLs (ssh, folders) have ways of their own.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        return None
    username = unquote(parts.username or _GIT_USER)
    if parts.password:
        return GitCredentials(username, Secret(unquote(parts.password)))
    for name in _GIT_VARIABLES:
        if token := os.environ.get(name):
            return GitCredentials(username, Secret(token))
    found = _find_in_keyring(_GIT_VARIABLES[0])
    return GitCredentials(username, found) if found else None


def _find_in_keyring(entry: str) -> Secret | None:
    """The secret of a keyring entry, or None: also where there is no keyring, or it fails or stays locked."""
    try:
        import keyring

        found = keyring.get_credential(entry, None)
        # macOS finds an entry only by its user name, and R leaves that empty.
        text = found.password if found else keyring.get_password(entry, "")
    except Exception as error:  # each backend fails in its own way: dbus, jeepney, its own library
        log.debug("no keyring entry %s: %s", entry, type(error).__name__)
        return None
    return Secret(text) if text else None


def _keep_headers_out_of_logs() -> None:
    # botocore's DEBUG lines hold signed headers, session tokens among them. WARNING and not INFO: a logger with a level
    # of its own no longer asks the root, and would tell everybody where it found credentials.
    botocore_log = logging.getLogger("botocore")
    if botocore_log.level == logging.NOTSET:
        botocore_log.setLevel(logging.WARNING)
