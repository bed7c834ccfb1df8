"""Mounts of dead daemons, told from those that live or hang, and from what is not ours."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from datomfs.mount import stale
from datomfs.mount.mountpoint import FSTYPE, check_mountpoint, find_fstype
from datomfs.mount.stale import clear_stale, is_stale
from tests.mounts import Mount, kernel_test, mounted, store_options, stored_in, wait_for_end

pytestmark = kernel_test


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """A mount of one small project."""
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"the bytes")
    with mounted(tmp_path, *store_options(stored)) as made:
        yield made


def kill(mount: Mount) -> None:
    """End the daemon so that it can do nothing about its mount."""
    pid = mount.pid
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(pid)


@pytest.mark.parametrize("place", ["/proc", "/nowhere/at/all", "/"])
def test_what_is_no_mount_of_ours_is_never_stale(place: str) -> None:
    assert not is_stale(Path(place))
    fstype = find_fstype(Path(place))
    clear_stale(Path(place))
    assert fstype == find_fstype(Path(place))


def test_a_mount_that_answers_is_not_stale_and_stays(mount: Mount) -> None:
    assert not is_stale(mount.path)
    clear_stale(mount.path)
    assert b"the bytes" == (mount.project / "dm.parquet").read_bytes()


@pytest.mark.expected_warnings
def test_the_mount_of_a_killed_daemon_is_taken_away_with_a_log_line(
    mount: Mount, caplog: pytest.LogCaptureFixture
) -> None:
    kill(mount)
    assert is_stale(mount.path)
    clear_stale(mount.path)
    assert find_fstype(mount.path) is None
    assert [f"took away the mount that a dead daemon left at {mount.path}"] == [
        record.getMessage() for record in caplog.records if record.levelno == logging.WARNING
    ]
    check_mountpoint(mount.path)


@pytest.mark.expected_warnings
def test_whoever_still_stands_in_it_does_not_keep_the_place(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.chdir(mount.project)
        kill(mount)
        clear_stale(mount.path)
        assert find_fstype(mount.path) is None


@pytest.mark.expected_warnings
def test_a_link_to_it_is_as_good_as_the_place(mount: Mount, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("mnt")
    kill(mount)
    assert is_stale(tmp_path / "link")
    clear_stale(tmp_path / "link")
    assert find_fstype(mount.path) is None


def test_a_daemon_that_hangs_is_alive(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stale, "_PATIENCE_S", 0.2)
    os.kill(mount.pid, signal.SIGSTOP)
    try:
        assert not is_stale(mount.path)
        clear_stale(mount.path)
        assert FSTYPE == find_fstype(mount.path)
    finally:
        os.kill(mount.pid, signal.SIGCONT)
    assert b"the bytes" == (mount.project / "dm.parquet").read_bytes()
