"""What daemons tell of themselves, without anybody touching their mounts: real mounts in every state they can be in."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from datomfs import __version__
from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings
from datomfs.mount.mountpoint import FSTYPE, find_fstype
from datomfs.mount.report import Report, parse_report, render_report
from datomfs.store.s3 import S3Store
from tests.mounts import (
    PROJECT,
    Desk,
    Mount,
    StoredProject,
    eventually,
    kernel_test,
    mounted,
    store_options,
    stored_in,
    wait_for_end,
)
from tests.s3_server import S3Server

pytestmark = kernel_test

WELL, NOT_WELL = 0, 9


@pytest.fixture
def stored(tmp_path: Path) -> StoredProject:
    """A project with two tables."""
    project = stored_in(tmp_path / "store")
    project.put("dm", b"the bytes")
    project.put("ex", b"others")
    return project


@pytest.fixture
def mount(tmp_path: Path, stored: StoredProject) -> Iterator[Mount]:
    """It, mounted."""
    with mounted(tmp_path, *store_options(stored)) as made:
        yield made


def status(desk: Desk, *arguments: str | Path, code: int = WELL) -> Any:
    """What `datomfs status --json` says."""
    done = desk.run("status", "--json", *arguments)
    assert (code, "") == (done.returncode, done.stderr)
    return json.loads(done.stdout)


def until(mount: Mount, check: Callable[[Any], bool]) -> Any:
    """The status of a mount once it is so."""
    found: list[Any] = []

    def look() -> bool:
        found[:] = [status(mount.desk, mount.path)]
        return check(found[0])

    eventually(look)
    return found[0]


def state_file(mount: Mount) -> Path:
    """Where the daemon writes."""
    (file,) = mount.desk.state.glob("mnt-*.json")
    return file


def change_report(mount: Mount, change: Callable[[Report], Report]) -> None:
    """Write the state file as another daemon would have."""
    file = state_file(mount)
    file.write_bytes(render_report(change(parse_report(file.read_bytes()))))


def test_a_mount_tells_its_state_as_soon_as_it_answers(mount: Mount) -> None:
    told = status(mount.desk, mount.path)
    assert ("serving", str(mount.path), mount.pid) == (told["state"], told["mountpoint"], told["pid"])
    assert __version__ == told["version"]
    assert 0 <= told["report_age_s"] <= told["uptime_s"]
    assert str(next(mount.desk.state.glob("*.log"))) == told["log"]
    assert 0o600 == state_file(mount).stat().st_mode & 0o777


def test_what_was_asked_and_answered_is_counted(mount: Mount) -> None:
    assert b"the bytes" == (mount.project / "dm.parquet").read_bytes()
    with pytest.raises(FileNotFoundError):
        (mount.project / "none.parquet").stat()
    with (mount.project / "ex.parquet").open("rb", buffering=0):
        told = until(mount, lambda told: told["open_files"] == 1)
    assert 1 == told["project_count"]
    ((document),) = told["documents"]
    assert (PROJECT, False) == (document["project"], document["away"])
    assert 0 <= document["age_s"] <= told["uptime_s"]
    assert {"open": 2, "readlink": 2} == {name: told["requests"][name] for name in ("open", "readlink")}
    assert {"ENOENT": 1} == told["errors"]
    assert len(b"the bytes") == told["bytes_read"]
    assert 2 == told["proofs"]["full"]
    assert told["store_requests"]["get"] >= 3  # the manifest, and two histories
    assert told["bytes_fetched"] > 0
    until(mount, lambda told: told["open_files"] == 0)


@pytest.mark.s3
def test_what_is_fetched_and_cached_is_counted(tmp_path: Path, s3_environment: S3Server, s3_bucket: str) -> None:
    body = os.urandom(3 << 20)
    in_bucket = StoredProject(S3Store(Location("s3", s3_bucket), S3Settings(), boto3.Session()))
    in_bucket.put("large", body)
    with mounted(tmp_path, *store_options(in_bucket)) as mount:
        assert body == (mount.project / "large.parquet").read_bytes()
        told = until(mount, lambda told: told["bytes_read"] == len(body) and told["open_files"] == 0)
        assert told["bytes_fetched"] >= len(body)
        assert told["cache_bytes"] >= len(body)
        assert str(mount.desk.folder / "cache" / "datomfs") == told["cache_path"]
        assert 50 << 30 == told["cache_limit"]
        assert sum(told["reads"].values()) == told["requests"]["read"] > 0


def test_a_daemon_that_hangs_is_silent_and_keeps_nobody_waiting(mount: Mount) -> None:
    os.kill(mount.pid, signal.SIGSTOP)
    try:
        change_report(mount, lambda report: Report(**{**_fields(report), "written_at": report.written_at - 31}))
        told = status(mount.desk, mount.path, code=NOT_WELL)
        assert "silent" == told["state"]
        assert told["report_age_s"] > 30
        done = mount.desk.run("status")
        assert NOT_WELL == done.returncode
        assert "silent, last heard of 3" in done.stdout
    finally:
        os.kill(mount.pid, signal.SIGCONT)
    eventually(lambda: mount.desk.run("status", mount.path).returncode == WELL)


def _fields(report: Report) -> dict[str, Any]:
    return {name: getattr(report, name) for name in Report.__slots__}


def test_a_killed_daemon_is_dead_until_its_mount_is_gone(mount: Mount) -> None:
    pid = mount.pid
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(pid)
    assert "dead" == status(mount.desk, mount.path, code=NOT_WELL)["state"]
    (told,) = status(mount.desk, code=NOT_WELL)
    assert ("dead", pid) == (told["state"], told["pid"])
    assert 0 == mount.desk.run("unmount", mount.path).returncode
    assert [] == status(mount.desk)


def test_a_process_that_got_the_pid_of_a_dead_daemon_is_not_taken_for_it(mount: Mount) -> None:
    pid = mount.pid
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(pid)
    change_report(mount, lambda report: Report(**{**_fields(report), "pid": os.getpid()}))
    assert "dead" == status(mount.desk, mount.path, code=NOT_WELL)["state"]


def test_a_mount_that_was_detached_is_told_while_somebody_uses_it(mount: Mount) -> None:
    with (mount.project / "dm.parquet").open("rb", buffering=0):
        assert 0 == mount.desk.run("unmount", "--lazy", mount.path).returncode
        assert "detached" == status(mount.desk, mount.path, code=NOT_WELL)["state"]


def test_after_the_end_nothing_is_told_and_nothing_lies_about(mount: Mount) -> None:
    assert 0 == mount.desk.run("unmount", mount.path).returncode
    assert [] == list(mount.desk.state.glob("*.json"))
    assert [] == list(mount.desk.state.glob(".*"))
    assert "nothing of yours is mounted\n" == mount.desk.run("status").stdout
    done = mount.desk.run("status", mount.path)
    assert (9, f"datomfs: no datomfs mount at {mount.path}\n") == (done.returncode, done.stderr)


def test_all_mounts_of_a_user_are_told_and_nobody_elses(tmp_path: Path, stored: StoredProject) -> None:
    desk = Desk(tmp_path / "desk")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    try:
        for name in ("one", "two"):
            assert 0 == desk.run("mount", tmp_path / name, *store_options(stored)).returncode
        assert [str(tmp_path / "one"), str(tmp_path / "two")] == [told["mountpoint"] for told in status(desk)]
        done = desk.run("status")
        assert 2 == done.stdout.count("state           serving\n")
        other = Desk(tmp_path / "other desk")
        assert [] == status(other)
        refused = other.run("status", tmp_path / "one")
        assert 9 == refused.returncode
        assert f"nothing is known of the mount at {tmp_path / 'one'}" in refused.stderr
    finally:
        for name in ("one", "two"):
            desk.run("unmount", "--lazy", tmp_path / name)


def test_a_state_that_cannot_be_read_is_named_and_hides_no_other(mount: Mount) -> None:
    (mount.desk.state / "broken-00000000.json").write_bytes(b'{"format":1')
    done = mount.desk.run("status", "--json")
    assert WELL == done.returncode
    assert [str(mount.path)] == [told["mountpoint"] for told in json.loads(done.stdout)]
    assert "broken-00000000.json cannot be read" in done.stderr


def test_a_project_whose_store_went_away_is_told(tmp_path: Path, stored: StoredProject) -> None:
    variables = {"DATOMFS_MOUNT_REFRESH_S": "0.1"}
    with mounted(tmp_path, *store_options(stored), complaints=True, variables=variables) as mount:
        assert b"the bytes" == (mount.project / "dm.parquet").read_bytes()
        (tmp_path / "store").rename(tmp_path / "moved")

        def is_away() -> bool:
            os.listdir(mount.project)
            return any(document["away"] for document in status(mount.desk, mount.path)["documents"])

        eventually(is_away)
        done = mount.desk.run("status", mount.path)
        assert f"away            {PROJECT}\n" in done.stdout
        assert FSTYPE == find_fstype(mount.path)
