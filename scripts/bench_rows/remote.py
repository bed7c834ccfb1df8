"""The bucket that the rows over S3 read: a server behind the proxy, studies in it, and who mounts them.

Studies are put without the proxy and when a row first asks for them; what is measured goes through it. Each study has
a prefix of its own, and each payload's key in the bucket is what the other mounts and direct readers are given.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow.parquet as pq

from datomfs.cli.wiring import Session
from datomfs.model.location import Location
from datomfs.store.base import Store
from datomfs.write.payload import upload_payload
from scripts.bench_rows.measure import in_new_process
from scripts.bench_rows.mounting import serve_ours
from scripts.bench_rows.peers import JuiceFS, PeerMount, Rclone, RcloneTuned, S3fs
from scripts.bench_rows.studies import StoredVersion, data_sha_of, put_study
from scripts.bench_rows.wide import SMALL_ROWS, WIDE_ROWS, WideFile, describe, wide_table, write_foreign
from tests.latency_proxy import LatencyProxy, Line
from tests.mounts import s3_variables
from tests.s3_server import REGION, S3Server

FAR = Line(delay_s=0.020, cap=90e6)
"""What is measured: 20 ms to each request and each connection, 90 MB/s on a connection."""

_BUCKET = "bench"
_JUICE_BUCKET = "juice"
_SMALL_TABLES = 200
_MANY = 1000
_VERSION_BYTES = 1000


@dataclass(frozen=True, slots=True)
class RemoteStudy:
    """A study in the bucket: what `datomfs mount` is told, and its tables' versions, oldest first."""

    project: str
    location: Location
    tables: Mapping[str, Sequence[StoredVersion]]

    @property
    def options(self) -> list[str]:
        """How the command line names it."""
        return ["--store", self.location.url, "--project", self.project]

    @property
    def prefix(self) -> str:
        """What the keys of its objects begin with in the bucket."""
        return self.location.namespace


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A payload in the bucket: in a mount of ours, under its key, and as the file it was made from."""

    study: RemoteStudy
    path: str
    key: str
    file: WideFile


class Remote:
    """Made by `places`, which ends the server and the proxy. `scale` is the fraction of the data."""

    def __init__(self, server: S3Server, proxy: LatencyProxy, folder: Path, scale: float, *, peers: bool) -> None:
        self.proxy = proxy
        self.bucket = server.create_bucket(_BUCKET)
        self._server = server
        self._folder = folder
        self._scale = scale
        self._with_peers = peers
        self._session = Session(Path(), None)
        folder.mkdir()
        proxy.set_line(FAR)

    # -- what is read ----------------------------------------------------------------------------------------------

    @cached_property
    def big(self) -> RemoteFile:
        """The file of 524 MB in another writer's layout."""
        file = in_new_process(write_foreign, self._folder / "big.parquet", self._scaled(WIDE_ROWS))
        return self._file_of(self._put("foreign", {"big": [file.path]}), "big", file)

    @cached_property
    def own_layout(self) -> RemoteFile:
        """The same values as datomfs lays them out."""
        path = self._folder / "own.parquet"
        in_new_process(_lay_out, self.big.file.path, path, self._folder)
        return self._file_of(self._put("own", {"big": [path]}), "big", describe(path))

    @cached_property
    def small(self) -> RemoteStudy:
        """200 tables of 190 KB each; copies of their payloads lie side by side under `small_copies`."""
        files = {}
        for number in range(self._scaled(_SMALL_TABLES)):
            files[f"small{number:03d}"] = path = self._folder / f"small{number:03d}.parquet"
            pq.write_table(wide_table(SMALL_ROWS, 1000 + number), path, compression="snappy")
        client = self._server.client()
        for name, path in files.items():
            client.upload_file(str(path), self.bucket, f"{self.small_copies}{name}.parquet")
        return self._put("small", {name: [path] for name, path in files.items()})

    small_copies = "copies/"
    """The prefix under which other mounts find the payloads of `small` in one folder."""

    @cached_property
    def small_files(self) -> Mapping[str, Path]:
        """Those copies by key, and the files they were made from."""
        return {f"{self.small_copies}{name}.parquet": self._folder / f"{name}.parquet" for name in self.small.tables}

    @cached_property
    def many_versions(self) -> RemoteStudy:
        """A table of 1,000 versions of 1,000 bytes."""
        return self._put("versions", {"many": self._tiny_files})

    @cached_property
    def many_tables(self) -> RemoteStudy:
        """1,000 tables of one version."""
        return self._put("tables", {f"table{number:04d}": [file] for number, file in enumerate(self._tiny_files)})

    @cached_property
    def tiny_files(self) -> Mapping[str, Path]:
        """The payloads of `many_versions` by key, and the files they were made from."""
        study = self.many_versions
        versions = study.tables["many"]
        return {study.prefix + each.key: file for each, file in zip(versions, self._tiny_files, strict=True)}

    # -- who reads -------------------------------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """That of a process which reaches the server through the proxy."""
        return os.environ | s3_variables(self._server, self._folder) | {"AWS_ENDPOINT_URL": self.proxy.endpoint}

    @cached_property
    def peers(self) -> list[PeerMount]:
        """The other mounts of the bucket; none where the run leaves them out."""
        if not self._with_peers:
            return []
        plain = [kind(self.bucket, self.environment) for kind in (Rclone, RcloneTuned, S3fs)]
        juice = self._server.create_bucket(_JUICE_BUCKET)
        return [*plain, JuiceFS(juice, self.environment, self._folder / "juice")]

    def open_store(self, location: Location) -> Store:
        """A store of ours at a location in the bucket, not through the proxy."""
        return self._session.open_store("any", location)

    def ensure(self, peer: PeerMount, files: Mapping[str, Path]) -> None:
        """Have a peer hold these files, the server being near meanwhile. Raises SideFailed, MountFailed."""
        self.proxy.set_line(Line())
        try:
            peer.ensure(files)
        finally:
            self.proxy.set_line(FAR)

    @contextmanager
    def mounted(self, options: Sequence[str], folder: Path | None = None) -> Iterator[tuple[Path, int]]:
        """A mount of ours with these options and the daemon's pid; its cache is empty, or the one in `folder`."""
        with tempfile.TemporaryDirectory(dir=self._folder) as fresh:
            home = folder or Path(fresh)
            environment = self.environment | {"DATOMFS_CACHE_PATH": str(home / "cache")}
            with serve_ours(home / "mnt", options, environment) as pid:
                yield home / "mnt", pid

    @contextmanager
    def new_folder(self) -> Iterator[Path]:
        """A folder beside the data, gone afterwards."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            yield Path(folder)

    # -- how it comes about ----------------------------------------------------------------------------------------

    @cached_property
    def _tiny_files(self) -> list[Path]:
        draw = random.Random(0)  # noqa: S311 - bytes that mean nothing
        files = [self._folder / f"tiny{number:04d}" for number in range(self._scaled(_MANY))]
        for file in files:
            file.write_bytes(draw.randbytes(_VERSION_BYTES))
        return files

    def _put(self, name: str, tables: Mapping[str, Sequence[Path]]) -> RemoteStudy:
        project = name.upper()
        location = Location("s3", self.bucket, name, REGION)
        return RemoteStudy(project, location, put_study(self.open_store(location), project, tables))

    def _file_of(self, study: RemoteStudy, table: str, file: WideFile) -> RemoteFile:
        version = study.tables[table][-1]
        path = f"{study.project}/{table}/{version.file_name}"
        return RemoteFile(study, path, study.prefix + version.key, file)

    def _scaled(self, count: int) -> int:
        return max(1, round(count * self._scale))


def _lay_out(source: Path, target: Path, folder: Path) -> None:
    """Have datomfs write the values of `source`, through a folder store that goes again."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        Path(work, "store", "datom").mkdir(parents=True)
        store = Session(Path(), None).open_store("OWN", Location("local", f"{work}/store"))
        data_sha = data_sha_of("OWN", "big", 0)
        with pq.ParquetFile(source) as opened:
            upload_payload(store, "big", opened.read(), data_sha, Path(work))
        Path(work, "store", "datom", "big", f"{data_sha}.parquet").rename(target)
