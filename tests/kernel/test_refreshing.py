"""A mount that is told to read everything that moves again: by command, by its attribute, by signal."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from datomfs.layout import CONTROL_REFRESH
from datomfs.model.location import Location
from tests.mounts import PROJECT, Mount, StoredProject, eventually, kernel_test, mounted, store_options, stored_in
from tests.portfolios import make_governance

pytestmark = kernel_test

SELDOM = ("--refresh", "3600")
"""Without being told, nothing would be read again during a test."""


@pytest.fixture
def stored(tmp_path: Path) -> StoredProject:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"old")
    return stored


@pytest.fixture
def mount(tmp_path: Path, stored: StoredProject) -> Iterator[Mount]:
    """A mount whose kernel knows everything there is."""
    with mounted(tmp_path, *store_options(stored), *SELDOM) as mount:
        for path in [mount.project, *mount.project.rglob("*")]:
            path.lstat()
        yield mount


def refresh(mount: Mount) -> list[str]:
    """What the command prints."""
    done = mount.desk.run("refresh", mount.path)
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.splitlines()


def test_a_moving_name_is_where_it_was_until_the_mount_is_told_and_then_at_once_where_it_is(
    mount: Mount, stored: StoredProject
) -> None:
    link, (old,) = mount.project / "dm.parquet", stored.tables["dm"]
    with link.open("rb", buffering=0) as file:
        (new,) = stored.put("dm", b"the new")
        assert (f"dm/{old.name}", b"old") == (os.readlink(link), link.read_bytes())
        assert [f"{PROJECT}/dm: {old.version[:8]} -> {new.version[:8]}"] == refresh(mount)
        assert (f"dm/{new.name}", b"the new") == (os.readlink(link), link.read_bytes())
        assert (new.time_ns, new.time_ns) == (link.lstat().st_mtime_ns, mount.project.stat().st_mtime_ns)
        assert [new.name] == os.listdir(mount.project / "dm")
        assert b"old" == file.read()
    assert b"old" == (mount.project / "dm" / old.name).read_bytes()


def test_the_length_of_a_link_is_that_of_its_new_target(mount: Mount, stored: StoredProject) -> None:
    link = mount.project / "dm.parquet"
    for number in range(3):
        stored.put("dm", str(number).encode())
        refresh(mount)
        assert len(os.readlink(link)) == link.lstat().st_size
        assert link.exists()


def test_tables_that_are_new_show_and_those_that_have_gone_do_not(mount: Mount, stored: StoredProject) -> None:
    assert not (mount.project / "ex.parquet").exists()
    del stored.tables["dm"]
    (ex,) = stored.put("ex", b"ex")
    assert (mount.project / "dm.parquet").exists()
    assert [f"{PROJECT}/dm has gone", f"{PROJECT}/ex is new: {ex.version[:8]}"] == refresh(mount)
    # The kernel takes what has gone back in a thread of its own.
    eventually(lambda: not any(os.path.lexists(mount.project / name) for name in ("dm", "dm.parquet")))
    assert b"ex" == (mount.project / "ex.parquet").read_bytes()


def test_nothing_new_is_said_as_such_and_an_attribute_answers_as_the_command_does(mount: Mount) -> None:
    assert ["nothing has changed"] == refresh(mount)
    assert b"nothing has changed" == os.getxattr(mount.path, CONTROL_REFRESH)
    assert CONTROL_REFRESH not in os.listxattr(mount.path)
    with pytest.raises(OSError, match="No data available"):
        os.getxattr(mount.project, CONTROL_REFRESH)


def test_a_hang_up_refreshes_and_does_not_end(mount: Mount, stored: StoredProject) -> None:
    pid = mount.pid
    (new,) = stored.put("dm", b"the new")
    os.kill(pid, signal.SIGHUP)
    eventually(lambda: os.readlink(mount.project / "dm.parquet") == f"dm/{new.name}")
    eventually(lambda: f"refreshed: {PROJECT}/dm: " in mount.log)
    assert pid == mount.pid


def test_what_is_no_mount_of_ours_is_told(mount: Mount, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere", mount.project):
        done = mount.desk.run("refresh", path)
        assert (9, f"datomfs: no datomfs mount at {path}\n") == (done.returncode, done.stderr)


def test_projects_that_are_registered_and_decommissioned_are_told(tmp_path: Path) -> None:
    governance = make_governance(tmp_path)
    for name in ("A", "B", "C"):
        stored_in(tmp_path / "data" / name, name).put("dm", name.encode())
    for name in ("A", "B"):
        governance.register(name, Location("local", str(tmp_path / "data" / name)))
    options = (*governance.by_repo, "--allow-root", tmp_path / "data", *SELDOM)
    with mounted(tmp_path, *options) as mount:
        for name in ("A", "B"):
            assert name.encode() == (mount.path / name / "dm.parquet").read_bytes()
        governance.unregister("A")
        governance.register("C", Location("local", str(tmp_path / "data" / "C")))
        assert (mount.path / "A").exists()
        assert ["C is new", "A has gone"] == refresh(mount)
        eventually(lambda: not (mount.path / "A").exists())
        assert b"C" == (mount.path / "C" / "dm.parquet").read_bytes()


def test_a_study_that_moves_is_followed_when_the_mount_is_told(tmp_path: Path) -> None:
    governance = make_governance(tmp_path)
    for place, body in (("old", b"old place"), ("new", b"new place")):
        stored_in(tmp_path / "data" / place).put("dm", body)
    governance.register(PROJECT, Location("local", str(tmp_path / "data" / "old")))
    options = (*governance.by_repo, "--allow-root", tmp_path / "data", *SELDOM)
    with mounted(tmp_path, *options) as mount:
        assert b"old place" == (mount.project / "dm.parquet").read_bytes()
        governance.move(PROJECT, Location("local", str(tmp_path / "data" / "new")))
        refresh(mount)
        assert f"{tmp_path}/data/old has moved to {tmp_path}/data/new" in mount.log


def test_a_store_that_is_away_is_told_with_what_is_served(tmp_path: Path, stored: StoredProject) -> None:
    with mounted(tmp_path, *store_options(stored), *SELDOM, complaints=True) as mount:
        os.listdir(mount.project)
        (tmp_path / "store").rename(tmp_path / "away")
        assert [f"{PROJECT} is served as it was: its store did not answer"] == refresh(mount)
        assert (mount.project / "dm.parquet").is_symlink()
