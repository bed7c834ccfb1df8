"""How far the kernel may read ahead of programs on a mount, beyond what FUSE itself negotiates.

The kernel drops requests that are nothing but read-ahead while a connection is congested, by default with 9 of them
under way. Several threads that read one file share one read-ahead state, and confuse it: DuckDB with two threads asked
for 101 MB to read two columns of 63 MB, in about every second run. With 2 it is 71 MB in every run, and nothing is
slower: what programs will want next is fetched by us (`cache.prefetch`), not by the kernel.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

_CONNECTIONS = Path("/sys/fs/fuse/connections")  # Documentation/filesystems/fuse.rst; the mount's user may write there
_CONGESTED_AT = "2"


def limit_read_ahead(mountpoint: Path, connections: Path = _CONNECTIONS) -> None:
    """Tell the kernel to drop mere read-ahead when two requests are under way; where it cannot be told, go on."""
    file = connections / str(os.minor(mountpoint.stat().st_dev)) / "congestion_threshold"
    try:
        file.write_text(_CONGESTED_AT, encoding="ascii")
    except OSError as error:
        log.info("the kernel's read-ahead stays as it is: %s: %s", file, error.strerror)
