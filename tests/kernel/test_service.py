"""The daemon as systemd runs it: in the foreground, with a socket to tell of itself, watched, and ended by SIGTERM."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datomfs.mount.mountpoint import FSTYPE, find_fstype
from tests.mounts import (
    DEADLINE_S,
    Desk,
    Mount,
    StoredProject,
    end_process,
    ended,
    kernel_test,
    store_options,
    stored_in,
)

pytestmark = kernel_test


@pytest.fixture
def stored(tmp_path: Path) -> StoredProject:
    """A project with one version of dm."""
    project = stored_in(tmp_path / "store")
    project.put("dm", b"the bytes")
    return project


class Manager:
    """What a service manager hears of one daemon."""

    def __init__(self, receiver: socket.socket) -> None:
        self._receiver = receiver
        self.heard: list[str] = []

    def wait_for(self, start: str) -> str:
        """The next line that starts so."""
        while True:
            lines = self._receiver.recv(65536).decode().splitlines()
            self.heard += lines
            for line in lines:
                if line.startswith(start):
                    return line


@contextmanager
def service(mount: Mount, stored: StoredProject, **variables: str) -> Iterator[tuple[Manager, subprocess.Popen[str]]]:
    """A mount in the foreground, and its manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(mount.desk.folder.parent / "notify"))
        receiver.settimeout(DEADLINE_S)
        command = [sys.executable, "-m", "datomfs", "mount", str(mount.path), *store_options(stored), "--foreground"]
        environment = {**mount.desk.environment, "NOTIFY_SOCKET": receiver.getsockname(), **variables}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield Manager(receiver), process
            finally:
                process.terminate()
                process.communicate(timeout=DEADLINE_S)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """A place and a desk to mount from; whatever a test mounts there ends with it."""
    made = Mount(tmp_path / "mnt", Desk(tmp_path / "desk"))
    made.path.mkdir()
    with ended(made):
        yield made


def test_it_is_ready_when_the_mount_answers_and_says_when_it_stops(mount: Mount, stored: StoredProject) -> None:
    with service(mount, stored) as (manager, process):
        manager.wait_for("READY=1")
        assert b"the bytes" == (mount.project / "dm.parquet").read_bytes()
        assert "1 projects (0 away), 0 open files, 9 B read" in manager.wait_for("STATUS=1 projects")
        process.send_signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert 0 == process.wait(DEADLINE_S)
        assert find_fstype(mount.path) is None
        assert 1 == manager.heard.count("READY=1")


def test_it_stops_by_itself_when_somebody_unmounts_it(mount: Mount, stored: StoredProject) -> None:
    with service(mount, stored) as (manager, process):
        manager.wait_for("READY=1")
        assert 0 == mount.desk.run("unmount", mount.path).returncode
        manager.wait_for("STOPPING=1")
        assert 0 == process.wait(DEADLINE_S)  # which no manager takes for a failure


def test_a_watchdog_is_fed_as_long_as_the_kernel_is_answered(mount: Mount, stored: StoredProject) -> None:
    with service(mount, stored, WATCHDOG_USEC="200000") as (manager, process):
        for _ in range(3):
            manager.wait_for("WATCHDOG=1")
        os.kill(process.pid, signal.SIGSTOP)
        os.kill(process.pid, signal.SIGCONT)
        manager.wait_for("WATCHDOG=1")


def test_what_a_watchdog_killed_is_mounted_again_by_the_next_start(mount: Mount, stored: StoredProject) -> None:
    with service(mount, stored) as (manager, process):
        manager.wait_for("READY=1")
        process.send_signal(signal.SIGABRT)
        assert -signal.SIGABRT == process.wait(DEADLINE_S)
    assert FSTYPE == find_fstype(mount.path)
    (mount.path.parent / "notify").unlink()
    with service(mount, stored) as (manager, _):
        manager.wait_for("READY=1")
        assert b"the bytes" == (mount.project / "dm.parquet").read_bytes()


def test_a_daemon_that_a_service_starts_beside_itself_does_not_speak_for_it(
    mount: Mount, stored: StoredProject
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(mount.path.parent / "notify"))
        receiver.setblocking(False)
        environment = {**mount.desk.environment, "NOTIFY_SOCKET": receiver.getsockname()}
        command = [sys.executable, "-m", "datomfs", "mount", str(mount.path), *store_options(stored)]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        pid = mount.pid
        os.kill(pid, signal.SIGTERM)
        end_process(pid)
        with pytest.raises(BlockingIOError):
            receiver.recv(4096)
