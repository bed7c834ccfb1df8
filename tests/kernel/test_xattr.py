"""Extended attributes through the kernel: payloads tell their standing, and nothing else has any."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from tests.kernel.conftest import Shown
from tests.mounts import kernel_test

pytestmark = kernel_test

STANDINGS = {"full", "attested", "pending", "unrecorded", "failed"}


def check_none(path: Path, name: str, *, follow_symlinks: bool = True) -> None:
    """There is no such attribute: ENODATA, which every program takes for "no"."""
    with pytest.raises(OSError) as caught:  # noqa: PT011  (the errno is looked at)
        os.getxattr(path, name, follow_symlinks=follow_symlinks)
    assert errno.ENODATA == caught.value.errno


def test_a_payload_tells_whether_it_is_proven_and_how_much_of_it_is_here(shown: Shown) -> None:
    for version in shown.versions("dm"):
        path = shown.mount.project / "dm" / version.name
        assert ["user.datom.cached", "user.datom.verified"] == sorted(os.listxattr(path))
        assert os.getxattr(path, "user.datom.verified").decode() in STANDINGS
        assert 0 <= int(os.getxattr(path, "user.datom.cached")) <= len(version.body)


def test_a_link_tells_what_its_payload_does(shown: Shown) -> None:
    link = shown.mount.project / "dm.parquet"
    assert ["user.datom.cached", "user.datom.verified"] == sorted(os.listxattr(link))
    assert os.getxattr(link.resolve(), "user.datom.verified") == os.getxattr(link, "user.datom.verified")
    assert [] == os.listxattr(link, follow_symlinks=False)
    check_none(link, "user.datom.verified", follow_symlinks=False)


def test_an_open_payload_is_asked_too(shown: Shown) -> None:
    with (shown.mount.project / "dm.parquet").open("rb") as file:
        assert os.getxattr(file.fileno(), "user.datom.verified").decode() in STANDINGS


def test_folders_have_none(shown: Shown) -> None:
    for folder in (shown.mount.path, shown.mount.project, shown.mount.project / "dm"):
        assert [] == os.listxattr(folder)
        check_none(folder, "user.datom.verified")


@pytest.mark.parametrize("name", ["user.datom.nothing", "user.datom.", "user.verified"])
def test_an_unknown_name_is_no_data(shown: Shown, name: str) -> None:
    check_none(shown.mount.project / "dm.parquet", name)


@pytest.mark.parametrize("name", ["security.selinux", "system.posix_acl_access", "security.capability"])
def test_access_lists_and_labels_are_not_supported_so_that_ls_asks_once(shown: Shown, name: str) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011
        os.getxattr(shown.mount.project / "dm.parquet", name)
    assert errno.EOPNOTSUPP == caught.value.errno


def test_programs_that_copy_attributes_copy_payloads(shown: Shown, tmp_path: Path) -> None:
    *_, current = shown.versions("dm")
    subprocess.run(["cp", "-a", "-L", str(shown.mount.project / "dm.parquet"), str(tmp_path)], check=True)
    assert current.body == (tmp_path / "dm.parquet").read_bytes()


def test_asking_leaves_nothing_in_the_log(shown: Shown) -> None:
    check_none(shown.mount.project / "dm.parquet", "user.datom.nothing")
    assert [] == shown.mount.complaints
