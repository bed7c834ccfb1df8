"""The log and the metrics of a running daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics

from tests.mounts import (
    DEADLINE_S,
    Desk,
    Mount,
    StoredProject,
    ended,
    eventually,
    kernel_test,
    mounted,
    store_options,
    stored_in,
)

pytestmark = kernel_test


@pytest.fixture
def stored(tmp_path: Path) -> StoredProject:
    """A project with one version of dm."""
    project = stored_in(tmp_path / "store")
    project.put("dm", b"the bytes")
    return project


def ask_for_nothing(mount: Mount) -> None:
    """A request that only a log of everything has."""
    with pytest.raises(FileNotFoundError):
        os.stat(mount.project / f"{os.urandom(4).hex()}.parquet")


def debug_lines(mount: Mount) -> int:
    return mount.log.count(" DEBUG ")


def test_a_signal_has_a_daemon_log_everything_and_another_as_before(tmp_path: Path, stored: StoredProject) -> None:
    with mounted(tmp_path, *store_options(stored), complaints=True) as mount:
        ask_for_nothing(mount)
        assert 0 == debug_lines(mount)
        os.kill(mount.pid, signal.SIGUSR2)
        eventually(lambda: "logging from DEBUG on" in mount.log)
        ask_for_nothing(mount)
        count = debug_lines(mount)
        assert count > 0
        os.kill(mount.pid, signal.SIGUSR2)
        eventually(lambda: "logging from INFO on" in mount.log)
        count = debug_lines(mount)
        ask_for_nothing(mount)
        assert count == debug_lines(mount)


def test_the_settings_say_from_which_level_on(tmp_path: Path, stored: StoredProject) -> None:
    with mounted(tmp_path, *store_options(stored), variables={"DATOMFS_LOG_LEVEL": "warning"}) as mount:
        assert "" == mount.log
    (tmp_path / "again").mkdir()
    variables = {"DATOMFS_LOG_LEVEL": "debug"}
    with mounted(tmp_path / "again", *store_options(stored), complaints=True, variables=variables) as mount:
        ask_for_nothing(mount)
        assert debug_lines(mount) > 0


def test_a_log_that_logrotate_moved_is_begun_anew(tmp_path: Path, stored: StoredProject) -> None:
    log = tmp_path / "desk" / "state" / "datomfs" / "mounts" / "named.log"
    variables = {"DATOMFS_LOG_FILE": str(log)}
    with mounted(tmp_path, *store_options(stored), complaints=True, variables=variables) as mount:
        log.rename(f"{log}.1")
        os.kill(mount.pid, signal.SIGUSR2)
        eventually(lambda: log.exists() and "logging from DEBUG on" in log.read_text())
        assert f"mounted {mount.path}" in Path(f"{log}.1").read_text()


def test_a_log_that_cannot_be_written_is_told_before_anything_is_mounted(tmp_path: Path, stored: StoredProject) -> None:
    (tmp_path / "mnt").mkdir()
    done = Desk(tmp_path / "desk").run("mount", tmp_path / "mnt", *store_options(stored), "--log-file", tmp_path)
    assert (4, "") == (done.returncode, done.stdout)
    assert f"{tmp_path} cannot be written: Is a directory" in done.stderr


@pytest.fixture
def unmounted(tmp_path: Path) -> Iterator[Mount]:
    """A place and a desk to mount from; whatever a test mounts there ends with it."""
    mount = Mount(tmp_path / "mnt", Desk(tmp_path / "desk"))
    mount.path.mkdir()
    with ended(mount):
        yield mount


@pytest.mark.parametrize("to_file", [False, True])
def test_in_the_foreground_it_logs_to_the_journal_or_to_the_file_that_was_named(
    unmounted: Mount, stored: StoredProject, tmp_path: Path, to_file: bool
) -> None:
    log = tmp_path / "x.log"
    command = [sys.executable, "-m", "datomfs", "mount", str(unmounted.path), *store_options(stored), "--foreground"]
    journal, stderr = os.pipe()
    status = os.fstat(stderr)
    environment = {**unmounted.desk.environment, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    with (
        subprocess.Popen(
            [*command, *(["--log-file", str(log)] if to_file else [])], env=environment, stderr=stderr
        ) as process,
        open(journal, "rb") as printed,
    ):
        os.close(stderr)
        try:
            eventually(lambda: list(unmounted.desk.state.glob("*.json")) != [])  # it is written when all is ready
        finally:
            process.send_signal(signal.SIGTERM)
            text = printed.read().decode()
        assert 0 == process.wait(DEADLINE_S)
    if to_file:
        assert "" == text
        assert f" INFO datomfs.mount.daemon: mounted {unmounted.path}\n" in log.read_text()
    else:
        assert text.startswith(f"<6>datomfs.mount.daemon: mounted {unmounted.path}\n")


# -- metrics -------------------------------------------------------------------------------------------------------


def total(file: Path, name: str) -> float:
    """The sum of all samples of one name."""
    families = parse_open_metrics(file.read_text())
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


@pytest.mark.parametrize("by_option", [True, False])
def test_metrics_follow_what_happens_and_go_with_the_mount(
    tmp_path: Path, stored: StoredProject, by_option: bool
) -> None:
    file = tmp_path / "datomfs.prom"
    options = ["--metrics-file", str(file)] if by_option else []
    variables = {} if by_option else {"DATOMFS_METRICS_FILE": str(file)}
    with mounted(tmp_path, *store_options(stored), *options, variables=variables) as mount:
        assert 0 == total(file, "datomfs_read_bytes_total")
        assert 0o644 == file.stat().st_mode & 0o777
        assert b"the bytes" == (mount.project / "dm.parquet").read_bytes()
        eventually(lambda: total(file, "datomfs_read_bytes_total") == len(b"the bytes"))
        assert 1 == total(file, "datomfs_projects")
        assert [] == list(tmp_path.glob(".datomfs.prom*"))
        assert 0 == mount.desk.run("unmount", mount.path).returncode
        assert not file.exists()


def test_metrics_that_cannot_be_written_are_told_once_and_keep_nothing_from_working(
    tmp_path: Path, stored: StoredProject
) -> None:
    file = tmp_path / "nowhere" / "datomfs.prom"
    with mounted(tmp_path, *store_options(stored), "--metrics-file", file, complaints=True) as mount:
        assert b"the bytes" == (mount.project / "dm.parquet").read_bytes()
        told = lambda: mount.desk.run("status", mount.path).stdout  # noqa: E731
        eventually(lambda: "9 B" in told())
        assert 1 == len(mount.complaints)
        assert "the state of the mount cannot be written" in mount.complaints[0]
