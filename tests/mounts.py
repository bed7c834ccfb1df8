"""Mounts for tests: stores filled with versions by hand, and the real command line serving them as a daemon.

Everything a test mounts is unmounted, and every daemon ended, in every outcome.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from datomfs.identity.metadata import metadata_sha
from datomfs.layout import MANIFEST_KEY, history_key, metadata_key, payload_key
from datomfs.model.location import Location
from datomfs.model.timestamps import parse_timestamp_ns
from datomfs.store.base import Store
from datomfs.store.local import LocalStore
from tests.s3_server import REGION, S3Server

kernel_test = [
    pytest.mark.fuse,
    pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="there is no /dev/fuse to use"),
]
"""The marks of a test file that mounts for real."""

PROJECT = "STUDY_001"
DEADLINE_S = 30.0
_POLL_S = 0.02


def sha256(body: bytes) -> str:
    """The hex digest of some bytes."""
    return hashlib.sha256(body).hexdigest()


# -- what is mounted -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Version:
    """One version as it was put into a store. `parquet_sha` is what its history entry records, if anything."""

    version: str
    data_sha: str
    key: str
    body: bytes
    timestamp: str
    parquet_sha: str | None

    @property
    def time_ns(self) -> int:
        """Its timestamp in nanoseconds since 1970."""
        return parse_timestamp_ns(self.timestamp)

    def document(self, project: str) -> dict[str, Any]:
        """Its metadata."""
        return _document(project, self.data_sha, self.timestamp)

    @property
    def name(self) -> str:
        """Its file in a mount, by 8 digits."""
        return f"@{self.version[:8]}.parquet"


@dataclass
class StoredProject:
    """A project whose documents are put into a store by hand: any bytes, and any number of versions in no time."""

    store: Store
    name: str = PROJECT
    tables: dict[str, list[Version]] = field(default_factory=dict)
    _count: int = 0

    def put(self, table: str, *bodies: bytes, recorded: bool = True) -> list[Version]:
        """Put a version for each of `bodies`, the last being current from now on; the new ones, in this order.

        Without `recorded` no document says what the bytes are.
        """
        known = self.tables.setdefault(table, [])
        added = [self._put_payload(table, body, recorded) for body in bodies]
        known.extend(added)
        self._put_json(history_key(table), [_entry(version) for version in reversed(known)])
        self._put_json(metadata_key(table), _document(self.name, known[-1].data_sha, known[-1].timestamp))
        self._put_manifest()
        return added

    def _put_payload(self, table: str, body: bytes, recorded: bool) -> Version:
        self._count += 1
        data_sha = sha256(f"the values of {table}, {self._count}".encode())
        minutes = self._count
        timestamp = f"2026-03-{minutes // 1440 + 1:02}T{minutes // 60 % 24:02}:{minutes % 60:02}:00Z"
        version = metadata_sha(_document(self.name, data_sha, timestamp))
        key = payload_key(table, data_sha)
        self.store.put(key, body)
        return Version(version, data_sha, key, body, timestamp, sha256(body) if recorded else None)

    def _put_manifest(self) -> None:
        rows = {
            table: {
                "kind": "table",
                "current_version": versions[-1].version,
                "current_data_sha": versions[-1].data_sha,
                "last_updated": versions[-1].timestamp,
            }
            for table, versions in self.tables.items()
        }
        moment = max(versions[-1].timestamp for versions in self.tables.values())
        self._put_json(
            MANIFEST_KEY,
            {"schema_version": 2, "project_name": self.name, "artifacts": rows, "updated_at": moment},
        )

    def _put_json(self, key: str, document: Any) -> None:
        self.store.put(key, json.dumps(document).encode())


def stored_in(folder: Path, name: str = PROJECT) -> StoredProject:
    """A project in a folder store at `folder`, which is made."""
    folder.mkdir(parents=True)
    return StoredProject(LocalStore(Location("local", str(folder))), name)


def _document(project: str, data_sha: str, timestamp: str) -> dict[str, Any]:
    return {
        "schema_version": 2,
        "kind": "table",
        "data_sha": data_sha,
        "hash_algo": "datom-cv1",
        "created_at": timestamp,
        "project": project,
    }


def _entry(version: Version) -> dict[str, Any]:
    entry = {"version": version.version, "data_sha": version.data_sha, "timestamp": version.timestamp}
    return entry if version.parquet_sha is None else {**entry, "parquet_sha": version.parquet_sha}


# -- the mount -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Desk:
    """Somebody's own folders for settings, cache and state, and the command line as they would run it."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of processes at this desk: those of the test, its own homes, and what it was made with."""
        homes = {f"XDG_{kind}_HOME": str(self.folder / kind.lower()) for kind in ("CONFIG", "CACHE", "STATE")}
        return {**os.environ, **homes, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", **self.variables}

    @property
    def state(self) -> Path:
        """Where pid and log files of mounts lie."""
        return self.folder / "state" / "datomfs" / "mounts"

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """One `datomfs` command, done."""
        command = [sys.executable, "-m", "datomfs", *map(str, arguments)]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=2 * DEADLINE_S
        )


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount that answers, and the desk it was made from."""

    path: Path
    desk: Desk

    @property
    def project(self) -> Path:
        """The folder of the one project that most tests mount."""
        return self.path / PROJECT

    @property
    def log(self) -> str:
        """What the daemon has logged so far."""
        return _only(self.desk.state, ".log").read_text(encoding="utf-8")

    @property
    def complaints(self) -> list[str]:
        """The warnings and errors in its log, and what is no log line at all."""
        return [line for line in self.log.splitlines() if " INFO " not in line]

    @property
    def pid(self) -> int:
        """The daemon's, from its file."""
        return int(_only(self.desk.state, ".pid").read_text(encoding="ascii"))


