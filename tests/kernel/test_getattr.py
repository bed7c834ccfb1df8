"""Attributes through the kernel: true sizes, the version's time, modes, owner, inodes that stay."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from datomfs.vfs.nodes import Node, PayloadFile, ProjectDir, TableDir, TableLink, inode_of
from tests.kernel.conftest import Shown
from tests.mounts import PROJECT, kernel_test, mounted, store_options, stored_in

pytestmark = kernel_test


def test_a_payload_has_the_size_of_its_bytes_and_the_time_of_its_version(shown: Shown) -> None:
    for version in shown.versions("dm"):
        found = (shown.mount.project / "dm" / version.name).stat()
        assert len(version.body) == found.st_size
        assert version.time_ns == found.st_mtime_ns == found.st_ctime_ns == found.st_atime_ns
        assert -(-len(version.body) // 512) == found.st_blocks
        assert 1 == found.st_nlink


def test_moving_names_have_the_time_of_their_last_change(shown: Shown) -> None:
    *_, current = shown.versions("dm")
    assert current.time_ns == (shown.mount.project / "dm").stat().st_mtime_ns
    assert current.time_ns == (shown.mount.project / "dm.parquet").lstat().st_mtime_ns
    os.listdir(shown.mount.project)
    *_, last = shown.versions("large")
    assert last.time_ns == shown.mount.project.stat().st_mtime_ns


def test_everybody_may_read_and_nobody_may_write(shown: Shown) -> None:
    version = shown.versions("dm")[0]
    assert stat.S_IFREG | 0o444 == (shown.mount.project / "dm" / version.name).stat().st_mode
    for folder in (shown.mount.path, shown.mount.project, shown.mount.project / "dm"):
        assert stat.S_IFDIR | 0o555 == folder.stat().st_mode
    assert stat.S_ISLNK((shown.mount.project / "dm.parquet").lstat().st_mode)


def test_everything_belongs_to_who_mounted(shown: Shown) -> None:
    for path in (shown.mount.path, shown.mount.project, shown.mount.project / "dm.parquet"):
        assert (os.getuid(), os.getgid()) == (path.lstat().st_uid, path.lstat().st_gid)


def test_a_link_is_as_long_as_its_text(shown: Shown) -> None:
    link = shown.mount.project / "dm.parquet"
    assert len(os.readlink(link)) == link.lstat().st_size


def test_inodes_are_those_that_names_stand_for(shown: Shown) -> None:
    version = shown.versions("dm")[0]
    expected: dict[Path, Node] = {
        shown.mount.project: ProjectDir(PROJECT),
        shown.mount.project / "dm": TableDir(PROJECT, "dm"),
        shown.mount.project / "dm.parquet": TableLink(PROJECT, "dm"),
        shown.mount.project / "dm" / version.name: PayloadFile(PROJECT, "dm", version.version, 0, 0),
    }
    assert {path: inode_of(node) for path, node in expected.items()} == {path: path.lstat().st_ino for path in expected}


def test_a_pin_looks_the_same_after_a_remount(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    old, current = stored.put("dm", b"old", b"current")

    def look() -> list[tuple[int, int, int]]:
        with mounted(tmp_path, *store_options(stored)) as mount:
            found = [(mount.project / "dm" / version.name).stat() for version in (old, current)]
            return [(each.st_ino, each.st_size, each.st_mtime_ns) for each in found]

    assert look() == look()


def test_times_of_any_year_are_shown(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"bytes")
    history = tmp_path / "store" / "datom" / "dm" / ".metadata" / "version_history.json"
    text, (version,) = history.read_text(), stored.tables["dm"]
    for number, (year, seconds) in enumerate({"1900": -2208988800, "2400": 13569465600}.items()):
        history.write_text(text.replace(version.timestamp, f"{year}-01-01T00:00:00Z"))
        (tmp_path / str(number)).mkdir()
        with mounted(tmp_path / str(number), *store_options(stored)) as mount:
            assert seconds * 10**9 == (mount.project / "dm" / version.name).stat().st_mtime_ns
            assert [version.name] == os.listdir(mount.project / "dm")
