"""A command that starts itself once more, and hears from it: with a small program in the place of the mount."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys, time
from pathlib import Path
from datomfs.cli.daemonize import daemon_side, start_daemon
from datomfs.errors import MountFailed

announce = daemon_side()
if announce is None:
    try:
        start_daemon(Path("/mnt/x"), Path(sys.argv[1]))
    except MountFailed as error:
        print(error.reason)
        sys.exit(9)
    print("ready")
else:
    DAEMON
"""


def run(tmp_path: Path, daemon: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program, with what its daemon does."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("DAEMON", daemon))
    command = [sys.executable, str(program), str(tmp_path / "log" / "daemon.log"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)


def test_the_command_returns_when_the_daemon_is_ready(tmp_path: Path) -> None:
    done = run(tmp_path, "print(sys.argv[2], flush=True); announce()", "the arguments")
    assert (0, "ready\n", "") == (done.returncode, done.stdout, done.stderr)
    assert "the arguments\n" == (tmp_path / "log" / "daemon.log").read_text()


def test_the_daemon_has_a_session_of_its_own_and_none_of_our_streams(tmp_path: Path) -> None:
    daemon = (
        "print(os.readlink('/proc/self/fd/0'), os.environ.get('DATOMFS_READY_FD'), flush=True); "
        "os.mkfifo('go'); announce(); open('go').read(); print(os.getsid(0) == os.getpid(), flush=True); "
        "open('go', 'w').close()"
    )
    assert 0 == run(tmp_path, daemon).returncode
    (tmp_path / "go").write_text("go")
    (tmp_path / "go").read_text()
    assert "/dev/null None\nTrue\n" == (tmp_path / "log" / "daemon.log").read_text()


def test_until_it_is_ready_the_daemon_belongs_to_the_process_group_of_the_command(tmp_path: Path) -> None:
    daemon = "print(os.getpgid(0) == os.getpgid(os.getppid()), flush=True); announce()"
    assert 0 == run(tmp_path, daemon).returncode
    assert "True\n" == (tmp_path / "log" / "daemon.log").read_text()


def test_the_command_does_not_wait_for_a_ready_daemon_to_end(tmp_path: Path) -> None:
    daemon = f"os.mkfifo('{tmp_path}/pipe'); announce(); open('{tmp_path}/pipe').read()"
    assert "ready\n" == run(tmp_path, daemon).stdout
    # It is still there to be told to end.
    (tmp_path / "pipe").write_text("end")


@pytest.mark.parametrize(
    ("daemon", "reason"),
    [
        ("sys.exit(1)", "the daemon ended without a word"),
        ("print('one'); print('two'); sys.exit(1)", "two"),
        ("print('2026-01-01 INFO x: y\\ndatomfs: no such thing\\nTry another.'); sys.exit(9)", "no such thing"),
        ("os.kill(os.getpid(), 9)", "the daemon ended without a word"),
        ("raise ValueError('a fault of ours')", "ValueError: a fault of ours"),
    ],
)
def test_a_daemon_that_ends_gives_its_last_words(tmp_path: Path, daemon: str, reason: str) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "daemon.log").write_text("datomfs: what an earlier daemon said\n")
    done = run(tmp_path, daemon)
    assert (9, f"{reason} (log: {tmp_path}/log/daemon.log)\n") == (done.returncode, done.stdout)


def test_without_a_pipe_nobody_is_a_daemon() -> None:
    program = "from datomfs.cli.daemonize import daemon_side; print(daemon_side())"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={name: value for name, value in os.environ.items() if name != "DATOMFS_READY_FD"},
    )  # fmt: skip
    assert "None\n" == done.stdout
