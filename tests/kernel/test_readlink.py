"""Links through the kernel: relative, and the pin of a moving name."""

from __future__ import annotations

import os
from pathlib import Path

from tests.kernel.conftest import ODD, Shown
from tests.mounts import kernel_test

pytestmark = kernel_test


def test_a_link_is_relative_and_names_the_current_version(shown: Shown) -> None:
    for table in ("dm", ODD):
        *_, current = shown.versions(table)
        assert f"{table}/{current.name}" == os.readlink(shown.mount.project / f"{table}.parquet")


def test_realpath_of_a_moving_name_is_the_pin(shown: Shown) -> None:
    *_, current = shown.versions("dm")
    pin = Path(os.path.realpath(shown.mount.project / "dm.parquet"))
    assert Path(os.path.realpath(shown.mount.path)) / "STUDY_001" / "dm" / current.name == pin
    assert current.body == pin.read_bytes()


def test_a_link_works_from_anywhere(shown: Shown, tmp_path: Path) -> None:
    *_, current = shown.versions("dm")
    (tmp_path / "mine").symlink_to(shown.mount.project / "dm.parquet")
    assert current.body == (tmp_path / "mine").read_bytes()


def test_a_pin_is_no_link(shown: Shown) -> None:
    *_, current = shown.versions("dm")
    assert not (shown.mount.project / "dm" / current.name).is_symlink()
