"""Listings through the kernel: what is in them, and directories of any size."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.kernel.conftest import ODD, Shown
from tests.mounts import PROJECT, Desk, kernel_test, mounted, store_options, stored_in

pytestmark = kernel_test


def test_the_mountpoint_lists_its_projects(shown: Shown) -> None:
    assert [PROJECT] == os.listdir(shown.mount.path)


def test_a_project_lists_a_folder_and_a_link_for_each_table(shown: Shown) -> None:
    assert [ODD, f"{ODD}.parquet", "dm", "dm.parquet", "large", "large.parquet"] == os.listdir(shown.mount.project)


def test_a_table_lists_its_current_version_alone(shown: Shown) -> None:
    *_, current = shown.versions("dm")
    assert [current.name] == os.listdir(shown.mount.project / "dm")


def test_entries_tell_their_type_and_inode_as_stat_does(shown: Shown) -> None:
    for folder in (shown.mount.path, shown.mount.project, shown.mount.project / "dm"):
        with os.scandir(folder) as entries:
            for entry in entries:
                stat = os.stat(entry.path, follow_symlinks=False)
                assert stat.st_ino == entry.inode()
                assert (folder == shown.mount.project / "dm") == entry.is_file(follow_symlinks=False)
                assert entry.name.endswith(".parquet") or entry.is_dir(follow_symlinks=False)


def test_ls_and_find_walk_the_tree(shown: Shown) -> None:
    *_, current = shown.versions("dm")
    listing = subprocess.run(
        ["ls", "-la", str(shown.mount.project)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert 1 + 6 == len(listing)
    assert [f"dm.parquet -> dm/{current.name}"] == [
        line[-len(f"dm.parquet -> dm/{current.name}") :] for line in listing if " dm.parquet" in line
    ]
    found = subprocess.run(
        ["find", str(shown.mount.path), "-type", "f", "-name", "*.parquet"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {str(shown.mount.project / table / shown.versions(table)[-1].name) for table in ("dm", "large", ODD)} == set(
        found
    )


def test_a_listing_can_be_read_twice_from_one_descriptor(shown: Shown) -> None:
    descriptor = os.open(shown.mount.project, os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert os.listdir(descriptor) == os.listdir(descriptor)
    finally:
        os.close(descriptor)


def test_a_directory_of_many_versions_is_listed_whole(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    versions = stored.put("many", *(b"%d" % number for number in range(1500)))
    with mounted(tmp_path, *store_options(stored), "--list-versions") as mount:
        names = os.listdir(mount.project / "many")
        assert [version.name for version in reversed(versions)] == names
        with os.scandir(mount.project / "many") as entries:
            sizes = {entry.name: entry.stat().st_size for entry in entries}
        assert {version.name: len(version.body) for version in versions} == sizes
        for version in (versions[0], versions[777], versions[-1]):
            assert version.body == (mount.project / "many" / version.name).read_bytes()


def test_listing_the_mountpoint_asks_no_store_and_a_broken_project_spares_the_others(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"one")
    desk = Desk(tmp_path / "desk")
    config = Path(desk.environment["XDG_CONFIG_HOME"]) / "datomfs" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        f'[project.{PROJECT}]\nstore = "{stored.store.url}"\n[project.BROKEN]\nstore = "{tmp_path}/nowhere"\n'
    )
    with mounted(tmp_path, complaints=True) as mount:
        listing = subprocess.run(["ls", "-l", str(mount.path)], capture_output=True, text=True, check=True)
        assert ["BROKEN", PROJECT] == [line.split()[-1] for line in listing.stdout.splitlines()[1:]]
        assert [] == mount.complaints
        entering = subprocess.run(["ls", str(mount.path / "BROKEN")], capture_output=True, text=True, check=False)
        assert "Input/output error" in entering.stderr
        assert f"the store {tmp_path}/nowhere does not exist" in mount.log
        assert b"one" == (mount.project / "dm.parquet").read_bytes()
