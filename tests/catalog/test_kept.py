"""What is kept for times without network: whole or not at all, private, bounded, and nobody's business to fail."""

from __future__ import annotations

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.catalog.kept import Kept, Shelf
from tests.mounts import eventually

NAMES = st.text(min_size=1).filter(lambda name: "\n" not in name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "documents"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def body_of(shelf: Shelf, name: str) -> bytes | None:
    found = shelf.find(name)
    return found.body if found else None


@given(NAMES, st.binary(), st.binary())
def test_what_was_kept_last_is_found_whatever_it_is(name: str, one: bytes, two: bytes) -> None:
    with TemporaryDirectory() as empty:  # what another example has kept is none of this one's
        folder = Path(empty)
        shelf = Kept(folder).shelf("P", "s3://acme")
        for body in (one, two, two, one):
            shelf.put(name, body)
            assert body == body_of(shelf, name) == body_of(Kept(folder).shelf("P", "s3://acme"), name)
        assert body_of(shelf, name + "x") is None


def test_projects_of_one_name_and_different_places_share_nothing(folder: Path) -> None:
    kept = Kept(folder)
    kept.shelf("P", "s3://acme").put("a", b"acme's")
    for other in (
        kept.shelf("P", "s3://other"),
        kept.shelf("Ps3://acme"),
        kept.shelf("P"),
        kept.shelf("P", "", "s3://acme"),
    ):
        assert other.find("a") is None


def test_what_is_read_again_is_dated_anew_and_not_written(folder: Path) -> None:
    shelf = Kept(folder).shelf("P")
    shelf.put("a", b"body")
    (path,) = files(folder)
    inode = path.stat().st_ino
    os.utime(path, ns=(7, 7))
    found = shelf.find("a")
    assert found is not None
    assert 7 == found.checked_ns
    shelf.put("a", b"body")
    found = shelf.find("a")
    assert found is not None
    assert found.checked_ns > 7
    assert inode == path.stat().st_ino
    path.unlink()
    shelf.put("a", b"body")
    assert b"body" == body_of(shelf, "a")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_user_may_read_it(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        Kept(folder).shelf("P").put("a", b"body")
    finally:
        os.umask(before)
    assert {0o700} == {stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert [0o600] == [stat.S_IMODE(path.stat().st_mode) for path in files(folder)]


@pytest.mark.parametrize("damage", [b"", b"\n", b"0" * 64 + b"\na\nother", b"no digest"])
def test_a_damaged_file_was_never_kept(folder: Path, damage: bytes) -> None:
    shelf = Kept(folder).shelf("P")
    shelf.put("a", b"body")
    (path,) = files(folder)
    whole = path.read_bytes()
    for broken in (damage, whole[:-1], whole + b"x", whole.replace(b" a\n", b" b\n")):
        path.write_bytes(broken)
        assert shelf.find("a") is None
    path.write_bytes(whole)
    assert b"body" == body_of(shelf, "a")


def test_what_another_project_kept_is_not_taken_for_ones_own_wherever_it_lies(folder: Path) -> None:
    kept = Kept(folder)
    one, other = kept.shelf("P"), kept.shelf("Q")
    one.put("a", b"of P")
    (path,) = files(folder)
    other.put("a", b"of Q")
    (target,) = set(files(folder)) - {path}
    path.replace(target)
    assert other.find("a") is None


@pytest.mark.skipif(os.getuid() != 0, reason="files can be given away by root alone")
def test_what_somebody_else_put_there_is_not_believed(folder: Path) -> None:
    shelf = Kept(folder).shelf("P")
    shelf.put("a", b"body")
    (path,) = files(folder)
    os.chown(path, 12345, -1)
    assert shelf.find("a") is None


def test_a_folder_in_its_place_is_nothing(folder: Path) -> None:
    shelf = Kept(folder).shelf("P")
    shelf.put("a", b"body")
    (path,) = files(folder)
    path.unlink()
    path.mkdir()
    assert shelf.find("a") is None


def test_it_holds_no_more_than_it_may_and_the_oldest_goes_first(folder: Path) -> None:
    shelf = Kept(folder).shelf("P")
    for number in range(60):
        shelf.put(f"{number}", bytes(10_000))
        os.utime(shelf._path(f"{number}"), ns=(number + 1, number + 1))
    Kept(folder, limit=200_000).shelf("P").put("last", b"")
    # Each costs 4096 bytes beside its own.
    eventually(lambda: len(files(folder)) * 14_000 <= 200_000)
    assert b"" == body_of(shelf, "last")
    assert bytes(10_000) == body_of(shelf, "59")
    assert shelf.find("0") is None


def test_what_is_too_large_is_not_kept_and_what_was_is_not_taken_for_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datomfs.catalog.kept._LARGEST", 100)
    shelf = Kept(folder).shelf("P")
    shelf.put("a", bytes(100))
    shelf.put("a", bytes(101))
    assert shelf.find("a") is None
    assert [] == files(folder)


@pytest.mark.expected_warnings
def test_what_cannot_be_kept_is_told_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder.write_text("a file where a folder belongs")
    shelf = Kept(folder).shelf("P")
    for name in ("a", "b"):
        shelf.put(name, b"body")
        assert shelf.find(name) is None
    (message,) = caplog.messages
    assert message.startswith(f"documents cannot be kept in {folder} for times without network: ")


def test_many_who_keep_the_same_leave_one_whole_and_nothing_beside_it(folder: Path) -> None:
    bodies = [bytes([number]) * 100_000 for number in range(8)]
    ending = threading.Event()

    def keep(body: bytes) -> None:
        shelf = Kept(folder).shelf("P")
        for _ in range(20):
            shelf.put("a", body)
            shelf._known.clear()

    def look() -> None:
        shelf = Kept(folder).shelf("P")
        while not ending.is_set():
            assert body_of(shelf, "a") in (None, *bodies)

    with ThreadPoolExecutor(9) as pool:
        looking = pool.submit(look)
        list(pool.map(keep, bodies))
        ending.set()
        looking.result()
    assert 1 == len(files(folder))
