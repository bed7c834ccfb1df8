"""The command refresh."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import click

from datomfs.cli.output import emit_line
from datomfs.errors import MountRefused, NotMounted
from datomfs.layout import CONTROL_REFRESH

_NOT_OURS = frozenset({errno.ENODATA, errno.EOPNOTSUPP, errno.ENOENT, errno.ENOTDIR})


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path))
def refresh(mountpoint: Path) -> None:
    """Have a mount read everything that moves again, now.

    Prints what it found: projects and tables that are new, have gone, or have another current version.

    \b
    Example: datomfs refresh /mnt/datom
    """
    path = Path(os.path.abspath(mountpoint))
    try:
        found = os.getxattr(path, CONTROL_REFRESH)
    except OSError as error:
        if error.errno in _NOT_OURS:
            raise NotMounted(str(path)) from error
        raise MountRefused(str(path), error.strerror or str(error)) from error
    for line in found.decode().splitlines():
        emit_line(line)
