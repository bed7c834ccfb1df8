"""The kernel is made to forget names that nobody asks for any more, and nobody notices."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mounts import Desk, Mount, StoredProject, ended, eventually, kernel_test, store_options, stored_in

pytestmark = kernel_test

MOST = 16
VERSIONS = 40

FORGETFUL = f"""
import sys
from pathlib import Path

from datomfs.cli.main import main
from datomfs.mount import daemon, operations
from datomfs.mount.told_names import ToldNames
from datomfs.vfs.tree import Tree


class Noting(Tree):
    def forget(self, inode, count):
        super().forget(inode, count)
        with Path(folder, "forgotten").open("a") as file:
            file.write(f"{{inode}}\\n")


folder = sys.argv.pop(1)
operations.ToldNames = lambda: ToldNames({MOST})
daemon.Tree = Noting
main()
"""


@contextmanager
def forgetful_mount(folder: Path, stored: StoredProject) -> Iterator[tuple[Mount, Path]]:
    """A mount that remembers 16 names, and the file that gets the inodes which the kernel has forgotten."""
    mount = Mount(folder / "mnt", Desk(folder / "desk"))
    mount.path.mkdir()
    forgotten = folder / "forgotten"
    forgotten.touch()
    command = [sys.executable, "-c", FORGETFUL, str(folder), "mount", str(mount.path), "--foreground"]
    with ended(mount), (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [*command, "--list-versions", *store_options(stored)], env=mount.desk.environment, stdout=said, stderr=said
        )
        try:
            eventually(lambda: os.path.ismount(mount.path))
            yield mount, forgotten
        finally:
            subprocess.run(["fusermount3", "-uz", str(mount.path)], capture_output=True, check=False)
            process.wait(30)
    assert " ERROR " not in (folder / "said").read_text()


def test_the_kernel_forgets_all_but_the_names_told_last_and_everything_still_works(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    versions = stored.put("dm", *(b"version %d" % number for number in range(VERSIONS)))
    with forgetful_mount(tmp_path, stored) as (mount, forgotten):
        folder = mount.project / "dm"
        held = (folder / versions[-1].name).open("rb")
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            listed = {entry.name: entry.inode() for entry in os.scandir(folder)}
            assert {version.name for version in versions} == set(listed)
            gone = set(list(listed.values())[1 : VERSIONS - MOST])
            eventually(lambda: gone <= {int(line) for line in forgotten.read_text().split()})
            assert versions[-1].body == held.read()
            for version in versions:
                assert version.body == (folder / version.name).read_bytes()
                assert listed[version.name] == os.stat(folder / version.name).st_ino
            assert sorted(listed) == sorted(os.listdir(place))
            assert str(folder) == os.readlink(f"/proc/self/fd/{place}")
        finally:
            held.close()
            os.close(place)
