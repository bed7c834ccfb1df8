"""Where a mount stands: checks before it, taking it away, and what the machine knows of it.

Linux only, like everything in `mount`; needs neither pyfuse3 nor trio, so that errors come before they are imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import select
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from datomfs.errors import (
    AllowOtherForbidden,
    FuseMissing,
    MountExtraMissing,
    MountpointBusy,
    MountpointMissing,
    MountpointNotEmpty,
    NotMounted,
    UnmountBusy,
)

log = logging.getLogger(__name__)

FSTYPE = "fuse.datomfs"
_AUTOFS = "autofs"
STATE_SUFFIX = ".json"
_DEVICE = Path("/dev/fuse")
_FUSE_CONF = Path("/etc/fuse.conf")
_MOUNTS = Path("/proc/self/mountinfo")
_PACKAGES = ("pyfuse3", "trio")
_UNMOUNT_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class MountFiles:
    """The files of one mount in the user's state folder: the daemon's pid, its log, and its state as it reports it."""

    pid: Path
    log: Path
    state: Path


def mount_files(mountpoint: Path) -> MountFiles:
    """Where the files of a mount lie; the name tells the mountpoint to people, its digest keeps two apart."""
    mountpoint = _real(mountpoint)
    digest = hashlib.sha256(os.fsencode(mountpoint)).hexdigest()[:8]
    stem = f"{mountpoint.name or 'root'}-{digest}"
    folder = mounts_folder()
    return MountFiles(*(folder / f"{stem}{suffix}" for suffix in (".pid", ".log", STATE_SUFFIX)))


def mounts_folder() -> Path:
    """Where the files of all mounts of this user lie."""
    return platformdirs.user_state_path("datomfs") / "mounts"


def check_machine() -> None:
    """Raise FuseMissing or MountExtraMissing unless this machine can mount."""
    if not _DEVICE.exists():
        raise FuseMissing(f"{_DEVICE} does not exist")
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        raise FuseMissing(f"{_DEVICE} may not be opened")
    if shutil.which("fusermount3") is None:
        raise FuseMissing("fusermount3 is not installed")
    for package in _PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MountExtraMissing(package)


def check_allow_other(fuse_conf: Path = _FUSE_CONF) -> None:
    """Raise AllowOtherForbidden unless this user may let others into a mount (fuse(4), mount.fuse3(8))."""
    if os.geteuid() == 0:
        return
    try:
        lines = fuse_conf.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    if not any(line.partition("#")[0].strip() == "user_allow_other" for line in lines):
        raise AllowOtherForbidden(str(fuse_conf))


def check_mountpoint(mountpoint: Path) -> None:
    """Raise MountpointMissing, MountpointBusy or MountpointNotEmpty unless the folder is free to mount on.

    Where systemd waits for somebody to need the mount, its autofs is what to mount on; to look into that would have
    it begin another mount.
    """
    fstype = find_fstype(mountpoint)
    if fstype == _AUTOFS:
        return
    if fstype is not None:
        raise MountpointBusy(str(mountpoint))
    if not mountpoint.is_dir():
        raise MountpointMissing(str(mountpoint))
    if any(mountpoint.iterdir()):
        raise MountpointNotEmpty(str(mountpoint))


def find_fstype(mountpoint: Path) -> str | None:
    """The type of what is mounted exactly there, or None. Does not look at the place: a dead mount would hang."""
    return _mounts().get(_real(mountpoint))


def find_mountpoint(path: Path) -> Path | None:
    """The datomfs mount that a path without symbolic links lies in, or None. Does not look at the path."""
    mounts = _mounts()
    nearest = next((place for place in (path, *path.parents) if place in mounts), None)
    return nearest if nearest is not None and mounts[nearest] == FSTYPE else None


def unmount(mountpoint: Path, *, lazy: bool) -> None:
    """Take a datomfs mount away and wait until its daemon is gone. Raises NotMounted, UnmountBusy, FuseMissing."""
    if find_fstype(mountpoint) != FSTYPE:
        raise NotMounted(str(mountpoint))
    daemon = _open_daemon(mountpoint)
    try:
        detach(mountpoint, lazy=lazy)
        if daemon is not None and not lazy:
            ended, _, _ = select.select([daemon], [], [], _UNMOUNT_TIMEOUT_S)
            if not ended:
                log.warning("%s is unmounted, and its daemon has not ended yet", mountpoint)
    finally:
        if daemon is not None:
            os.close(daemon)


def detach(mountpoint: Path, *, lazy: bool) -> None:
    """Take what is mounted there away, whoever serves it. Raises UnmountBusy, FuseMissing."""
    if shutil.which("fusermount3") is None:
        raise FuseMissing("fusermount3 is not installed")
    command = ["fusermount3", "-u", *(["-z"] if lazy else []), "--", str(_real(mountpoint))]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (no shell)
    if result.returncode != 0:
        raise UnmountBusy(str(mountpoint), result.stderr.strip().removeprefix("fusermount3: "))


def _real(mountpoint: Path) -> Path:
    """The path as the kernel lists it, without symbolic links; the folder itself is looked at only if nothing is there.

    To look at a mountpoint is a request to its daemon, which may be dead or stuck.
    """
    place = Path(os.path.realpath(mountpoint.parent), mountpoint.name)
    return place if place in _mounts() else Path(os.path.realpath(place))


def _open_daemon(mountpoint: Path) -> int | None:
    """A pidfd of the daemon, which becomes readable when it ends; None when nobody knows its pid."""
    try:
        return os.pidfd_open(int(mount_files(mountpoint).pid.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return None


def _mounts() -> dict[Path, str]:
    """The type of the topmost mount at each place (proc_pid_mountinfo(5))."""
    mounts = {}
    for line in _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        left, _, right = line.partition(" - ")
        mounts[Path(_unescape(left.split(" ")[4]))] = right.split(" ")[0]
    return mounts


def _unescape(text: str) -> str:
    """A path from mountinfo, where blanks stand as octal escapes (proc(5))."""
    for escape, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escape, character)
    return text
