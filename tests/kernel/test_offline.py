"""A mount without network: it starts, serves all it ever knew, says what it cannot serve, and heals by itself."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest

from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings
from datomfs.store.s3 import S3Store
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.fault_rules import Fault
from tests.faults import Stall, hang_up
from tests.mounts import (
    PROJECT,
    Mount,
    StoredProject,
    eventually,
    kernel_test,
    mounted,
    s3_variables,
    store_options,
    stored_in,
)
from tests.portfolios import make_governance
from tests.product import PRODUCT, SET, SET_VERSION, put_product
from tests.s3_server import S3Server

pytestmark = [*kernel_test, pytest.mark.s3]

MIB = 1 << 20
BODY = os.urandom(MIB + 5)
OPTIONS = ("--refresh", "0.2")


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(s3_server) as proxy:
        yield proxy


@pytest.fixture
def stored(s3_environment: S3Server, s3_bucket: str) -> StoredProject:
    """dm in two versions, ex in one."""
    stored = StoredProject(S3Store(Location("s3", s3_bucket), S3Settings(), boto3.Session()))
    stored.put("dm", b"the first", BODY)
    stored.put("ex", b"never read")
    return stored


@pytest.fixture
def variables(s3_server: S3Server, proxy: FaultProxy, tmp_path: Path) -> Mapping[str, str]:
    """What leads a mount through the proxy, and has it wait for nobody for long."""
    return {**s3_variables(s3_server, tmp_path), "AWS_ENDPOINT_URL": proxy.endpoint, "DATOMFS_MOUNT_STALL_S": "6"}


@contextmanager
def away(proxy: FaultProxy, fault: Fault = hang_up) -> Iterator[None]:
    """While this lasts, no request gets through."""
    proxy.inject(fault)
    proxy.cut_all()
    yield
    proxy.recover()
    proxy.cut_all()


def errno_of(ask: Callable[[], object]) -> str:
    """The name of the errno something fails with."""
    with pytest.raises(OSError, match=r"Errno") as caught:
        ask()
    return errno.errorcode[caught.value.errno or 0]


def look(mount: Mount) -> list[tuple[str, int, int, int]]:
    """All that is listed, as `ls -lR` sees it."""
    found = [(path, path.lstat()) for path in sorted(mount.path.rglob("*"))]
    return [(str(path), status.st_ino, status.st_size, status.st_mtime_ns) for path, status in found]


def test_a_mount_starts_without_network_and_serves_what_an_earlier_one_knew(
    tmp_path: Path, stored: StoredProject, proxy: FaultProxy, variables: Mapping[str, str]
) -> None:
    first, last = stored.tables["dm"]
    with mounted(tmp_path, *store_options(stored), variables=variables) as mount:
        online = look(mount)
        assert BODY == (mount.project / "dm.parquet").read_bytes()
        assert b"the first" == (mount.project / "dm" / first.name).read_bytes()
    with away(proxy), mounted(tmp_path, *store_options(stored), variables=variables, complaints=True) as mount:
        assert online == look(mount)
        assert BODY == (mount.project / "dm.parquet").read_bytes()
        assert f"dm/{last.name}" == os.readlink(mount.project / "dm.parquet")
        assert b"the first" == (mount.project / "dm" / first.name).read_bytes()
        assert "EIO" == errno_of((mount.project / "ex.parquet").read_bytes)
        assert "ENOENT" == errno_of((mount.project / "ae.parquet").stat)
        assert f"project {PROJECT} is served as it was" in mount.log
        assert "Traceback" not in mount.log


def test_sets_documents_and_what_is_recorded_are_there_without_network_once_they_were_looked_at(
    tmp_path: Path, s3_environment: S3Server, s3_bucket: str, proxy: FaultProxy, variables: Mapping[str, str]
) -> None:
    store = S3Store(Location("s3", s3_bucket), S3Settings(), boto3.Session())
    put_product(store)
    options = ("--store", store.url, "--project", PRODUCT)

    def told(mount: Mount) -> list[object]:
        directory = mount.path / PRODUCT / SET / f"@{SET_VERSION[:8]}"
        documents = mount.path / PRODUCT / ".datom"
        names = ("manifest.json", f"{SET}/metadata.json", f"{SET}/history.csv", f"{SET}/set.json")
        return [
            {name: os.readlink(directory / name) for name in os.listdir(directory)},
            [(documents / name).read_bytes() for name in names],
            os.listdir(documents / SET / "versions"),
            {name: os.getxattr(directory, f"user.datom.{name}") for name in ("hash_algo", "author", "tags")},
        ]

    with mounted(tmp_path, *options, variables=variables) as mount:
        online = told(mount)
    with away(proxy), mounted(tmp_path, *options, variables=variables, complaints=True) as mount:
        assert online == told(mount)
        assert "EIO" == errno_of((mount.path / PRODUCT / ".datom" / "governance.json").read_bytes)
        assert "Traceback" not in mount.log


def test_it_heals_when_the_network_is_back(
    tmp_path: Path, stored: StoredProject, proxy: FaultProxy, variables: Mapping[str, str]
) -> None:
    options = (*store_options(stored), *OPTIONS)
    with mounted(tmp_path, *options, variables=variables) as mount:
        assert BODY == (mount.project / "dm.parquet").read_bytes()
        assert ["ex", "ex.parquet"] == sorted(os.listdir(mount.project))[2:]
    with mounted_while_away(tmp_path, proxy, options, variables) as mount:
        assert BODY == (mount.project / "dm.parquet").read_bytes()
        stored.put("dm", b"newer")
        assert BODY == (mount.project / "dm.parquet").read_bytes()
        proxy.recover()
        eventually(lambda: (mount.project / "dm.parquet").read_bytes() == b"newer")
        assert b"never read" == (mount.project / "ex.parquet").read_bytes()


@contextmanager
def mounted_while_away(
    folder: Path, proxy: FaultProxy, options: tuple[str, ...], variables: Mapping[str, str], fault: Fault = hang_up
) -> Iterator[Mount]:
    with away(proxy, fault), mounted(folder, *options, variables=variables, complaints=True) as mount:
        yield mount


def test_a_network_that_swallows_everything_delays_the_first_look_by_seconds_and_nothing_else(
    tmp_path: Path, stored: StoredProject, proxy: FaultProxy, variables: Mapping[str, str]
) -> None:
    options = store_options(stored)
    slow = {**variables, "DATOMFS_MOUNT_STALL_S": "30"}
    with mounted(tmp_path, *options, variables=slow) as mount:
        online = look(mount)
        assert BODY == (mount.project / "dm.parquet").read_bytes()
    stall = Stall()
    began_s = time.monotonic()
    with mounted_while_away(tmp_path, proxy, tuple(options), slow, stall) as mount:
        assert online == look(mount)
        assert BODY == (mount.project / "dm.parquet").read_bytes()
        assert time.monotonic() - began_s < 15
        stall.release()


def test_what_was_read_before_the_network_went_is_joined_by_what_an_earlier_mount_kept(
    tmp_path: Path, stored: StoredProject, proxy: FaultProxy, variables: Mapping[str, str]
) -> None:
    options = (*store_options(stored), *OPTIONS)
    with mounted(tmp_path, *options, variables=variables) as mount:
        assert BODY == (mount.project / "dm.parquet").read_bytes()
    with mounted(tmp_path, *options, variables=variables, complaints=True) as mount:
        assert ["dm", "dm.parquet", "ex", "ex.parquet"] == sorted(os.listdir(mount.project))
        with away(proxy):
            eventually(lambda: bool(os.listdir(mount.project)) and "is served as it was" in mount.log)
            assert BODY == (mount.project / "dm.parquet").read_bytes()


def test_a_history_that_was_kept_and_is_older_than_its_project_loses_no_version(
    tmp_path: Path, stored: StoredProject, proxy: FaultProxy, variables: Mapping[str, str]
) -> None:
    options = (*store_options(stored), *OPTIONS)
    with mounted(tmp_path, *options, variables=variables) as mount:
        assert BODY == (mount.project / "dm.parquet").read_bytes()
    stored.put("dm", b"newer")
    with mounted(tmp_path, *options, variables=variables, complaints=True) as mount:
        assert os.listdir(mount.project)
        with away(proxy):
            eventually(lambda: bool(os.listdir(mount.project)) and "is served as it was" in mount.log)
            assert "EIO" == errno_of((mount.project / "dm.parquet").read_bytes)


def test_a_place_where_nothing_was_ever_kept_is_an_error_and_not_empty(
    tmp_path: Path, stored: StoredProject, proxy: FaultProxy, variables: Mapping[str, str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[project.{PROJECT}]\nstore = "{stored.store.url}"\n')
    with mounted_while_away(tmp_path, proxy, ("--config", str(config)), variables) as mount:
        assert [PROJECT] == os.listdir(mount.path)
        assert "EIO" == errno_of(lambda: os.listdir(mount.project))
        assert "could not be reached" in mount.log


@pytest.mark.parametrize("road", ["repo", "store"])
def test_a_governed_portfolio_starts_without_git_gov_storage_and_data(
    tmp_path: Path, stored: StoredProject, proxy: FaultProxy, variables: Mapping[str, str], road: str, s3_bucket: str
) -> None:
    governance = make_governance(tmp_path)
    governance.register(PROJECT, Location("s3", s3_bucket))
    governance.register("UNSEEN", Location("s3", s3_bucket, "unseen"))
    client = boto3.client("s3")
    for path in sorted(path for path in governance.storage.rglob("*.json")):
        client.put_object(Bucket=s3_bucket, Key=f"gov/{path.relative_to(governance.storage)}", Body=path.read_bytes())
    options = governance.by_repo if road == "repo" else ["--gov-store", f"s3://{s3_bucket}/gov"]
    with mounted(tmp_path, *options, variables=variables, complaints=True) as mount:
        assert BODY == (mount.project / "dm.parquet").read_bytes()
    governance.remote.rename(tmp_path / "gov-away.git")
    with mounted_while_away(tmp_path, proxy, (*options, *OPTIONS), variables) as mount:
        assert [PROJECT, "UNSEEN"] == sorted(os.listdir(mount.path))
        assert BODY == (mount.project / "dm.parquet").read_bytes()
        assert "EIO" == errno_of(lambda: os.listdir(mount.path / "UNSEEN"))
        assert "the list of projects is served as it was" in mount.log
        (tmp_path / "gov-away.git").rename(governance.remote)
        proxy.recover()
        (new,) = stored.put("dm", b"newer")
        eventually(lambda: os.readlink(mount.project / "dm.parquet") == f"dm/{new.name}")
        assert b"newer" == (mount.project / "dm.parquet").read_bytes()


def test_a_ref_that_was_kept_leads_nowhere_that_is_not_allowed_any_more(tmp_path: Path) -> None:
    governance = make_governance(tmp_path)
    stored_in(tmp_path / "data" / "A", "A").put("dm", b"the bytes")
    governance.register("A", Location("local", str(tmp_path / "data" / "A")))
    roots = ("--allow-root", str(tmp_path / "data"))
    for road in (governance.by_repo, governance.by_store):
        with mounted(tmp_path, *road, *roots) as mount:
            assert b"the bytes" == (mount.path / "A" / "dm.parquet").read_bytes()
    for place, road in ((governance.remote, governance.by_repo), (governance.storage, governance.by_store)):
        place.rename(place.with_name("away"))
        with mounted(tmp_path, *road, *roots, complaints=True) as mount:
            assert b"the bytes" == (mount.path / "A" / "dm.parquet").read_bytes()
        with mounted(tmp_path, *road, complaints=True) as mount:
            assert ["A"] == os.listdir(mount.path)
            assert "EACCES" == errno_of(lambda mount=mount: os.listdir(mount.path / "A"))  # type: ignore[misc]
        place.with_name("away").rename(place)
