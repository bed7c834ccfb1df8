"""Bad days of the cache: whatever happens to its folder, reads end with the recorded bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kernel.bad_days import MIB, STEP, Study, is_read, open_file, open_study, parquet, plain
from tests.mounts import eventually, kernel_test, sha256
from tests.s3_server import S3Server

pytestmark = [*kernel_test, pytest.mark.s3]

KINDS = [pytest.param(True, id="attested"), pytest.param(False, id="unattested")]
SIZE = 5 * MIB


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> Iterator[str]:
    name = s3_server.create_bucket("bad-caches")
    yield name
    s3_server.delete_bucket(name)


@contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """A file system of 3 MiB at `path`, in memory."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is for root, and not everywhere")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def used_bytes(folder: Path) -> int:
    """What a folder takes on its disk, its database apart."""
    files = [path for path in folder.rglob("*") if path.is_file() and "sqlite" not in path.name]
    return sum(path.stat().st_blocks * 512 for path in files)


@pytest.mark.parametrize("attested", KINDS)
def test_a_full_disk(tmp_path: Path, s3_server: S3Server, bucket: str, attested: bool) -> None:
    with small_disk(tmp_path / "cache"), open_study(tmp_path, s3_server, bucket) as study:
        for number, table in enumerate(("one", "two", "three")):
            body = plain(table, SIZE) if number else parquet(table, SIZE // 40)
            study.check_whole(study.put(table, body, attested=attested))
        assert any("No space left" in line or "takes no" in line for line in study.new_lines())
        # A line for each payload that it holds up, not for each piece.
        assert len(study.mount.complaints) <= 8


@pytest.mark.parametrize("attested", KINDS)
def test_a_quota_smaller_than_one_object(tmp_path: Path, s3_server: S3Server, bucket: str, attested: bool) -> None:
    with open_study(tmp_path, s3_server, bucket, "--cache-size", "2MiB") as study:
        for table in ("one", "two", "three"):
            study.check_whole(study.put(table, plain(table, SIZE), attested=attested))
            assert used_bytes(study.cache) <= 2 * MIB + (64 << 10)
        assert [] == study.new_lines()


Place = Callable[[Study, str], Path]

PLACES: dict[str, Place] = {
    "complete": lambda study, digest: study.cache / "objects" / digest[:2] / digest,
    "partial": lambda study, digest: study.cache / "partial" / str(os.geteuid()) / digest,
    "map": lambda study, digest: study.cache / "partial" / str(os.geteuid()) / f"{digest}.map",
    "database": lambda study, digest: study.cache / "index.sqlite3",
    "objects": lambda study, digest: study.cache / "objects",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_a_folder_where_a_file_should_be_or_a_file_for_a_folder(
    tmp_path: Path, s3_server: S3Server, bucket: str, place: Place
) -> None:
    with open_study(tmp_path, s3_server, bucket) as study:
        paths = {table: study.put(table, plain(table, SIZE)) for table in ("one", "two")}
        where = place(study, sha256(study.body(paths["one"])))
        where.parent.mkdir(parents=True, exist_ok=True)
        where.touch() if where.name == "objects" else (where / "something").mkdir(parents=True)
        for _ in range(2):
            for path in paths.values():
                study.check_whole(path)
        lines = study.new_lines()
        assert lines
        assert all("cache" in line for line in lines)


def test_what_cannot_be_removed_does_not_keep_the_rest(tmp_path: Path, s3_server: S3Server, bucket: str) -> None:
    with open_study(tmp_path, s3_server, bucket, "--cache-size", "12MiB") as study:
        study.check_whole(study.put("stuck", plain("stuck", SIZE)))
        (copy,) = study.cache.rglob(sha256(plain("stuck", SIZE)))
        copy.unlink()
        (copy / "something").mkdir(parents=True)
        for table in ("one", "two", "three"):
            path = study.put(table, plain(table, SIZE))
            study.check_whole(path)
            assert str(SIZE).encode() == os.getxattr(path, "user.datom.cached")
        assert used_bytes(study.cache) <= 12 * MIB


def test_a_cache_that_is_emptied_under_its_reader(tmp_path: Path, s3_server: S3Server, bucket: str) -> None:
    with open_study(tmp_path, s3_server, bucket) as study:
        paths = [study.put(table, plain(table, SIZE)) for table in ("one", "two")]
        with open_file(paths[0]) as fd:
            assert is_read(fd, study.body(paths[0]), MIB, STEP)
            shutil.rmtree(study.cache)
            for path in paths:
                study.check_whole(path)


@pytest.mark.parametrize("attested", KINDS)
def test_two_daemons_that_evict_at_once(tmp_path: Path, s3_server: S3Server, bucket: str, attested: bool) -> None:
    """Their quota holds two objects, and each reads four, twice, while the other does."""
    folders = [tmp_path / f"{name}-{attested}" for name in ("left", "right")]
    for folder in folders:
        folder.mkdir()
    options = ("--cache-size", str(2 * SIZE + MIB), "--cache-dir", tmp_path / "shared")
    with (
        open_study(folders[0], s3_server, bucket, *options) as left,
        open_study(folders[1], s3_server, bucket, *options) as right,
    ):
        tables = [f"table{number}" for number in range(4)]
        studies = [left, right]
        paths = [[study.put(table, plain(table, SIZE), attested=attested) for table in tables] for study in studies]

        def read_all(study: Study, files: list[Path]) -> None:
            for path in [*files, *reversed(files)]:
                with open_file(path) as fd:
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                study.check_whole(path)

        with ThreadPoolExecutor(4) as pool:
            done = [
                pool.submit(read_all, study, order)
                for study, files in zip(studies, paths, strict=True)
                for order in (files, files[::-1])
            ]
            for each in done:
                each.result()
        eventually(lambda: used_bytes(tmp_path / "shared") <= 2 * SIZE + 2 * MIB)
        assert [] == left.new_lines() + right.new_lines()


def test_a_size_that_was_listed_on_a_bad_day_cuts_nothing_off(tmp_path: Path, s3_server: S3Server, bucket: str) -> None:
    """The kernel keeps what it was told of a pin for an hour, and reads no further than that."""
    with open_study(tmp_path, s3_server, bucket) as study:
        for table, other in (("shorter", plain("other", MIB)), ("longer", plain("other", SIZE + MIB))):
            path = study.put(table, plain(table, SIZE))
            study.replace(table, other)
            assert len(other) == path.stat().st_size
            study.check_none(path)
            study.replace(table, study.body(path))
            eventually(lambda path=path: can_be_read(path, study.body(path)))
            assert SIZE == path.stat().st_size


def can_be_read(path: Path, body: bytes) -> bool:
    """Whether a file can be opened and is this one whole; it never is another one."""
    try:
        data = path.read_bytes()
    except OSError:
        return False
    assert body == data
    return True


def test_a_copy_on_this_machine_is_read_whole_whatever_is_listed(
    tmp_path: Path, s3_server: S3Server, bucket: str
) -> None:
    folders = [tmp_path / name for name in ("before", "after")]
    for folder in folders:
        folder.mkdir()
    options = ("--cache-dir", tmp_path / "shared")
    with open_study(folders[0], s3_server, bucket, *options) as before:
        before.check_whole(before.put("copied", plain("copied", SIZE)))
    with open_study(folders[1], s3_server, bucket, *options) as after:
        path = after.put("copied", plain("copied", SIZE))
        after.replace("copied", plain("other", MIB))
        assert MIB == path.stat().st_size
        assert plain("copied", SIZE) == path.read_bytes()
        assert SIZE == path.stat().st_size
