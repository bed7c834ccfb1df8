"""What a mount of a governed portfolio in S3 asks for: a request for each document and listing, none for a file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings
from datomfs.store.s3 import S3Store
from scripts.bench_rows.portfolios import Extent, put_in_bucket
from tests.latency_proxy import LatencyProxy, start_proxy
from tests.mounts import Mount, kernel_test, mounted, s3_variables
from tests.s3_server import S3Server

pytestmark = [*kernel_test, pytest.mark.s3]

EXTENT = Extent(projects=20, tables=12, versions=5)
"""More projects than a mount looks into by itself."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A mount, and the proxy between it and its stores."""

    mount: Mount
    proxy: LatencyProxy

    def requests(self, *command: str) -> int:
        """How many requests a program makes the mount send, which must not be anything but GET."""
        self.proxy.reset()
        subprocess.run([*command], check=True, capture_output=True)
        asked = self.proxy.traffic().requests
        assert set(asked) <= {"GET"}
        return sum(asked.values())


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[list[str]]:
    """The portfolio in a bucket, with tables in its first two projects."""
    bucket = s3_server.create_bucket("portfolio")
    session = boto3.Session(s3_server.access_key, s3_server.secret_key)

    def open_store(location: Location) -> S3Store:
        return S3Store(location, S3Settings(endpoint=s3_server.endpoint), session)

    yield [*put_in_bucket(tmp_path_factory.mktemp("portfolio"), EXTENT, bucket, open_store, filled=2)]
    s3_server.delete_bucket(bucket)


@pytest.fixture(params=[False, True], ids=["current versions listed", "all versions listed"])
def counted(
    options: list[str], s3_server: S3Server, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Counted]:
    """A fresh mount of it, whose projects have been listed."""
    proxy = start_proxy(int(s3_server.endpoint.rpartition(":")[2]))
    variables = s3_variables(s3_server, tmp_path) | {"AWS_ENDPOINT_URL": proxy.endpoint}
    more = ["--list-versions"] if request.param else []
    try:
        with mounted(tmp_path, *options, *more, variables=variables) as mount:
            assert list(EXTENT.project_names) == sorted(os.listdir(mount.path))
            assert {"GET": 2} == proxy.traffic().requests  # is gov storage there, and what does it list
            yield Counted(mount, proxy)
    finally:
        proxy.stop()


def test_requests_go_by_documents_and_listings_and_never_by_files(counted: Counted) -> None:
    root = str(counted.mount.path)
    project, other = (f"{root}/{name}" for name in EXTENT.project_names[:2])
    assert 0 == counted.requests("ls", "-l", root)
    assert counted.requests("ls", "-l", project) <= 3  # the ref twice, and the manifest
    assert 2 == counted.requests("ls", "-l", f"{project}/table001")  # its history, and one listing
    assert 2 * (EXTENT.tables - 1) == counted.requests("find", project, "-size", "-1k")
    assert counted.requests("ls", "-lLR", other) <= 3 + 2 * EXTENT.tables


def test_what_was_looked_at_is_looked_at_again_without_a_request(counted: Counted) -> None:
    root = str(counted.mount.path)
    for name in EXTENT.project_names[:2]:
        subprocess.run(["ls", "-lLR", f"{root}/{name}"], check=True, capture_output=True)
    for name in EXTENT.project_names[:2]:
        assert 0 == counted.requests("ls", "-lLR", f"{root}/{name}")
        assert 0 == counted.requests("find", f"{root}/{name}", "-name", "*.parquet", "-size", "-1k")
    assert 0 == counted.requests("ls", "-l", root)
