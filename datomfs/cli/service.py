"""`datomfs service`: the units that have systemd keep a mount, and the link that makes mount(8) know our type."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.resources import files
from pathlib import Path

import click
import platformdirs

from datomfs.cli.output import emit_line
from datomfs.errors import FileMissing, FileUnwritable

_UNIT = "datomfs@.service"
_OURS = "# Written by `datomfs service install"
_HELPER = "mount.fuse.datomfs"

_user_option = click.option("--user", "is_user", is_flag=True, help="For your own mounts, not the machine's.")


@click.group()
def service() -> None:
    """Have systemd keep mounts.

    \b
    Example: datomfs service install --user
    """


@service.command("show")
@_user_option
def show_unit(is_user: bool) -> None:
    """Print the unit that `install` writes.

    \b
    Example: datomfs service show --user
    """
    emit_line(_unit(is_user=is_user).rstrip("\n"))


@service.command("install")
@_user_option
@click.option(
    "--root", type=click.Path(path_type=Path), default=Path("/"), help="Install into the system below this folder."
)
def install_unit(is_user: bool, root: Path) -> None:
    """Write the unit to where systemd looks for it; as root, also make /sbin/mount.fuse.datomfs for /etc/fstab.

    Nothing is enabled or started. A unit of that name that datomfs has not written stays as it is.

    \b
    Example: datomfs service install --user
    """
    below = platformdirs.user_config_path() / "systemd/user" if is_user else Path("/etc/systemd/system")
    unit = _below(root, below / _UNIT)
    try:
        if unit.exists() and not unit.read_text(encoding="utf-8", errors="replace").startswith(_OURS):
            raise FileUnwritable(str(unit), "it is not one that datomfs wrote")
        unit.parent.mkdir(parents=True, exist_ok=True)
        unit.write_text(_unit(is_user=is_user), encoding="utf-8")
        emit_line(f"wrote {unit}")
        if not is_user:
            _link_helper(_below(root, Path("/sbin", _HELPER)))
    except OSError as error:
        raise FileUnwritable(str(error.filename), str(error.strerror)) from error
    systemctl = "systemctl --user" if is_user else "systemctl"
    folder = "~/datom" if is_user else "/mnt/datom"
    emit_line(f"now run, for a mount at {folder}:")
    emit_line(f"  mkdir -p {folder}")
    emit_line(f"  {systemctl} daemon-reload")
    emit_line(f'  {systemctl} enable --now "$(systemd-escape --template={_UNIT} --path {folder})"')


def _unit(*, is_user: bool) -> str:
    """The unit, with the program that is running now in it."""
    text = (files("datomfs") / "services" / ("user.service" if is_user else "system.service")).read_text("utf-8")
    # systemd.service(5), "Command lines": what is special in a word, inside of quotes.
    python = sys.executable.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return text.replace("{program}", f'"{python}" -P -m datomfs')


def _link_helper(link: Path) -> None:
    """Make mount(8) find our helper. Raises FileMissing, FileUnwritable, OSError."""
    folders = os.pathsep.join(str(Path(program).parent.absolute()) for program in (sys.argv[0], sys.executable))
    helper = shutil.which(_HELPER, path=folders)
    if helper is None:
        raise FileMissing(f"{_HELPER} in {folders}")
    if link.exists() and not link.is_symlink():
        raise FileUnwritable(str(link), "it is not a link that datomfs made")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(helper)
    emit_line(f"linked {link} to {helper}")


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")