@contextmanager
def mounted(
    folder: Path, *arguments: str | Path, complaints: bool = False, variables: Mapping[str, str] | None = None
) -> Iterator[Mount]:
    """A mount at `folder`/mnt made by `datomfs mount` with these further arguments.

    A daemon that logs a warning or an error fails the test, unless it expects `complaints`.
    """
    mount = Mount(folder / "mnt", Desk(folder / "desk", variables or {}))
    mount.path.mkdir(exist_ok=True)
    with ended(mount):
        done = mount.desk.run("mount", mount.path, *arguments)
        assert 0 == done.returncode, done.stderr
        yield mount
        assert complaints or [] == mount.complaints


@contextmanager
def ended(mount: Mount) -> Iterator[None]:
    """Whatever happens inside: afterwards nothing is mounted, and the daemon has ended."""
    try:
        yield
    finally:
        daemons = []
        with suppress(FileNotFoundError, ValueError):
            daemons = [mount.pid]
        subprocess.run(["fusermount3", "-uz", str(mount.path)], capture_output=True, check=False)
        for pid in daemons:
            end_process(pid)


def end_process(pid: int) -> None:
    """Wait for a process to end by itself, and kill it when it does not."""
    if not wait_for_end(pid):
        os.kill(pid, signal.SIGKILL)
        raise AssertionError(f"process {pid} had to be killed")


def wait_for_end(pid: int, within_s: float = DEADLINE_S) -> bool:
    """Whether a process has ended, or ends in time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], within_s)[0])
    finally:
        os.close(descriptor)


def eventually(check: Callable[[], bool]) -> None:
    """Return as soon as `check` holds; fail when it does not within the deadline."""
    until = time.monotonic() + DEADLINE_S
    while not check():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(_POLL_S)


def s3_variables(server: S3Server, folder: Path) -> dict[str, str]:
    """What lets boto3 find a server, and no settings of the user's."""
    return {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_CONFIG_FILE": str(folder / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-aws-credentials"),
    }


def store_options(project: StoredProject) -> list[str]:
    """How the command line names the store of a project."""
    return ["--store", project.store.url, "--project", project.name]


def _only(folder: Path, suffix: str) -> Path:
    found = [path for path in folder.iterdir() if path.name.endswith(suffix)] if folder.exists() else []
    if len(found) != 1:
        raise FileNotFoundError(f"one *{suffix} in {folder}, not {found}")
    return found[0]
