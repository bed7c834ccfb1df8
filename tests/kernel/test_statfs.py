"""What the mount says of itself as a file system."""

from __future__ import annotations

import os
import subprocess

from tests.kernel.conftest import Shown
from tests.mounts import kernel_test

pytestmark = kernel_test


def test_the_file_system_is_read_only_and_holds_no_space(shown: Shown) -> None:
    found = os.statvfs(shown.mount.project / "dm.parquet")
    assert found.f_flag & os.ST_RDONLY
    assert (0, 0, 0) == (found.f_blocks, found.f_bfree, found.f_bavail)
    assert 255 == found.f_namemax


def test_df_takes_it(shown: Shown) -> None:
    subprocess.run(["df", str(shown.mount.path)], check=True, capture_output=True)


def test_the_machine_lists_it_as_datomfs(shown: Shown) -> None:
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        fields = [line.split() for line in mounts if line.split()[1] == str(shown.mount.path)]
    assert [["datomfs", "fuse.datomfs"]] == [[field[0], field[2]] for field in fields]
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(fields[0][3].split(","))
