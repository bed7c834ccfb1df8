"""Everything that would write is EROFS, answered by the kernel itself, and changes nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernel.conftest import Shown
from tests.mounts import kernel_test

pytestmark = kernel_test

Write = Callable[[Path, Path, Path], object]
"""A system call on a payload, a folder in the mount, and a file of the user's own."""

WRITES: dict[str, Write] = {
    "open to write": lambda file, folder, own: os.open(file, os.O_WRONLY),
    "open to read and write": lambda file, folder, own: os.open(file, os.O_RDWR),
    "open to append": lambda file, folder, own: os.open(file, os.O_WRONLY | os.O_APPEND),
    "open to truncate": lambda file, folder, own: os.open(file, os.O_RDONLY | os.O_TRUNC),
    "create": lambda file, folder, own: os.open(folder / "new", os.O_WRONLY | os.O_CREAT),
    "create in the root": lambda file, folder, own: os.open(folder.parent.parent / "new", os.O_WRONLY | os.O_CREAT),
    "create without a name": lambda file, folder, own: os.open(folder, os.O_WRONLY | os.O_TMPFILE),
    "truncate": lambda file, folder, own: os.truncate(file, 0),
    "rename": lambda file, folder, own: os.rename(file, folder / "new"),
    "rename onto": lambda file, folder, own: os.replace(folder.parent / "dm.parquet", file),
    "rename a folder": lambda file, folder, own: os.rename(folder, folder.parent / "new"),
    "unlink": lambda file, folder, own: os.unlink(file),
    "unlink a link": lambda file, folder, own: os.unlink(folder.parent / "dm.parquet"),
    "mkdir": lambda file, folder, own: os.mkdir(folder / "new"),
    "rmdir": lambda file, folder, own: os.rmdir(folder),
    "symlink": lambda file, folder, own: os.symlink("x", folder / "new"),
    "link": lambda file, folder, own: os.link(file, folder / "new"),
    "mkfifo": lambda file, folder, own: os.mkfifo(folder / "new"),
    "chmod": lambda file, folder, own: os.chmod(file, 0o644),
    "chmod of a folder": lambda file, folder, own: os.chmod(folder, 0o700),
    "chown": lambda file, folder, own: os.chown(file, os.getuid(), os.getgid()),
    "utime": lambda file, folder, own: os.utime(file),
    "setxattr": lambda file, folder, own: os.setxattr(file, "user.note", b"x"),
    "removexattr": lambda file, folder, own: os.removexattr(file, "user.note"),
}


@pytest.mark.parametrize("name", WRITES)
def test_writing_is_erofs(shown: Shown, tmp_path: Path, name: str) -> None:
    *_, current = shown.versions("dm")
    folder = shown.mount.project / "dm"
    file = folder / current.name
    with pytest.raises(OSError) as caught:  # noqa: PT011  (the errno is looked at)
        WRITES[name](file, folder, tmp_path / "own")
    assert errno.EROFS == caught.value.errno
    assert current.body == file.read_bytes()
    assert [current.name] == os.listdir(folder)


def test_moving_something_in_is_refused(shown: Shown, tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(b"x")
    with pytest.raises(OSError) as caught:  # noqa: PT011
        os.rename(tmp_path / "own", shown.mount.project / "own")
    assert caught.value.errno in (errno.EROFS, errno.EXDEV)
    assert b"x" == (tmp_path / "own").read_bytes()


def test_a_file_open_for_reading_takes_no_bytes(shown: Shown) -> None:
    with (shown.mount.project / "dm.parquet").open("rb") as file, pytest.raises(OSError) as caught:  # noqa: PT011
        os.write(file.fileno(), b"x")
    assert errno.EBADF == caught.value.errno


def test_access_tells_what_may_be_done(shown: Shown) -> None:
    path = shown.mount.project / "dm.parquet"
    assert os.access(path, os.R_OK)
    assert not os.access(path, os.W_OK)
    assert not os.access(path, os.X_OK)
