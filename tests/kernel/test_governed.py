"""A governed portfolio, mounted: what is registered shows, each project has its own trouble, and what R made is R's."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datomfs.layout import REF_FILE
from datomfs.model.location import Location
from tests.builders import git
from tests.fault_proxy import fault_proxy
from tests.faults import expired
from tests.identity.r_stores import FOLDER, needs_r_stores
from tests.kernel.csv_dump import read_arrow, read_dump
from tests.mounts import Mount, eventually, kernel_test, mounted, s3_variables, stored_in
from tests.portfolios import Governance, make_governance, ref_of
from tests.s3_server import S3Server

pytestmark = kernel_test

REFRESH = ("--refresh", "0.2")


@pytest.fixture
def governance(tmp_path: Path) -> Governance:
    """Two projects in folders, of one table each."""
    made = make_governance(tmp_path)
    for name in ("A", "B"):
        stored_in(tmp_path / "data" / name, name).put("dm", f"the bytes of {name}".encode())
        made.register(name, Location("local", str(tmp_path / "data" / name)))
    return made


def options(governance: Governance, road: str) -> list[str]:
    roots = ["--allow-root", str(governance.remote.parent / "data")]
    return [*(governance.by_repo if road == "repo" else governance.by_store), *roots]


roads = pytest.mark.parametrize("road", ["repo", "store"])


@roads
def test_projects_are_those_of_governance(tmp_path: Path, governance: Governance, road: str) -> None:
    with mounted(tmp_path, *options(governance, road)) as mount:
        assert ["A", "B"] == sorted(os.listdir(mount.path))
        for name in ("A", "B"):
            assert f"the bytes of {name}".encode() == (mount.path / name / "dm.parquet").read_bytes()


@roads
def test_a_registered_project_appears_and_a_decommissioned_one_disappears(
    tmp_path: Path, governance: Governance, road: str
) -> None:
    with mounted(tmp_path, *options(governance, road), *REFRESH) as mount:
        assert b"the bytes of A" == (mount.path / "A" / "dm.parquet").read_bytes()
        assert not (mount.path / "C").exists()
        with (mount.path / "A" / "dm.parquet").open("rb", buffering=0) as file:
            stored_in(tmp_path / "data" / "C", "C").put("dm", b"of C")
            governance.register("C", Location("local", str(tmp_path / "data" / "C")))
            governance.unregister("A")
            eventually(lambda: (mount.path / "C").exists() and not (mount.path / "A").exists())
            assert ["B", "C"] == sorted(os.listdir(mount.path))
            assert b"of C" == (mount.path / "C" / "dm.parquet").read_bytes()
            assert b"the bytes of A" == file.read()


def test_solo_projects_of_the_configuration_stand_beside_them(tmp_path: Path, governance: Governance) -> None:
    stored_in(tmp_path / "solo", "SOLO").put("dm", b"of SOLO")
    config = tmp_path / "config.toml"
    config.write_text(
        f'[gov]\nrepo = "{governance.remote}"\nallow_roots = ["{tmp_path}/data"]\n'
        f'[project.SOLO]\nstore = "{tmp_path}/solo"\n'
    )
    with mounted(tmp_path, "--config", config) as mount:
        assert ["A", "B", "SOLO"] == sorted(os.listdir(mount.path))
        assert b"of SOLO" == (mount.path / "SOLO" / "dm.parquet").read_bytes()
        assert b"the bytes of A" == (mount.path / "A" / "dm.parquet").read_bytes()


# -- trouble -------------------------------------------------------------------------------------------------------


def errno_of(ask: Callable[[], object]) -> str:
    """The name of the errno something fails with."""
    with pytest.raises(OSError, match=r"Errno") as caught:
        ask()
    return errno.errorcode[caught.value.errno or 0]


@roads
def test_each_projects_trouble_is_its_own(tmp_path: Path, governance: Governance, road: str) -> None:
    (tmp_path / "data" / "out").symlink_to("/etc")
    troubles = {
        "BROKEN": ("{", "EIO", "projects/BROKEN/ref.json"),
        "ROOTLESS": ('{"current": {"type": "local"}}', "EIO", "it has no root"),
        "TAPE": ('{"current": {"type": "tape", "root": "x"}}', "EIO", "type is 'tape', neither s3 nor local"),
        "ETC": ('{"current": {"type": "local", "root": "/etc"}}', "EACCES", "below no allowed root"),
        "DOTS": (f'{{"current": {{"type": "local", "root": "{tmp_path}/data/../x"}}}}', "EACCES", "no allowed root"),
        "LINK": (f'{{"current": {{"type": "local", "root": "{tmp_path}/data/out"}}}}', "EACCES", "no allowed root"),
        "GONE": (f'{{"current": {{"type": "local", "root": "{tmp_path}/data/gone"}}}}', "EIO", "does not exist"),
        "OTHER": (f'{{"current": {{"type": "local", "root": "{tmp_path}/data/A"}}}}', "ENOENT", ""),
    }
    for name, (ref, _, _) in troubles.items():
        governance.put(name, REF_FILE, ref)
    governance.put("REFLESS", "dispatch.json", "{}")
    governance.publish("Trouble")
    with mounted(tmp_path, *options(governance, road), complaints=True) as mount:
        assert sorted(["A", "B", "REFLESS", *troubles]) == sorted(os.listdir(mount.path))
        for name, (_, expected, words) in troubles.items():
            for ask in (os.listdir, lambda path: (path / "dm.parquet").stat()):
                assert (name, expected) == (name, errno_of(lambda ask=ask, name=name: ask(mount.path / name)))  # type: ignore[misc]
            assert words in mount.log
        assert "EIO" == errno_of(lambda: os.listdir(mount.path / "REFLESS"))
        assert "REFLESS is registered, but there is no projects/REFLESS/ref.json" in mount.log
        assert b"the bytes of A" == (mount.path / "A" / "dm.parquet").read_bytes()


def test_a_broken_ref_ends_nothing_but_its_project_and_heals(tmp_path: Path, governance: Governance) -> None:
    with mounted(tmp_path, *options(governance, "repo"), *REFRESH, complaints=True) as mount:
        for name in ("A", "B"):
            assert ["dm", "dm.parquet"] == os.listdir(mount.path / name)
        governance.put("A", REF_FILE, "{")
        governance.publish("Break A")

        def is_broken() -> bool:
            try:
                os.listdir(mount.path / "A")
            except OSError as error:
                return error.errno == errno.EIO
            return False

        eventually(is_broken)
        assert b"the bytes of B" == (mount.path / "B" / "dm.parquet").read_bytes()
        governance.move("A", Location("local", str(tmp_path / "data" / "A")))
        eventually(lambda: not is_broken())
        assert b"the bytes of A" == (mount.path / "A" / "dm.parquet").read_bytes()


@pytest.mark.s3
def test_governance_in_git_and_data_in_buckets_and_in_a_folder(
    tmp_path: Path, governance: Governance, s3_server: S3Server, s3_bucket: str
) -> None:
    client = s3_server.client()
    for path in sorted(path for path in (tmp_path / "data" / "A").rglob("*") if path.is_file()):
        client.put_object(
            Bucket=s3_bucket, Key=f"p/{path.relative_to(tmp_path / 'data' / 'A')}", Body=path.read_bytes()
        )
    governance.move("A", Location("s3", s3_bucket, "p", "us-east-1"))
    governance.register("NOWHERE", Location("s3", "there-is-no-such-bucket"))
    with mounted(
        tmp_path, *options(governance, "repo"), variables=s3_variables(s3_server, tmp_path), complaints=True
    ) as mount:
        assert ["A", "B", "NOWHERE"] == sorted(os.listdir(mount.path))
        for name in ("A", "B"):
            assert f"the bytes of {name}".encode() == (mount.path / name / "dm.parquet").read_bytes()
        assert "EIO" == errno_of(lambda: os.listdir(mount.path / "NOWHERE"))
        assert all("NOWHERE" in line or "there-is-no-such-bucket" in line for line in mount.complaints)


@pytest.mark.s3
def test_a_bucket_that_denies_is_its_own_projects_trouble(
    tmp_path: Path, governance: Governance, s3_server: S3Server, s3_bucket: str
) -> None:
    client = s3_server.client()
    for path in sorted(path for path in (tmp_path / "data" / "A").rglob("*") if path.is_file()):
        client.put_object(
            Bucket=s3_bucket, Key=f"a/{path.relative_to(tmp_path / 'data' / 'A')}", Body=path.read_bytes()
        )
    governance.move("A", Location("s3", s3_bucket, "a"))
    governance.register("DENIED", Location("s3", s3_bucket, "denied"))
    with fault_proxy(s3_server) as proxy:
        proxy.inject(expired, when=lambda request: "denied/" in request.key)
        variables = {**s3_variables(s3_server, tmp_path), "AWS_ENDPOINT_URL": proxy.endpoint}
        with mounted(tmp_path, *options(governance, "repo"), variables=variables, complaints=True) as mount:
            assert ["A", "B", "DENIED"] == sorted(os.listdir(mount.path))
            assert "EACCES" == errno_of(lambda: os.listdir(mount.path / "DENIED"))
            for name in ("A", "B"):
                assert f"the bytes of {name}".encode() == (mount.path / name / "dm.parquet").read_bytes()
            assert all("DENIED" in line or "denied" in line for line in mount.complaints)


def test_a_ref_that_comes_to_lead_where_nobody_may_be_led_shows_nothing_more(
    tmp_path: Path, governance: Governance
) -> None:
    with mounted(tmp_path, *options(governance, "repo"), *REFRESH, complaints=True) as mount:
        assert b"the bytes of A" == (mount.path / "A" / "dm.parquet").read_bytes()
        governance.move("A", Location("local", "/etc"))

        def is_forbidden() -> bool:
            try:
                os.listdir(mount.path / "A")
            except OSError as error:
                return error.errno == errno.EACCES
            return False

        eventually(is_forbidden)
        assert "EACCES" == errno_of((mount.path / "A" / "dm.parquet").read_bytes)
        assert b"the bytes of B" == (mount.path / "B" / "dm.parquet").read_bytes()
    with mounted(tmp_path, *options(governance, "repo"), complaints=True) as mount:
        assert "EACCES" == errno_of(lambda: os.listdir(mount.path / "A"))


@pytest.mark.s3
def test_a_large_portfolio_is_mounted_and_listed_at_once_though_nobody_answers(
    tmp_path: Path, s3_server: S3Server, s3_bucket: str
) -> None:
    client = s3_server.client()
    for number in range(300):
        ref = json.dumps(ref_of(Location("s3", s3_bucket, f"{number}")))
        client.put_object(Bucket=s3_bucket, Key=f"datom/projects/P{number:03}/{REF_FILE}", Body=ref.encode())
    road = ("--gov-store", f"s3://{s3_bucket}")
    variables = {**s3_variables(s3_server, tmp_path), "DATOMFS_MOUNT_STALL_S": "300"}
    with mounted(tmp_path, *road, variables=variables) as mount:
        assert 300 == len(os.listdir(mount.path))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silence = {**variables, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        began_s = time.monotonic()
        with mounted(tmp_path, *road, variables=silence, complaints=True) as mount:
            assert 300 == len(os.listdir(mount.path))
            # Nobody who waited for an answer would be done by now, however busy the machine is.
            assert time.monotonic() - began_s < 30
            assert "the list of projects is served as it was" in mount.log


# -- the portfolio that R made -------------------------------------------------------------------------------------

R_ROOT = "/srv/datom-fixtures/governed"


def copy_of_r(folder: Path) -> tuple[Governance, Path]:
    """R's portfolio with its places rewritten to a copy's, in gov storage and in a commit of the gov repository."""
    copy = folder / "governed"
    shutil.copytree(FOLDER / "governed" / "data", copy / "data")
    shutil.copytree(FOLDER / "governed" / "gov_storage", copy / "gov_storage")
    with tarfile.open(FOLDER / "governed" / "remotes.tar.gz") as archive:
        archive.extractall(copy, filter="data")
    git(copy, "clone", "--quiet", str(copy / "remotes" / "gov.git"), str(copy / "clone"))
    made = Governance(copy / "remotes" / "gov.git", copy / "clone", copy / "gov_storage")
    for path in [*made.clone.rglob(REF_FILE), *made.storage.rglob(REF_FILE)]:
        path.write_text(path.read_text().replace(R_ROOT, str(copy)))
    made.publish("Where the copy lies")
    return made, copy


@needs_r_stores
@roads
def test_the_portfolio_that_r_made_is_as_r_says(tmp_path: Path, road: str) -> None:
    expected: dict[str, Any] = json.loads((FOLDER / "governed" / "expected.json").read_text(encoding="utf-8"))
    made, copy = copy_of_r(tmp_path)
    own = made.by_repo if road == "repo" else made.by_store
    with mounted(tmp_path, *own, "--allow-root", copy / "data") as mount:
        names = [row["name"] for row in expected["datom_projects_conn"]]
        assert names == sorted(os.listdir(mount.path)) == sorted(expected["projects"])
        for name, project in expected["projects"].items():
            check_project(mount, name, project)


def check_project(mount: Mount, name: str, project: dict[str, Any]) -> None:
    folder = mount.path / name
    rows = {row["name"]: row for row in project["datom_list"]}
    assert sorted([*rows, *(f"{table}.parquet" for table in rows)]) == sorted(os.listdir(folder))
    for table, told in project["tables"].items():
        assert f"@{rows[table]['current_version'][:8]}.parquet" == (folder / f"{table}.parquet").resolve().name
        for version in told["versions"]:
            path = folder / table / f"@{version['version'][:8]}.parquet"
            assert version["data_sha"] == hashlib.sha256(path.read_bytes()).hexdigest()
            if "csv" in version:
                assert read_dump(FOLDER / "governed" / version["csv"]) == read_arrow(pq.read_table(path))
