"""Mounts that end: ours, made by the command line, and any program that serves one in the foreground.

Each is a context manager that gives the daemon's pid once the mount answers. Afterwards nothing is mounted and the
daemon has ended, whatever happened inside. Used by `places` and `peers`; knows no rows.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.bench_rows.measure import MountFailed

PROGRAM = str(Path(sysconfig.get_path("scripts"), "datomfs"))

_DEADLINE_S = 30.0
_POLL_S = 0.02


@contextmanager
def serve_ours(point: Path, options: Sequence[str], environment: Mapping[str, str]) -> Iterator[int]:
    """`datomfs mount` with these options. Raises MountFailed with what it said."""
    pid_file = point.with_name(f"{point.name}.pid")
    # A file and no pipe: the daemon keeps it open, and who reads a pipe to its end waits for the daemon.
    report = point.with_name(f"{point.name}.said")
    command = [PROGRAM, "mount", str(point), *options, "--pid-file", str(pid_file)]
    point.mkdir(exist_ok=True)
    try:
        with report.open("wb") as said:
            done = subprocess.run(command, check=False, stdout=said, stderr=said, env=environment)  # noqa: S603
        if done.returncode:
            raise MountFailed("datomfs", report.read_text(errors="replace"))
        yield int(pid_file.read_text(encoding="ascii"))
    finally:
        take_away(point)
        with suppress(FileNotFoundError, ValueError):
            end_process(int(pid_file.read_text(encoding="ascii")))


@contextmanager
def serve_in_foreground(point: Path, command: Sequence[str], environment: Mapping[str, str]) -> Iterator[int]:
    """A program that serves `point` as long as it runs. Raises MountFailed with the end of what it said."""
    point.mkdir(exist_ok=True)
    report = point.with_name(f"{point.name}.said")
    with report.open("wb") as said:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment, start_new_session=True
        )
    try:
        deadline = time.monotonic() + _DEADLINE_S
        while not os.path.ismount(point):
            if process.poll() is not None or time.monotonic() > deadline:
                raise MountFailed(Path(command[0]).name, report.read_text(errors="replace"))
            time.sleep(_POLL_S)
        yield process.pid
    finally:
        take_away(point)
        try:
            process.wait(_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with suppress(ProcessLookupError):  # what it may have started of its own
            os.killpg(process.pid, signal.SIGKILL)


def take_away(point: Path) -> None:
    """Unmount, also what is still in use."""
    for options in ("-u", "-uz"):
        if not is_mounted(point):
            return
        subprocess.run(["fusermount3", options, str(point)], check=False, capture_output=True)  # noqa: S603, S607


def is_mounted(point: Path) -> bool:
    """Whether something is mounted there, also if whoever served it has died."""
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    return str(point.absolute()) in {line.split(" ")[1] for line in lines}


def end_process(pid: int) -> None:
    """Return when a process has ended; one that does not end in time is killed."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not select.select([descriptor], [], [], _DEADLINE_S)[0]:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [], _DEADLINE_S)
    finally:
        os.close(descriptor)
