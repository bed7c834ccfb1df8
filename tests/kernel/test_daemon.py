"""The life of a mount: it starts and answers, ends on request, and says clearly what stands in its way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from datomfs.mount.mountpoint import FSTYPE, find_fstype
from tests.mounts import (
    DEADLINE_S,
    PROJECT,
    Desk,
    Mount,
    StoredProject,
    ended,
    eventually,
    kernel_test,
    mounted,
    store_options,
    stored_in,
    wait_for_end,
)

pytestmark = kernel_test

MOUNT_FAILED = 9


@pytest.fixture
def stored(tmp_path: Path) -> StoredProject:
    """A project with one version of dm."""
    project = stored_in(tmp_path / "store")
    project.put("dm", b"the bytes")
    return project


@pytest.fixture
def unmounted(tmp_path: Path) -> Iterator[Mount]:
    """A place and a desk to mount from; whatever a test mounts there ends with it."""
    mount = Mount(tmp_path / "mnt", Desk(tmp_path / "desk"))
    mount.path.mkdir()
    with ended(mount):
        yield mount


# -- starting ------------------------------------------------------------------------------------------------------


def test_the_command_returns_when_the_mount_answers(unmounted: Mount, stored: StoredProject) -> None:
    done = unmounted.desk.run("mount", unmounted.path, *store_options(stored))
    assert (0, "") == (done.returncode, done.stderr)
    assert b"the bytes" == (unmounted.project / "dm.parquet").read_bytes()
    (pid_file,) = unmounted.desk.state.glob("mnt-*.pid")
    (log_file,) = unmounted.desk.state.glob("mnt-*.log")
    assert f"mounted {unmounted.path} (pid file {pid_file}, log {log_file})\n" == done.stdout
    assert f"INFO datomfs.mount.daemon: mounted {unmounted.path}" in unmounted.log
    assert unmounted.pid == os.getpgid(unmounted.pid) != os.getpgid(0)


def test_a_package_of_our_name_where_the_user_stands_is_not_taken_for_us(
    unmounted: Mount, stored: StoredProject, tmp_path: Path
) -> None:
    (tmp_path / "here" / "datomfs").mkdir(parents=True)
    (tmp_path / "here" / "datomfs" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    program = str(Path(sys.executable).with_name("datomfs"))
    command = [program, "mount", str(unmounted.path), *store_options(stored)]
    done = subprocess.run(
        command, env=unmounted.desk.environment, cwd=tmp_path / "here", capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert b"the bytes" == (unmounted.project / "dm.parquet").read_bytes()


def test_pid_and_log_go_where_they_are_told(unmounted: Mount, stored: StoredProject, tmp_path: Path) -> None:
    pid_file, log_file = tmp_path / "run" / "x.pid", tmp_path / "log" / "x.log"
    done = unmounted.desk.run(
        "mount", unmounted.path, *store_options(stored), "--pid-file", pid_file, "--log-file", log_file
    )
    assert (0, "") == (done.returncode, done.stderr)
    pid = int(pid_file.read_text())
    assert "mounted" in log_file.read_text()
    assert 0 == unmounted.desk.run("unmount", unmounted.path).returncode
    assert wait_for_end(pid)
    assert not pid_file.exists()


def test_projects_come_from_the_configuration(unmounted: Mount, stored: StoredProject, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[project.{PROJECT}]\nstore = "{stored.store.url}"\n')
    done = unmounted.desk.run("--config", tmp_path / "config.toml", "mount", unmounted.path)
    assert (0, "") == (done.returncode, done.stderr)
    assert [PROJECT] == os.listdir(unmounted.path)


def test_in_the_foreground_it_serves_until_it_is_interrupted(unmounted: Mount, stored: StoredProject) -> None:
    command = [sys.executable, "-m", "datomfs", "mount", str(unmounted.path), *store_options(stored), "--foreground"]
    process = subprocess.Popen(command, env=unmounted.desk.environment, stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: find_fstype(unmounted.path) == FSTYPE)
        assert b"the bytes" == (unmounted.project / "dm.parquet").read_bytes()
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=30)
    finally:
        process.kill()
    assert 0 == process.returncode
    assert "ending: SIGINT" in printed
    assert find_fstype(unmounted.path) is None


def test_a_link_to_a_folder_is_as_good_as_the_folder(unmounted: Mount, stored: StoredProject, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("mnt")
    assert 0 == unmounted.desk.run("mount", tmp_path / "link", *store_options(stored)).returncode
    again = unmounted.desk.run("mount", unmounted.path, *store_options(stored))
    assert (MOUNT_FAILED, True) == (again.returncode, "already mounted" in again.stderr)
    assert 0 == unmounted.desk.run("unmount", tmp_path / "link").returncode
    assert find_fstype(unmounted.path) is None


def test_a_folder_with_blanks_in_its_name_is_a_place_too(unmounted: Mount, stored: StoredProject) -> None:
    place = Mount(unmounted.path / "my studies", unmounted.desk)
    place.path.mkdir()
    with ended(place):
        assert 0 == place.desk.run("mount", place.path, *store_options(stored)).returncode
        assert b"the bytes" == (place.project / "dm.parquet").read_bytes()
        assert 0 == place.desk.run("unmount", place.path).returncode
        assert find_fstype(place.path) is None


# -- what stands in its way ----------------------------------------------------------------------------------------


def check_refused(mount: Mount, options: list[str], *words: str, code: int = MOUNT_FAILED) -> None:
    """The command fails with a message that has these words, and leaves nothing mounted or running."""
    done = mount.desk.run("mount", mount.path, *options)
    assert (code, "") == (done.returncode, done.stdout)
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert find_fstype(mount.path) is None
    assert [] == list(mount.desk.folder.rglob("*.pid"))


def test_a_pid_file_that_cannot_be_written_is_named(unmounted: Mount, stored: StoredProject, tmp_path: Path) -> None:
    options = [*store_options(stored), "--pid-file", str(tmp_path)]
    check_refused(unmounted, options, f"{tmp_path} cannot be written: Is a directory")


def test_a_missing_mountpoint_is_named(unmounted: Mount, stored: StoredProject) -> None:
    unmounted.path.rmdir()
    check_refused(unmounted, store_options(stored), f"{unmounted.path} is not a folder", "mkdir -p")


def test_a_file_is_no_mountpoint(unmounted: Mount, stored: StoredProject) -> None:
    unmounted.path.rmdir()
    unmounted.path.write_bytes(b"")
    check_refused(unmounted, store_options(stored), f"{unmounted.path} is not a folder")


def test_a_folder_with_files_is_refused(unmounted: Mount, stored: StoredProject) -> None:
    (unmounted.path / "notes.txt").write_text("mine")
    check_refused(unmounted, store_options(stored), f"{unmounted.path} is not empty")


def test_a_busy_mountpoint_is_refused_and_the_mount_there_lives_on(tmp_path: Path, stored: StoredProject) -> None:
    with mounted(tmp_path, *store_options(stored)) as mount:
        done = mount.desk.run("mount", mount.path, *store_options(stored))
        assert MOUNT_FAILED == done.returncode
        assert f"something is already mounted at {mount.path}" in done.stderr
        assert f"datomfs unmount {mount.path}" in done.stderr
        assert b"the bytes" == (mount.project / "dm.parquet").read_bytes()


def test_a_store_that_holds_nothing_is_said_before_anything_is_mounted(unmounted: Mount, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    options = ["--store", str(tmp_path / "empty"), "--project", PROJECT]
    check_refused(unmounted, options, "holds no datom project", code=3)
    check_refused(unmounted, ["--store", str(tmp_path / "no"), "--project", PROJECT], "does not exist", code=4)


def test_a_machine_without_the_packages_is_told_how_to_install_them(unmounted: Mount, stored: StoredProject) -> None:
    program = "import sys; sys.modules['pyfuse3'] = None; from datomfs.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "mount", str(unmounted.path), *store_options(stored)],
        env=unmounted.desk.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert MOUNT_FAILED == done.returncode
    assert "mounting needs the Python package pyfuse3" in done.stderr
    assert "pip install 'datomfs[mount]'" in done.stderr


def in_a_machine(setup: str, mount: Mount, options: list[str]) -> subprocess.CompletedProcess[str]:
    """`datomfs mount` in a mount namespace of its own, after some shell commands there."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no mount namespace can be made here")
    command = " ".join([sys.executable, "-m", "datomfs", "mount", str(mount.path), *options])
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", f"set -e; {setup}; {command}"],
        env=mount.desk.environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_a_machine_without_a_fuse_device_is_told_what_it_lacks(unmounted: Mount, stored: StoredProject) -> None:
    done = in_a_machine("mount -t tmpfs none /dev; : > /dev/null", unmounted, store_options(stored))
    assert MOUNT_FAILED == done.returncode
    assert "this machine cannot mount: /dev/fuse does not exist" in done.stderr
    assert "--device /dev/fuse" in done.stderr


