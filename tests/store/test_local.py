"""The store in a folder keeps the contract of stores, and what colleagues and processes that share it ask for."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from datomfs.errors import ObjectChanged, ObjectExists, ObjectMissing, SourceChanged, StoreMissing
from datomfs.model.location import Location
from datomfs.store.base import Store
from datomfs.store.local import LocalStore
from tests.store.contract import KEY, StoreContract, sha256

REPOSITORY = Path(__file__).parents[2]


def open_store(root: Path, prefix: str | None = None) -> LocalStore:
    return LocalStore(Location("local", str(root), prefix))


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        root = tmp_path / "root"
        root.mkdir()
        return open_store(root, "a/prefix/")

    @pytest.fixture
    def missing_store(self, tmp_path: Path) -> LocalStore:
        return open_store(tmp_path / "missing", "a/prefix")

    def path(self, store: Store, key: str) -> Path:
        return Path(store.url.removesuffix("/a/prefix"), "a", "prefix", "datom", key)

    def raw_put(self, store: Store, key: str, body: bytes) -> None:
        path = self.path(store, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def raw_get(self, store: Store, key: str) -> bytes | None:
        path = self.path(store, key)
        return path.read_bytes() if path.is_file() else None

    def test_local_path_is_the_file(self, store: Store) -> None:
        assert self.path(store, KEY) == store.local_path(KEY)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder that exists."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def store(root: Path) -> LocalStore:
    return open_store(root)


def test_documents_end_with_a_newline(store: LocalStore) -> None:
    assert b"\n" == store.document_suffix


def test_missing_root_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        open_store(tmp_path / "missing").put(KEY, b"one")
    assert [] == list(tmp_path.iterdir())


def test_root_that_is_a_file_is_a_missing_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreMissing):
        open_store(tmp_path / "file").check()


def test_upload_is_not_attested(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"one")
    assert store.upload(KEY, source, sha256=sha256(b"one")).sha256 is None


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_modes_follow_the_umask(store: LocalStore, root: Path, tmp_path: Path, umask: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"one")
    before = os.umask(umask)
    try:
        store.put("dm/put", b"one")
        store.upload("dm/upload", source, sha256=sha256(b"one"))
    finally:
        os.umask(before)
    for name, full in (("dm", 0o777), ("dm/put", 0o666), ("dm/upload", 0o666)):
        assert oct(full & ~umask) == oct((root / "datom" / name).stat().st_mode & 0o777)


def test_rewriting_in_place_with_equal_size_changes_the_etag(store: LocalStore, root: Path) -> None:
    before = store.put(KEY, b"one")
    path = root / "datom" / KEY
    status = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert before.etag != store.head(KEY).etag


def test_object_that_changes_while_it_is_read_is_refused(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    etag = store.put(KEY, b"0123456789").etag
    pread, path = os.pread, store.local_path(KEY)

    def rewrite_and_read(descriptor: int, length: int, start: int) -> bytes:
        path.write_bytes(b"abcdefghij")
        return pread(descriptor, length, start)

    monkeypatch.setattr(os, "pread", rewrite_and_read)
    with pytest.raises(ObjectChanged):
        store.get_range(KEY, 0, 3, if_match=etag)
    with pytest.raises(ObjectChanged):
        store.get(KEY)


def test_get_reads_again_what_was_rewritten_meanwhile(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(KEY, b"before")
    pread, path = os.pread, store.local_path(KEY)

    def rewrite_once(descriptor: int, length: int, start: int) -> bytes:
        monkeypatch.setattr(os, "pread", pread)
        path.write_bytes(b"bef")
        return pread(descriptor, length, start)

    monkeypatch.setattr(os, "pread", rewrite_once)
    body, info = store.get_with_info(KEY)
    assert (b"bef", store.head(KEY)) == (body, info)


def test_named_pipe_is_no_object_and_is_not_waited_for(store: LocalStore, root: Path) -> None:
    (root / "datom").mkdir()
    os.mkfifo(root / "datom" / "pipe")
    with pytest.raises(ObjectMissing):
        store.get("pipe")
    assert [] == list(store.list())


def test_list_shows_neither_what_is_being_written_nor_what_no_key_names(store: LocalStore, root: Path) -> None:
    store.put(KEY, b"one")
    (root / "datom" / "dm" / ".datomfs-0123").touch()
    (root / "datom" / "datom").mkdir()
    (root / "datom" / "datom" / "x").touch()
    (root / "datom" / "dangling").symlink_to("nowhere")
    assert [KEY] == [info.key for info in store.list()]


def test_nothing_but_the_object_stays_behind(store: LocalStore, root: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"one")
    store.upload("dm/upload", source, sha256=sha256(b"one"))
    etag = store.put("dm/put", b"one", if_absent=True).etag
    store.put("dm/put", b"two", if_match=etag)
    with pytest.raises(ObjectChanged):
        store.put("dm/put", b"three", if_match=etag)
    with pytest.raises(ObjectExists):
        store.put("dm/put", b"three", if_absent=True)
    assert ["datom/dm/put", "datom/dm/upload"] == files_below(root)


def test_interrupted_upload_leaves_nothing(
    store: LocalStore, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"one")

    def interrupt(descriptor: int) -> None:
        assert 1 == len(files_below(root))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    (root / "datom" / "dm").mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt):
        store.upload(KEY, source, sha256=sha256(b"one"))
    assert [] == files_below(root)


def test_refused_upload_leaves_nothing(store: LocalStore, root: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"other")
    with pytest.raises(SourceChanged):
        store.upload(KEY, source, sha256=sha256(b"announced"))
    assert [] == files_below(root)


def test_folder_without_hard_links(store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    info = store.put(KEY, b"one", if_absent=True)
    assert store.head(KEY) == info
    with pytest.raises(ObjectExists):
        store.put(KEY, b"two", if_absent=True)
    assert b"one" == store.get(KEY)
    assert [f"datom/{KEY}"] == files_below(root)


COUNTING = """
import sys
from datomfs.errors import ObjectChanged
from datomfs.model.location import Location
from datomfs.store.local import LocalStore
store = LocalStore(Location("local", sys.argv[1]))
for _ in range(100):
    while True:
        body, info = store.get_with_info("counter")
        try:
            store.put("counter", b"%d" % (int(body) + 1), if_match=info.etag)
            break
        except ObjectChanged:
            pass
"""


def test_processes_that_count_together_lose_nothing(store: LocalStore, root: Path) -> None:
    store.put("counter", b"0")
    command = [sys.executable, "-c", COUNTING, str(root)]
    children = [subprocess.Popen(command, cwd=REPOSITORY) for _ in range(3)]
    assert [0, 0, 0] == [child.wait(timeout=60) for child in children]
    assert b"300" == store.get("counter")
    assert ["datom/counter"] == files_below(root)
