"""What a service manager hears, on a real socket of its kind."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from datomfs.mount.service_manager import ServiceManager, take_manager


@pytest.fixture(params=["path", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A notify socket, as the environment names it, and what receives there."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@datomfs-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name.replace("@", "\0"))
        receiver.settimeout(10)
        yield name, receiver


def test_news_is_one_datagram_with_a_line_for_each(listening: tuple[str, socket.socket]) -> None:
    name, receiver = listening
    ServiceManager(name, None).tell(READY="1", STATUS="Ärzte: 2 projects")
    assert "READY=1\nSTATUS=Ärzte: 2 projects" == receiver.recv(4096).decode()


def test_it_is_found_in_the_environment_and_taken_out_of_it(listening: tuple[str, socket.socket]) -> None:
    name, receiver = listening
    environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/x"}
    manager = take_manager(environment)
    assert {"HOME": "/x"} == environment
    assert 60.0 == manager.watchdog_s
    manager.tell(WATCHDOG="1")
    assert b"WATCHDOG=1" == receiver.recv(4096)


@pytest.mark.parametrize(
    ("usec", "pid", "watchdog_s"),
    [("500000", "", 0.5), ("500000", "1", None), ("0", "", None), ("soon", "", None), ("", "", None)],
)
def test_a_watchdog_is_one_that_watches_this_process(usec: str, pid: str, watchdog_s: float | None) -> None:
    environment = {"WATCHDOG_USEC": usec, "WATCHDOG_PID": pid} if pid else {"WATCHDOG_USEC": usec}
    assert watchdog_s == take_manager(environment).watchdog_s


def test_without_a_manager_nobody_is_told() -> None:
    manager = take_manager({})
    manager.tell(READY="1")
    assert manager.watchdog_s is None


def test_a_manager_that_has_gone_keeps_nobody_from_serving(tmp_path: Path) -> None:
    ServiceManager(str(tmp_path / "nobody"), None).tell(READY="1")


def test_a_manager_that_does_not_listen_keeps_nobody_waiting(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        manager = ServiceManager(str(tmp_path / "notify"), None)
        for _ in range(10_000):  # more than any socket holds
            manager.tell(STATUS="x" * 1000)