def test_a_fuse_device_that_is_none_ends_the_daemon_with_its_reason(unmounted: Mount, stored: StoredProject) -> None:
    done = in_a_machine(f"mount --bind {__file__} /dev/fuse", unmounted, store_options(stored))
    assert MOUNT_FAILED == done.returncode
    assert "Traceback" not in done.stderr
    assert f"mounting {unmounted.path} failed: " in done.stderr
    (log_file,) = unmounted.desk.state.glob("*.log")
    assert f"(log: {log_file})" in done.stderr
    assert [] == list(unmounted.desk.state.glob("*.pid"))


# -- who may read --------------------------------------------------------------------------------------------------

NOBODY = 65534


@pytest.fixture
def reachable(tmp_path: Path) -> Iterator[Path]:
    """A folder that every user of the machine can get to; those of pytest are closed to others."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


def read_as_nobody(path: Path) -> subprocess.CompletedProcess[bytes]:
    """What a user without any rights gets of a file."""
    command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "cat", str(path)]
    return subprocess.run(command, capture_output=True, check=False, env={"PATH": os.environ["PATH"], "LC_ALL": "C"})


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can read as somebody else")


@needs_root
def test_other_users_cannot_read_a_mount(reachable: Path, stored: StoredProject) -> None:
    with mounted(reachable, *store_options(stored)) as mount:
        done = read_as_nobody(mount.project / "dm.parquet")
        assert (1, b"") == (done.returncode, done.stdout)
        assert b"Permission denied" in done.stderr


@needs_root
@pytest.mark.parametrize("by_option", [True, False])
def test_other_users_read_a_mount_that_lets_them_in(reachable: Path, stored: StoredProject, by_option: bool) -> None:
    options = ["--allow-other"] if by_option else []
    variables = {} if by_option else {"DATOMFS_MOUNT_ALLOW_OTHER": "yes"}
    with mounted(reachable, *store_options(stored), *options, variables=variables) as mount:
        done = read_as_nobody(mount.project / "dm.parquet")
        assert (0, b"the bytes", b"") == (done.returncode, done.stdout, done.stderr)
        assert 0 == (mount.project / "dm.parquet").stat().st_uid


# -- ending --------------------------------------------------------------------------------------------------------


def test_unmount_returns_when_the_daemon_has_ended(tmp_path: Path, stored: StoredProject) -> None:
    with mounted(tmp_path, *store_options(stored)) as mount:
        pid = mount.pid
        done = mount.desk.run("unmount", mount.path)
        assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
        assert wait_for_end(pid, 0)
        assert [] == list(mount.desk.state.glob("*.pid"))
        assert [] == os.listdir(mount.path)
        assert "unmounted" in mount.log
        again = mount.desk.run("unmount", mount.path)
        assert (MOUNT_FAILED, f"datomfs: no datomfs mount at {mount.path}\n") == (again.returncode, again.stderr)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_unmounts(tmp_path: Path, stored: StoredProject, number: signal.Signals) -> None:
    with mounted(tmp_path, *store_options(stored)) as mount:
        pid = mount.pid
        os.kill(pid, number)
        assert wait_for_end(pid)
        assert find_fstype(mount.path) is None
        assert [] == list(mount.desk.state.glob("*.pid"))
        assert f"ending: {number.name}" in mount.log


def test_an_open_file_keeps_the_mount_unless_it_is_detached(tmp_path: Path, stored: StoredProject) -> None:
    with mounted(tmp_path, *store_options(stored)) as mount:
        pid = mount.pid
        with (mount.project / "dm.parquet").open("rb", buffering=0) as file:
            done = mount.desk.run("unmount", mount.path)
            assert MOUNT_FAILED == done.returncode
            assert f"{mount.path} cannot be unmounted" in done.stderr
            assert f"datomfs unmount --lazy {mount.path}" in done.stderr
            assert b"the" == file.read(3)
            lazily = mount.desk.run("unmount", "--lazy", mount.path)
            assert (0, "") == (lazily.returncode, lazily.stderr)
            assert find_fstype(mount.path) is None
            assert b" bytes" == file.read()
        assert wait_for_end(pid)


def test_a_signal_ends_it_though_a_file_is_open(tmp_path: Path, stored: StoredProject) -> None:
    with mounted(tmp_path, *store_options(stored)) as mount:
        pid = mount.pid
        descriptor = os.open(mount.project / "dm.parquet", os.O_RDONLY)
        try:
            os.kill(pid, signal.SIGTERM)
            assert wait_for_end(pid)
            assert find_fstype(mount.path) is None
        finally:
            with suppress(OSError):  # nobody is there any more to be told
                os.close(descriptor)


def test_a_signal_ends_it_though_somebody_stands_in_it(tmp_path: Path, stored: StoredProject) -> None:
    with mounted(tmp_path, *store_options(stored)) as mount:
        pid = mount.pid
        with subprocess.Popen(["cat"], cwd=mount.project, stdin=subprocess.PIPE) as standing:
            os.kill(pid, signal.SIGTERM)
            assert wait_for_end(pid)
            assert find_fstype(mount.path) is None
            assert "PermissionError" not in mount.log
            standing.communicate()


def test_a_signal_ends_it_though_readers_are_in_the_middle_of_a_read(tmp_path: Path, stored: StoredProject) -> None:
    stored.put("large", os.urandom(64 << 20))
    with mounted(tmp_path, *store_options(stored)) as mount:
        pid = mount.pid
        loop = 'exec 3>&1; while dd if="$1" iflag=direct,fullblock bs=1M 2>/dev/null | tail -c 1 >&3; do :; done'
        command = ["sh", "-c", loop, "sh", str(mount.project / "large.parquet")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as reading:
            assert reading.stdout is not None
            try:
                assert 1 == len(reading.stdout.read(1))  # one has been through, the next is at it
                os.kill(pid, signal.SIGTERM)
                assert wait_for_end(pid)
                assert find_fstype(mount.path) is None
            finally:
                os.killpg(reading.pid, signal.SIGKILL)


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_S)
        yield server


@contextmanager
def mounted_from(server: socket.socket, folder: Path, stall_s: int) -> Iterator[Mount]:
    """A mount whose one project lies in a bucket of that server."""
    config = folder / "desk" / "config" / "datomfs" / "config.toml"
    config.parent.mkdir(parents=True)
    endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
    config.write_text(
        f'[s3]\nendpoint = "{endpoint}"\n[project.{PROJECT}]\nstore = "s3://x"\n[mount]\nstall_s = {stall_s}\n'
    )
    variables = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_CONFIG_FILE": str(folder / "none")}
    with mounted(folder, complaints=True, variables=variables) as mount:
        yield mount


def test_a_store_that_does_not_answer_is_eio_in_time(tmp_path: Path, silent_server: socket.socket) -> None:
    with mounted_from(silent_server, tmp_path, stall_s=1) as mount:
        with pytest.raises(OSError, match="Input/output error"):
            os.listdir(mount.project)
        assert f"no answer for project {PROJECT} within 1 s" in mount.log
        assert [PROJECT] == os.listdir(mount.path)


def test_a_signal_ends_it_though_a_request_waits_for_a_store(tmp_path: Path, silent_server: socket.socket) -> None:
    with mounted_from(silent_server, tmp_path, stall_s=300) as mount:
        waiting = subprocess.Popen(["ls", str(mount.project)], stderr=subprocess.PIPE, text=True)
        try:
            connection, _ = silent_server.accept()
            pid = mount.pid
            os.kill(pid, signal.SIGTERM)
            assert wait_for_end(pid)
            connection.close()
            _, printed = waiting.communicate(timeout=DEADLINE_S)
        finally:
            waiting.kill()
        assert f"{mount.project}" in printed
        assert find_fstype(mount.path) is None


def test_a_mount_whose_daemon_was_killed_is_made_again_where_it_was(tmp_path: Path, stored: StoredProject) -> None:
    with mounted(tmp_path, *store_options(stored), complaints=True) as mount:
        for _ in range(2):
            pid = mount.pid
            os.kill(pid, signal.SIGKILL)
            assert wait_for_end(pid)
            with pytest.raises(OSError, match="Transport endpoint is not connected"):
                os.listdir(mount.path)
            again = mount.desk.run("mount", mount.path, *store_options(stored))
            assert (0, "") == (again.returncode, again.stderr)
            assert b"the bytes" == (mount.project / "dm.parquet").read_bytes()
        line = f"WARNING datomfs.mount.stale: took away the mount that a dead daemon left at {mount.path}"
        assert 2 == mount.log.count(line)


def test_a_mount_whose_daemon_was_killed_can_be_unmounted(tmp_path: Path, stored: StoredProject) -> None:
    with mounted(tmp_path, *store_options(stored)) as mount:
        pid = mount.pid
        os.kill(pid, signal.SIGKILL)
        assert wait_for_end(pid)
        done = mount.desk.run("unmount", mount.path)
        assert (0, "") == (done.returncode, done.stderr)
        assert [] == os.listdir(mount.path)


def test_two_mounts_do_not_disturb_each_other(tmp_path: Path, stored: StoredProject) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with mounted(tmp_path / "one", *store_options(stored)) as one:
        with mounted(tmp_path / "two", *store_options(stored)) as two:
            assert b"the bytes" == (two.project / "dm.parquet").read_bytes()
            assert 0 == two.desk.run("unmount", two.path).returncode
        assert b"the bytes" == (one.project / "dm.parquet").read_bytes()
