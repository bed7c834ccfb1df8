"""What a killed daemon leaves behind: a mount that answers "Transport endpoint is not connected", found and taken away.

Needs neither pyfuse3 nor trio. Only mounts of ours are looked at, and one whose daemon merely hangs is left alone.
"""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from threading import Thread

from datomfs.mount.mountpoint import FSTYPE, detach, find_fstype

log = logging.getLogger(__name__)

_PATIENCE_S = 2.0
"""How long a daemon may take to answer before it counts as alive: a dead one's mount is answered by the kernel."""


def is_stale(mountpoint: Path) -> bool:
    """Whether a datomfs mount stands there and its daemon is dead. A daemon that hangs is not.

    The kernel answers for a dead daemon (ENOTCONN), whoever killed it; statfs is never answered from a cache (fuse(4)).
    Somebody else's mount is not theirs who ask, and the kernel gives them zeros for it.
    """
    if find_fstype(mountpoint) != FSTYPE:
        return False
    answers: list[int | None] = []

    def ask() -> None:
        try:
            os.statvfs(mountpoint)
        except OSError as error:
            answers.append(error.errno)

    # In a thread, as nothing else ends a question that nobody answers.
    thread = Thread(target=ask, name="datomfs-stale", daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    return errno.ENOTCONN in answers


def clear_stale(mountpoint: Path) -> None:
    """Take a dead mount away, if one stands there. Raises UnmountBusy, FuseMissing.

    Lazily: what has files open or stands in it gets errors as before, and cannot keep the place from being used again.
    """
    if not is_stale(mountpoint):
        return
    detach(mountpoint, lazy=True)
    log.warning("took away the mount that a dead daemon left at %s", mountpoint)
