"""Mounting by mount(8), from /etc/fstab and by an automount, for real: in a mount namespace of its own, as root.

There the helper stands in /sbin without any other program of the machine seeing it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mounts import PROJECT, Desk, StoredProject, kernel_test, stored_in

pytestmark = kernel_test

HELPER = Path(sys.executable).with_name("mount.fuse.datomfs")
AUTOMOUNTER = Path(__file__).with_name("automounter.py")
TIMEOUT_S = 120


@pytest.fixture
def stored(tmp_path: Path) -> StoredProject:
    """A project with one version of dm."""
    project = stored_in(tmp_path / "store")
    project.put("dm", b"the bytes")
    return project


class Machine:
    """A folder to mount in, and a machine whose /sbin has the helper."""

    def __init__(self, folder: Path, stored: StoredProject) -> None:
        self.desk = Desk(folder / "desk")
        self.place = folder / "mnt"
        self.place.mkdir()
        self.file = self.place / PROJECT / "dm.parquet"
        self.fstab = folder / "fstab"
        self.config = folder / "datomfs.toml"
        self.config.write_text(f'[project.{PROJECT}]\nstore = "{stored.store.url}"\n')
        for name in ("sbin", "upper", "work"):
            (folder / name).mkdir()
        (folder / "sbin" / "mount.fuse.datomfs").symlink_to(HELPER)
        self._folder = folder

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """A shell script in the machine; whatever it mounts is gone when it ends, and its daemon with that."""
        overlay = f"mount -t overlay -o lowerdir={self._folder}/sbin:/usr/sbin overlay /usr/sbin"
        clean = f"trap 'fusermount3 -uqz {self.place}; wait' EXIT"
        command = ["unshare", "-m", "sh", "-c", f"{overlay} || exit 77; {clean}; cd /; {script}"]
        done = subprocess.run(
            command, env=self.desk.environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
        if done.returncode == 77:
            pytest.skip(f"no overlay can be mounted here: {done.stderr.strip()}")
        return done

    @property
    def pids(self) -> list[Path]:
        """The pid files of daemons that have not ended."""
        return list(self.desk.state.glob("*.pid"))


@pytest.fixture
def machine(tmp_path: Path, stored: StoredProject) -> Iterator[Machine]:
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace can be made here")
    made = Machine(tmp_path, stored)
    yield made
    assert [] == made.pids


def test_mount_with_our_type_returns_when_the_mount_answers(machine: Machine) -> None:
    done = machine.run(
        f"mount -t fuse.datomfs datomfs {machine.place} -o config={machine.config},_netdev && cat {machine.file} && "
        f"findmnt -no SOURCE,FSTYPE,OPTIONS {machine.place} && umount {machine.place}"
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("the bytes")
    source, fstype, options = done.stdout.removeprefix("the bytes").split()
    assert ("datomfs", "fuse.datomfs") == (source, fstype)
    assert {"ro", "nosuid", "nodev", "noexec", "default_permissions"} <= set(options.split(","))
    assert "allow_other" not in options


def test_a_line_in_fstab_is_mounted_by_its_place_once(machine: Machine) -> None:
    machine.fstab.write_text(
        f"datomfs {machine.place} fuse.datomfs "
        f"ro,config={machine.config},allow_other,_netdev,nofail,x-systemd.automount 0 0\n"
    )
    done = machine.run(
        f"mount -T {machine.fstab} {machine.place} && mount -a -T {machine.fstab} && cat {machine.file} && "
        f"findmnt -no OPTIONS {machine.place} && umount {machine.place}"
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("the bytes")
    assert "allow_other" in done.stdout


def test_a_mount_that_fails_says_why_and_leaves_nothing(machine: Machine) -> None:
    options = f"store={machine.place}/nowhere,project={PROJECT}"
    done = machine.run(f"mount -t fuse.datomfs datomfs {machine.place} -o {options}; echo $?; ls {machine.place}")
    assert "32\n" == done.stdout
    assert "does not exist" in done.stderr


def test_an_option_that_is_unknown_is_named(machine: Machine) -> None:
    done = machine.run(f"mount -t fuse.datomfs datomfs {machine.place} -o configs={machine.config}; echo $?")
    assert "1\n" == done.stdout
    assert "mount option configs: it is unknown; known are allow_other," in done.stderr


def test_an_automount_mounts_for_the_first_who_comes(machine: Machine) -> None:
    # The automounter and what it starts are in one process group; whoever comes from another has to wait for them.
    mount = f"mount -t fuse.datomfs datomfs {machine.place} -o config={machine.config}"
    done = machine.run(
        f"mkfifo {machine.place}.go; "
        f"setsid {sys.executable} {AUTOMOUNTER} {machine.place} {mount} <{machine.place}.go >{machine.place}.out & "
        f"exec 3>{machine.place}.go; until grep -q ready {machine.place}.out; do :; done; "
        f"timeout 60 cat {machine.file}; exec 3>&-; wait; cat {machine.place}.out"
    )
    assert ("the bytesready\nmounted 0\n", "") == (done.stdout, done.stderr)
