"""The program `mount.fuse.datomfs`: what mount(8) runs for a line in /etc/fstab, and for `mount -t fuse.datomfs`.

mount(8) calls helpers as `mount.TYPE SOURCE MOUNTPOINT [-sfnv] [-o OPTIONS] [-t TYPE]`, hands over most options that it
knows itself (those of `_IGNORED`), drops `noauto`, `comment=` and `x-*`, and reports the helper's exit code as its own.
The options that mean something here are those of `datomfs mount`, with `_` for `-`.
"""

from __future__ import annotations

import getopt
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from datomfs.cli.main import main as run
from datomfs.cli.mount import mount
from datomfs.cli.output import emit_error
from datomfs.errors import ConfigInvalid

SOURCE = "datomfs"
_USAGE = "mount.fuse.datomfs datomfs MOUNTPOINT [-sfnv] [-o OPTION,...]"
_BAD_USAGE, _MOUNT_FAILED = 1, 32  # mount(8), "EXIT STATUS"
_OUR_BAD_USAGE = 2

_FLAGS = "defaults ro rw auto user users owner group nofail silent loud default_permissions _netdev"
_EITHER_WAY = (
    "dev suid exec sync async atime diratime relatime strictatime lazytime iversion mand auto user dirsync symfollow"
)
_IGNORED = frozenset(_FLAGS.split()) | {f"{no}{name}" for name in _EITHER_WAY.split() for no in ("", "no")}
_IGNORED_VALUES = ("comment", "user", "uhelper", "helper")
_NOT_HERE = frozenset({"foreground", "quiet"})
_PART = re.compile(r'((?:"[^"]*"|[^,"])+)')
"""An option: a comma within quotes does not end it (mount(8), "-o")."""


@dataclass(frozen=True, slots=True)
class Request:
    """What mount(8) wants: a mountpoint, the arguments for `datomfs mount`, and whether to only pretend (-f)."""

    mountpoint: Path
    arguments: Sequence[str]
    is_verbose: bool
    is_fake: bool


def parse_request(arguments: Sequence[str]) -> Request:
    """The request that a helper's arguments make. Raises ConfigInvalid for what cannot be meant."""
    try:
        given, places = getopt.gnu_getopt(list(arguments), "sfnvo:t:")
    except getopt.GetoptError as error:
        raise ConfigInvalid("mount.fuse.datomfs", f"{error}; usage: {_USAGE}") from error
    if len(places) != 2:
        raise ConfigInvalid("mount.fuse.datomfs", f"usage: {_USAGE}")
    # mount(8) makes it a whole path where a file of that name lies in the working directory.
    if os.path.basename(places[0]) != SOURCE:
        raise ConfigInvalid(
            places[0], f"the source of a mount is always written `{SOURCE}`; projects are named by options"
        )
    flags = {name for name, _ in given}
    options = ",".join(value for name, value in given if name == "-o")
    parsed = [argument for part in _PART.findall(options) for argument in _parse_option(part, is_sloppy="-s" in flags)]
    return Request(Path(places[1]), parsed, is_verbose="-v" in flags, is_fake="-f" in flags)


def _parse_option(text: str, *, is_sloppy: bool) -> Iterator[str]:
    """The argument of `datomfs mount` that a mount option stands for, if it stands for any. Raises ConfigInvalid."""
    name, equals, value = text.replace('"', "").partition("=")
    option = _known_options().get(name)
    if option is not None and option.is_flag == (not equals) and (value or not equals):
        yield f"{option.opts[-1]}={value}" if equals else option.opts[-1]
    elif option is not None:
        raise ConfigInvalid(f"mount option {name}", "it takes no value" if option.is_flag else f"write {name}=VALUE")
    elif not (is_sloppy or _is_ignored(name, equals)):
        known = ", ".join(sorted(_known_options()))
        raise ConfigInvalid(f"mount option {name}", f"it is unknown; known are {known}")


def _is_ignored(name: str, equals: str) -> bool:
    """Whether an option is for mount(8) or systemd: whatever it says, this mount is read-only, without devices."""
    return name.lower().startswith("x-") or (name in _IGNORED_VALUES if equals else name in _IGNORED)


def _known_options() -> dict[str, click.Option]:
    """The options of `datomfs mount` under their names in /etc/fstab: `cache_dir` is `--cache-dir`."""
    options = [parameter for parameter in mount.params if isinstance(parameter, click.Option)]
    names = {option.opts[-1].removeprefix("--").replace("-", "_"): option for option in options}
    return {name: option for name, option in names.items() if name not in _NOT_HERE}


def main() -> None:
    """Mount as mount(8) wants it, and leave the process with one of its exit codes once the mount answers."""
    try:
        request = parse_request(sys.argv[1:])
    except ConfigInvalid as error:
        emit_error(str(error))
        sys.exit(_BAD_USAGE)
    if request.is_fake:
        return
    quiet = [] if request.is_verbose else ["--quiet"]
    try:
        run(["mount", *quiet, *request.arguments, "--", str(request.mountpoint)])
    except SystemExit as end:
        if end.code:
            sys.exit(_BAD_USAGE if end.code == _OUR_BAD_USAGE else _MOUNT_FAILED)
