"""Where a mount may stand. The mounts looked at here are those that every Linux machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from datomfs.errors import (
    AllowOtherForbidden,
    FuseMissing,
    MountExtraMissing,
    MountpointBusy,
    MountpointMissing,
    MountpointNotEmpty,
    NotMounted,
)
from datomfs.mount.mountpoint import (
    check_allow_other,
    check_machine,
    check_mountpoint,
    find_fstype,
    mount_files,
    unmount,
)


def test_an_empty_folder_is_free(tmp_path: Path) -> None:
    check_mountpoint(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "folder").mkdir()
    check_mountpoint(tmp_path / "link")


@pytest.mark.parametrize("kind", ["nothing", "file", "dangling link", "below a file"])
def test_what_is_no_folder_is_missing(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "dangling link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(MountpointMissing) as caught:
        check_mountpoint(tmp_path / ("file/x" if kind == "below a file" else kind))
    assert 9 == caught.value.exit_code


def test_a_folder_with_files_would_hide_them(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_bytes(b"")
    with pytest.raises(MountpointNotEmpty):
        check_mountpoint(tmp_path)


def test_a_place_where_something_is_mounted_is_busy(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc")
    for place in (Path("/proc"), tmp_path / "link", Path("/usr/../proc")):
        with pytest.raises(MountpointBusy):
            check_mountpoint(place)


def test_what_is_mounted_is_known_by_its_exact_place(tmp_path: Path) -> None:
    assert "proc" == find_fstype(Path("/proc"))
    assert find_fstype(Path("/proc/self")) is None
    assert find_fstype(tmp_path) is None


def test_only_mounts_of_ours_are_taken_away(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nothing", Path("/proc")):
        with pytest.raises(NotMounted):
            unmount(place, lazy=True)
    assert "proc" == find_fstype(Path("/proc"))


@pytest.fixture(params=["plain", "with blanks", "tab\tnewline\nbackslash\\040", "ümläut"])
def odd_mount(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Something mounted on a folder with an odd name."""
    folder = tmp_path / request.param
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_odd_names_are_read_as_the_kernel_writes_them(odd_mount: Path) -> None:
    assert "tmpfs" == find_fstype(odd_mount)


def test_files_of_a_mount_are_one_pair_for_each_place_however_it_is_named(tmp_path: Path, quiet_home: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    files = mount_files(tmp_path / "a")
    assert quiet_home / "state/datomfs/mounts" == files.pid.parent == files.log.parent
    assert (".pid", ".log", files.pid.stem) == (files.pid.suffix, files.log.suffix, files.log.stem)
    assert files.pid.name.startswith("a-")
    assert files == mount_files(tmp_path / "link")
    assert files != mount_files(tmp_path / "b" / "a")
    assert mount_files(Path("/")).pid.name.startswith("root-")


@pytest.mark.parametrize(
    "line", ["user_allow_other", "  user_allow_other  # for the study server", "user_allow_other#"]
)
def test_others_may_be_let_in_where_root_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tmp_path / "fuse.conf").write_text(f"# fuse\n{line}\nmount_max = 10\n")
    check_allow_other(tmp_path / "fuse.conf")


@pytest.mark.parametrize("text", [None, "", "#user_allow_other\n", "# user_allow_other\n", "user_allow_others\n"])
def test_others_may_not_be_let_in_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    if text is not None:
        (tmp_path / "fuse.conf").write_text(text)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(AllowOtherForbidden, match=f"{tmp_path}/fuse.conf has no line `user_allow_other`"):
        check_allow_other(tmp_path / "fuse.conf")


def test_root_needs_nobodys_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    check_allow_other(tmp_path / "none")


@pytest.mark.fuse
@pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="there is no /dev/fuse")
def test_a_machine_without_fusermount_cannot_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_machine()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FuseMissing, match="fusermount3 is not installed"):
        check_machine()


@pytest.mark.fuse
@pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="there is no /dev/fuse")
@pytest.mark.parametrize("package", ["pyfuse3", "trio"])
def test_a_missing_package_is_named_with_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MountExtraMissing) as caught:
        check_machine()
    assert package == caught.value.module
    assert "pip install 'datomfs[mount]'" in str(caught.value)
