"""A mount over a store that has bad days: payloads whose bytes are known, a fault proxy, and readers that compare.

`open_study` makes all of it. A read ends with the recorded bytes or with EIO, and in time: `Study.read` fails the test
otherwise, so tests only say what they expect to come.
"""

from __future__ import annotations

import errno
import io
import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings
from datomfs.store.s3 import S3Store
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.mounts import Mount, StoredProject, Version, eventually, mounted, s3_variables, sha256, store_options
from tests.s3_server import S3Server

STALL_S = 1.5
MARGIN_S = 3.0
"""How much later than its deadline a request may end on a busy machine."""
STEP = 128 << 10
MIB = 1 << 20


def plain(name: str, size: int = 3 * MIB) -> bytes:
    """Bytes of no format, others for each name."""
    return np.random.default_rng(zlib.crc32(name.encode())).bytes(size)


def parquet(name: str, rows: int = 100_000) -> bytes:
    """A parquet file of about 40 bytes a row, another for each name: five columns, four row groups."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    file = io.BytesIO()
    table = pa.table({f"column{number}": random.random(rows) for number in range(5)})
    pq.write_table(table, file, row_group_size=rows // 4, use_dictionary=False, compression="none")
    return file.getvalue()


class AttestingStore:
    """A store whose payloads are uploaded, so that the server attests their SHA-256."""

    def __init__(self, store: S3Store, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, key: str, body: bytes, **conditions: Any) -> object:
        """Put a document, or a payload in place of what is there."""
        if not key.endswith(".parquet"):
            return self._store.put(key, body, **conditions)
        source = self._folder / "upload"
        source.write_bytes(body)
        self._store.delete(key)
        return self._store.upload(key, source, sha256=sha256(body))


@dataclass
class Study:
    """A project in a bucket, whose tables are attested or not, and a mount of it through the proxy."""

    proxy: FaultProxy
    mount: Mount
    stored: StoredProject
    attesting: AttestingStore
    plain_store: S3Store
    cache: Path
    said: int = 0
    versions: dict[str, Version] = field(default_factory=dict)

    def put(self, table: str, body: bytes, *, attested: bool = True, recorded: bool = True) -> Path:
        """A new table; its file in the mount."""
        self.stored.store = self.attesting if attested else self.plain_store  # type: ignore[assignment]
        (version,) = self.stored.put(table, body, recorded=recorded)
        self.versions[table] = version
        path = self.mount.project / table / version.name
        eventually(path.parent.exists)
        return path

    def replace(self, table: str, body: bytes, *, attested: bool = True) -> None:
        """Other bytes in place of a table's object."""
        (self.attesting if attested else self.plain_store).put(self.versions[table].key, body)

    def body(self, path: Path) -> bytes:
        """What a file should hold."""
        return self.versions[path.parent.name].body

    def new_lines(self) -> list[str]:
        """What the daemon has complained of since the last time."""
        lines = self.mount.complaints
        new, self.said = lines[self.said :], len(lines)
        return new

    def read(self, path: Path, *, step: int = STEP) -> list[int]:
        """Read a file to its end in steps; the offsets of the steps that ended in EIO. All others are as recorded."""
        with open_file(path) as fd:
            return read_steps(fd, self.body(path), step)

    def check_whole(self, path: Path) -> None:
        """All of a file can be read."""
        assert [] == self.read(path)

    def check_none(self, path: Path) -> None:
        """The file cannot be opened, or nothing of it can be read."""
        begun = time.monotonic()
        try:
            fd = os.open(path, os.O_RDONLY)
        except OSError as error:
            assert error.errno in (errno.EIO, errno.EACCES)  # noqa: PT017 - EACCES where the store denies access
            assert time.monotonic() - begun < STALL_S + MARGIN_S
            return
        try:
            assert is_eio(fd, 0, STEP)
        finally:
            os.close(fd)

    def check_alive(self) -> None:
        """The daemon answers, and reads what it never saw before."""
        self.proxy.recover()
        name = f"alive{self.proxy.counts.total()}"
        path = self.put(name, plain(name, 1000), attested=False)
        assert 1000 == path.stat().st_size
        self.check_whole(path)


@contextmanager
def open_file(path: Path) -> Iterator[int]:
    """A descriptor that the kernel does not read ahead for, closed afterwards."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
        yield fd
    finally:
        os.close(fd)


def read_steps(fd: int, body: bytes, step: int = STEP, offsets: Sequence[int] | None = None) -> list[int]:
    """The offsets at which reading a step ended in EIO; what was read is as it should be, and came in time."""
    return [at for at in (offsets or range(0, len(body), step)) if not is_read(fd, body, at, step)]


def is_read(fd: int, body: bytes, offset: int, length: int) -> bool:
    """Whether a range can be read, and is as it should be: False for EIO."""
    expected, done = body[offset : offset + length], 0
    with in_time():
        while done < len(expected):  # the kernel gives what it has before it tells an error
            try:
                data = os.pread(fd, len(expected) - done, offset + done)
            except OSError as error:
                assert errno.EIO == error.errno  # noqa: PT017
                return False
            assert data, "the file ends too early"
            assert expected[done : done + len(data)] == data, "wrong bytes"
            done += len(data)
    return True


def is_eio(fd: int, offset: int, length: int) -> bool:
    """Whether reading a range ends in EIO and gives nothing, in time."""
    with in_time():
        try:
            os.pread(fd, length, offset)
        except OSError as error:
            return errno.EIO == error.errno
    return False


@contextmanager
def in_time() -> Iterator[None]:
    """Fail where what is done takes longer than its deadline, twice: a step that is not aligned is two requests."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < 2 * STALL_S + MARGIN_S


@contextmanager
def open_study(
    folder: Path, server: S3Server, bucket: str, *arguments: str | Path, variables: Mapping[str, str] | None = None
) -> Iterator[Study]:
    """A mounted study; its tables may be put while it is mounted. The daemon lives on whatever was done to it."""
    location = Location("s3", bucket, folder.name)
    session = boto3.Session(server.access_key, server.secret_key, region_name="us-east-1")
    store = S3Store(location, S3Settings(endpoint=server.endpoint), session)
    stored = StoredProject(store)
    stored.put("first", b"the first table")
    with fault_proxy(server) as proxy:
        environment = {
            **s3_variables(server, folder),
            "AWS_ENDPOINT_URL": proxy.endpoint,
            "DATOMFS_MOUNT_STALL_S": str(STALL_S),
            "DATOMFS_CACHE_MIN_FREE": "0",
            **(variables or {}),
        }
        cache = folder / "cache"
        options = [*store_options(stored), "--refresh", "0.1", "--cache-dir", cache, *arguments]
        with mounted(folder, *options, complaints=True, variables=environment) as mount:
            pid = mount.pid
            study = Study(proxy, mount, stored, AttestingStore(store, folder), store, cache)
            yield study
            study.check_alive()
            assert pid == mount.pid
            assert "Traceback" not in mount.log
