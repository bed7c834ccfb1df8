"""The units, where they are put, and that systemd itself takes them; tests/kernel has what they start."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import Datomfs

FSTAB_GENERATOR = Path("/usr/lib/systemd/system-generators/systemd-fstab-generator")
MANUAL = Path(__file__).parents[2] / "docs" / "operations.md"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def command_of(unit: str) -> list[str]:
    """What a unit runs."""
    (line,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    return shlex.split(line.removeprefix("ExecStart="))


@pytest.mark.parametrize("options", [[], ["--user"]])
def test_what_is_shown_is_what_is_installed(
    datomfs: Datomfs, tmp_path: Path, quiet_home: Path, options: list[str]
) -> None:
    shown = datomfs("service", "show", *options)
    assert (0, "") == (shown.code, shown.err)
    done = datomfs("service", "install", "--root", tmp_path, *options)
    assert (0, "") == (done.code, done.err)
    below = quiet_home.relative_to("/") / "config/systemd/user" if options else Path("etc/systemd/system")
    unit = tmp_path / below / "datomfs@.service"
    assert shown.out == unit.read_text()
    assert f"wrote {unit}" == done.lines[0]
    assert f"{'systemctl --user' if options else 'systemctl'} daemon-reload" in done.out


def test_units_run_this_very_program(datomfs: Datomfs) -> None:
    python, *arguments = command_of(datomfs("service", "show").out)
    assert sys.executable == python
    assert ["-P", "-m", "datomfs", "--config", "/etc/datomfs.toml", "mount", "--foreground", "--", "%f"] == arguments
    assert ["mount", "--foreground", "--", "%f"] == command_of(datomfs("service", "show", "--user").out)[4:]


def test_a_python_with_an_odd_name_is_quoted(datomfs: Datomfs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", '/opt/my "env" 100%/$py\\thon')
    assert 'ExecStart="/opt/my \\"env\\" 100%%/$$py\\\\thon" -P' in datomfs("service", "show").out


@pytest.mark.parametrize("options", [[], ["--user"]])
def test_units_announce_themselves_watch_and_come_back(datomfs: Datomfs, options: list[str]) -> None:
    lines = datomfs("service", "show", *options).lines
    assert {"Type=notify", "Restart=on-failure", "WatchdogSec=60s"} <= set(lines)
    assert ("After=network-online.target" in lines) == (not options)


@needs_systemd
@pytest.mark.parametrize("options", [[], ["--user"]])
def test_systemd_finds_no_fault_in_them(datomfs: Datomfs, tmp_path: Path, options: list[str]) -> None:
    # A copy under another name: one of the machine's own would be looked at in its place.
    unit = tmp_path / "datomfs-test@mnt-my\\x20studies.service"
    unit.write_text(datomfs("service", "show", *options).out)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    faults = [line for line in (done.stdout + done.stderr).splitlines() if "datomfs" in line]
    assert (0, []) == (done.returncode, faults)


def test_installing_again_brings_the_unit_and_the_link_up_to_date(datomfs: Datomfs, tmp_path: Path) -> None:
    assert 0 == datomfs("service", "install", "--root", tmp_path).code
    unit, link = tmp_path / "etc/systemd/system/datomfs@.service", tmp_path / "sbin/mount.fuse.datomfs"
    current, helper = unit.read_text(), os.readlink(link)
    unit.write_text(current.replace("60s", "5s"))
    link.unlink()
    link.symlink_to("/opt/older/mount.fuse.datomfs")
    done = datomfs("service", "install", "--root", tmp_path)
    assert 0 == done.code
    assert f"linked {link} to {helper}" == done.lines[1]
    assert (current, helper) == (unit.read_text(), os.readlink(link))
    assert Path(sys.executable).with_name("mount.fuse.datomfs") == Path(helper)


def test_only_the_machines_units_make_the_link(datomfs: Datomfs, tmp_path: Path) -> None:
    assert 0 == datomfs("service", "install", "--user", "--root", tmp_path).code
    assert not (tmp_path / "sbin").exists()


@pytest.mark.parametrize("name", ["etc/systemd/system/datomfs@.service", "sbin/mount.fuse.datomfs"])
def test_what_somebody_else_wrote_stays(datomfs: Datomfs, tmp_path: Path, name: str) -> None:
    theirs = tmp_path / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("[Unit]\nDescription=mine\n")
    done = datomfs("service", "install", "--root", tmp_path)
    assert 4 == done.code
    assert f"{theirs} cannot be written: it is not" in done.err
    assert "[Unit]\nDescription=mine\n" == theirs.read_text()


def test_a_folder_that_takes_nothing_is_named(datomfs: Datomfs, tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("")
    done = datomfs("service", "install", "--root", tmp_path)
    assert 4 == done.code
    assert f"{tmp_path}/etc/systemd/system" in done.err


@pytest.mark.skipif(not FSTAB_GENERATOR.exists(), reason="systemd is not installed")
def test_systemd_makes_an_automount_of_the_line_in_the_manual(tmp_path: Path) -> None:
    (line,) = [line for line in MANUAL.read_text().splitlines() if line.startswith("datomfs  /mnt/datom")]
    (tmp_path / "fstab").write_text(f"{line}\n")
    folders = [tmp_path / name for name in ("normal", "early", "late")]
    for folder in folders:
        folder.mkdir()
    environment = {**os.environ, "SYSTEMD_FSTAB": str(tmp_path / "fstab"), "SYSTEMD_LOG_TARGET": "console"}
    subprocess.run([FSTAB_GENERATOR, *folders], env=environment, check=True, capture_output=True)
    mount = (folders[0] / "mnt-datom.mount").read_text()
    assert "What=datomfs\nWhere=/mnt/datom\nType=fuse.datomfs\n" in mount
    assert "Where=/mnt/datom" in (folders[0] / "mnt-datom.automount").read_text()
    assert "Before=remote-fs.target" in mount + (folders[0] / "mnt-datom.automount").read_text()
