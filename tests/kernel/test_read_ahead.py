"""What the kernel is told about read-ahead, where it can be told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datomfs.mount.read_ahead import limit_read_ahead
from tests.kernel.conftest import Shown
from tests.mounts import kernel_test

pytestmark = kernel_test

CONNECTIONS = Path("/sys/fs/fuse/connections")


def test_mere_read_ahead_is_dropped_when_two_requests_are_under_way(shown: Shown) -> None:
    connection = CONNECTIONS / str(os.minor(shown.mount.path.stat().st_dev))
    if not connection.exists():
        pytest.skip("no fusectl file system is mounted here")
    assert "2" == (connection / "congestion_threshold").read_text().strip()


def test_where_the_kernel_cannot_be_told_the_mount_goes_on(shown: Shown, tmp_path: Path) -> None:
    limit_read_ahead(shown.mount.path, tmp_path)
    assert [] == list(tmp_path.iterdir())
