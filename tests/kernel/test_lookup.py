"""Names through the kernel: what resolves, and what each failure is."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.kernel.conftest import ODD, Shown
from tests.mounts import PROJECT, eventually, kernel_test, mounted, store_options, stored_in

pytestmark = kernel_test


def errno_of(path: Path | bytes) -> int | None:
    """The errno that looking at a path gives."""
    try:
        os.stat(path)
    except OSError as error:
        return error.errno
    return None


@pytest.mark.parametrize("digits", [6, 7, 8, 12, 63, 64])
@pytest.mark.parametrize("lead", ["@", "dm_"])
def test_every_version_resolves_by_every_prefix_in_both_spellings(shown: Shown, lead: str, digits: int) -> None:
    for version in shown.versions("dm"):
        path = shown.mount.project / "dm" / f"{lead}{version.version[:digits]}.parquet"
        assert version.body == path.read_bytes()


def test_all_spellings_are_one_file(shown: Shown) -> None:
    version = shown.versions("dm")[0].version
    folder = shown.mount.project / "dm"
    assert (folder / f"@{version}.parquet").samefile(folder / f"dm_{version[:6]}.parquet")


def test_odd_names_resolve(shown: Shown) -> None:
    (version,) = shown.versions(ODD)
    assert version.body == (shown.mount.project / ODD / f"{ODD}_{version.version[:8]}.parquet").read_bytes()
    assert version.body == (shown.mount.project / f"{ODD}.parquet").read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "STUDY_002", PROJECT.lower(), f"{PROJECT}/ex", f"{PROJECT}/DM", f"{PROJECT}/ex.parquet", f"{PROJECT}/dm.csv",
        f"{PROJECT}/dm/@ffffff.parquet", f"{PROJECT}/dm/@12345.parquet", f"{PROJECT}/dm/@FFFFFF.parquet",
        f"{PROJECT}/dm/dm", f"{PROJECT}/dm/" + "x" * 255, f"{PROJECT}/.datom/ex", ".datom", ".git",
        f"{PROJECT}/dm/\u00fc",
    ],
)  # fmt: skip
def test_what_does_not_exist_is_enoent(shown: Shown, name: str) -> None:
    assert errno.ENOENT == errno_of(shown.mount.path / name)


def test_a_name_that_is_no_text_is_enoent(shown: Shown) -> None:
    assert errno.ENOENT == errno_of(os.fsencode(shown.mount.project) + b"/dm/@\xff\xfe.parquet")


@pytest.mark.parametrize("length", [256, 1025, 4095])
def test_a_name_longer_than_names_may_be_is_not_found(shown: Shown, length: int) -> None:
    # Where names end depends on the kernel: at 1024 bytes, since Linux 6.9 at 4095.
    assert errno_of(shown.mount.project / ("x" * length)) in (errno.ENOENT, errno.ENAMETOOLONG)


def test_a_file_has_nothing_below_it(shown: Shown) -> None:
    version = shown.versions("dm")[0]
    assert errno.ENOTDIR == errno_of(shown.mount.project / "dm" / version.name / "x")


def test_dots_are_the_folder_and_its_parent(shown: Shown) -> None:
    assert (shown.mount.project / "dm" / ".").samefile(shown.mount.project / "dm")
    assert (shown.mount.project / "dm" / "..").samefile(shown.mount.project)
    assert (shown.mount.path / "..").samefile(shown.mount.path.parent)


def test_an_ambiguous_prefix_is_enotuniq_and_the_log_names_the_versions(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    one, other = "abcdef1".ljust(64, "0"), "abcdef2".ljust(64, "0")
    stored.put("dm", b"one", b"other")
    history = tmp_path / "store" / "datom" / "dm" / ".metadata" / "version_history.json"
    text = history.read_text()
    for version, spelled in zip(stored.tables["dm"], (one, other), strict=True):
        text = text.replace(version.version, spelled)
    history.write_text(text)
    with mounted(tmp_path, *store_options(stored), complaints=True) as mount:
        folder = mount.project / "dm"
        assert errno.ENOTUNIQ == errno_of(folder / "@abcdef.parquet")
        assert f"abcdef names several versions of {PROJECT}/dm: {one[:16]}, {other[:16]}" in mount.log
        assert b"one" == (folder / "@abcdef1.parquet").read_bytes()
        assert b"other" == (folder / "@abcdef2.parquet").read_bytes()


def test_a_version_whose_payload_is_lost_is_eio_not_enoent(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    lost, kept = stored.put("dm", b"lost", b"kept")
    stored.store.delete(lost.key)
    with mounted(tmp_path, *store_options(stored), complaints=True) as mount:
        assert errno.EIO == errno_of(mount.project / "dm" / lost.name)
        assert f"the payload of {PROJECT}/dm@{lost.version[:8]} is recorded but missing from the store" in mount.log
        assert b"kept" == (mount.project / "dm" / kept.name).read_bytes()


def test_a_version_written_a_moment_ago_is_found(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"one")
    with mounted(tmp_path, *store_options(stored), "--refresh", "3600") as mount:
        assert b"one" == (mount.project / "dm.parquet").read_bytes()
        (two,) = stored.put("dm", b"two")
        eventually((mount.project / "dm" / two.name).exists)
        assert b"two" == (mount.project / "dm" / two.name).read_bytes()
