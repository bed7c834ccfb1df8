"""Starting the mount's daemon, and hearing from it.

The command starts itself once more, with a pipe whose number stands in the environment. The second process serves the
mount, begins a session of its own and writes to the pipe once it answers; the first returns when it has read that, or
fails with the last words of the log when the pipe closes without a word. Nothing is forked, so nothing is shared.

The session comes last: an automount holds up everybody at its place but the process group that it has started to mount
there (autofs(5)), so until the mount stands the daemon has to stay in the command's.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from datomfs.errors import MountFailed

_VARIABLE = "DATOMFS_READY_FD"
_MANAGERS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM")
_READY = b"ready"
_DEADLINE_S = 60.0
_END_S = 5.0
_ERROR = "datomfs: "


def daemon_side() -> Callable[[], None] | None:
    """In the daemon: what to call when the mount answers. None in a process that nobody started as a daemon."""
    number = os.environ.pop(_VARIABLE, None)
    if number is None:
        return None
    fd = int(number)
    os.set_inheritable(fd, False)

    def announce() -> None:
        os.setsid()
        os.write(fd, _READY)
        os.close(fd)

    return announce


def start_daemon(mountpoint: Path, log_path: Path) -> None:
    """Run this very command as a daemon and wait until its mount answers. Raises MountFailed."""
    log_path.parent.mkdir(parents=True, exist_ok=True)
    ours, theirs = os.pipe()
    with open(ours, "rb", buffering=0) as pipe, log_path.open("ab") as log:
        beginning = log.tell()
        try:
            daemon = subprocess.Popen(  # noqa: S603  (our own interpreter and arguments, no shell)
                [sys.executable, *sys.orig_argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs],
                env=_environment(theirs),
            )
        finally:
            os.close(theirs)
        readable, _, _ = select.select([pipe], [], [], _DEADLINE_S)
        if readable and pipe.read(len(_READY)) == _READY:
            daemon.returncode = 0  # it lives on: nobody is to wait for it
            return
        _end(daemon)
    raise MountFailed(str(mountpoint), _last_words(log_path, beginning))


def _environment(fd: int) -> dict[str, str]:
    """The daemon's: that of the command, whose service manager knows the command and not the daemon."""
    inherited = {name: value for name, value in os.environ.items() if name not in _MANAGERS}
    return {**inherited, _VARIABLE: str(fd)}


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(_END_S)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _last_words(log_path: Path, beginning: int) -> str:
    """The error the daemon ended with, else the last line it logged, or that it said nothing."""
    with log_path.open("rb") as log:
        log.seek(beginning)
        lines = log.read().decode(errors="replace").strip().splitlines()
    errors = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
    words = (errors or lines or ["the daemon ended without a word"])[-1]
    return f"{words} (log: {log_path})"
