"""What every store must do: one test for each sentence of `datomfs/store/base.py`.

A store's tests are a subclass with the two fixtures and the two methods that look past the store, so that a store is
never judged by its own word. What only one kind of store can do is tested beside the subclass.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from datomfs.errors import (
    DocumentTooLarge,
    FileMissing,
    InvalidKey,
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    SourceChanged,
    StoreMissing,
    UnreadableFile,
)
from datomfs.model.jsonlite import MOST_BYTES
from datomfs.store.base import ObjectInfo, RangeBody, Store

KEY = "dm/0123456789abcdef.parquet"
ODD_KEY = "Name with (parens) - v2/.metadata/metadata.json"
LEAVING_KEYS = ["", "/x", "x/", "a//b", ".", "./x", "..", "../x", "a/../../x", "datom", "datom/x", "a/datom/x", "a\0b"]


def sha256(body: bytes) -> str:
    """The hex digest of some bytes."""
    return hashlib.sha256(body).hexdigest()


Act = Callable[[Store, str, Path], object]

ACTS: dict[str, Act] = {
    "head": lambda store, key, source: store.head(key),
    "get": lambda store, key, source: store.get(key),
    "get_with_info": lambda store, key, source: store.get_with_info(key),
    "get_range": lambda store, key, source: store.get_range(key, 0, 1),
    "open_range": lambda store, key, source: store.open_range(key, 0, 1),
    "put": lambda store, key, source: store.put(key, b"one"),
    "put_if_absent": lambda store, key, source: store.put(key, b"one", if_absent=True),
    "put_if_match": lambda store, key, source: store.put(key, b"one", if_match="etag"),
    "upload": lambda store, key, source: store.upload(key, source, sha256=sha256(b"one")),
    "delete": lambda store, key, source: store.delete(key),
}
"""Everything a store does with one key; `source` is a file that holds `one`."""


def read_stream(stream: RangeBody, step: int) -> bytes:
    """All of a stream, asked for in steps."""
    buffer = memoryview(bytearray(step))
    parts = []
    while count := stream.readinto(buffer):
        parts.append(bytes(buffer[:count]))
    return b"".join(parts)


class StoreContract:
    """To be subclassed as `TestXStore`; `store` begins empty, `missing_store` is one whose place does not exist."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    @pytest.fixture
    def missing_store(self) -> Store:
        raise NotImplementedError

    def raw_put(self, store: Store, key: str, body: bytes) -> None:
        """Make an object without the store's help."""
        raise NotImplementedError

    def raw_get(self, store: Store, key: str) -> bytes | None:
        """An object's bytes, or None, without the store's help."""
        raise NotImplementedError

    @pytest.mark.parametrize("present", ["other", "dm/x", "d"])
    @pytest.mark.parametrize("key", ["dm", "d/m"])
    @pytest.mark.parametrize("act", ["head", "get", "get_with_info", "get_range", "open_range"])
    def test_missing_object(self, store: Store, tmp_path: Path, act: str, key: str, present: str) -> None:
        """Also where its folder exists, where it is a folder, and where its folder is an object."""
        self.raw_put(store, present, b"1")
        with pytest.raises(ObjectMissing) as raised:
            ACTS[act](store, key, tmp_path)
        assert (store.url, key) == (raised.value.store, raised.value.key)

    # -- head ------------------------------------------------------------------------------------------------------

    def test_head_tells_key_and_size(self, store: Store) -> None:
        self.raw_put(store, KEY, b"0123456789")
        info = store.head(KEY)
        assert (KEY, 10) == (info.key, info.size)

    def test_etag_stays_while_the_object_does(self, store: Store) -> None:
        self.raw_put(store, KEY, b"one")
        assert store.head(KEY) == store.head(KEY)

    def test_etag_changes_with_the_bytes(self, store: Store) -> None:
        before = store.put(KEY, b"one")
        after = store.put(KEY, b"two")
        assert before.etag != after.etag

    # -- get -------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("body", [b"", bytes(range(256)) * 4096], ids=["empty", "1 MiB"])
    def test_get_gives_the_whole_object(self, store: Store, body: bytes) -> None:
        self.raw_put(store, KEY, body)
        assert body == store.get(KEY)

    def test_get_with_info_gives_bytes_and_their_etag(self, store: Store) -> None:
        self.raw_put(store, KEY, b"one")
        body, info = store.get_with_info(KEY)
        assert (b"one", 3, store.head(KEY).etag) == (body, info.size, info.etag)

    def test_get_sees_what_others_put(self, store: Store) -> None:
        store.put(KEY, b"one")
        self.raw_put(store, KEY, b"other")
        assert b"other" == store.get(KEY)

    def test_an_object_that_is_too_long_for_a_document_is_got_by_range_alone(self, store: Store) -> None:
        self.raw_put(store, KEY, bytes(MOST_BYTES + 1))
        for get in (store.get, store.get_with_info):
            with pytest.raises(DocumentTooLarge) as raised:
                get(KEY)
            assert (MOST_BYTES + 1, MOST_BYTES) == (raised.value.length, raised.value.limit)
        assert MOST_BYTES + 1 == store.head(KEY).size
        assert MOST_BYTES + 1 == len(store.get_range(KEY, 0, MOST_BYTES + 2))

    def test_the_longest_document(self, store: Store) -> None:
        self.raw_put(store, KEY, bytes(MOST_BYTES))
        assert MOST_BYTES == len(store.get(KEY))

    # -- get_range -------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, 10, b"0123456789"),
            (0, 3, b"012"),
            (4, 2, b"45"),
            (8, 2, b"89"),
            (8, 5, b"89"),
            (0, 11, b"0123456789"),
            (0, 1 << 40, b"0123456789"),
            (10, 1, b""),
            (99, 5, b""),
            (3, 0, b""),
            (10, 0, b""),
        ],
    )
    def test_range_is_short_only_where_the_object_ends(
        self, store: Store, start: int, length: int, expected: bytes
    ) -> None:
        self.raw_put(store, KEY, b"0123456789")
        assert expected == store.get_range(KEY, start, length)

    def test_range_of_empty_object(self, store: Store) -> None:
        self.raw_put(store, KEY, b"")
        assert b"" == store.get_range(KEY, 0, 10)

    def test_range_across_a_large_object(self, store: Store) -> None:
        body = bytes(range(251)) * 40_000
        self.raw_put(store, KEY, body)
        assert body[4_000_000:9_000_000] == store.get_range(KEY, 4_000_000, 5_000_000)

    def test_range_of_the_matching_object(self, store: Store) -> None:
        self.raw_put(store, KEY, b"0123456789")
        assert b"234" == store.get_range(KEY, 2, 3, if_match=store.head(KEY).etag)

    @pytest.mark.parametrize(("start", "length"), [(2, 3), (2, 0), (99, 3)])
    def test_range_of_a_changed_object(self, store: Store, start: int, length: int) -> None:
        self.raw_put(store, KEY, b"0123456789")
        etag = store.head(KEY).etag
        self.raw_put(store, KEY, b"abcdefghij")
        with pytest.raises(ObjectChanged):
            store.get_range(KEY, start, length, if_match=etag)

    def test_range_of_an_object_deleted_since(self, store: Store) -> None:
        etag = store.put(KEY, b"0123456789").etag
        store.delete(KEY)
        with pytest.raises(ObjectMissing):
            store.get_range(KEY, 0, 3, if_match=etag)

    # -- open_range ------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("step", [1 << 10, 1 << 20, 1 << 24])
    @pytest.mark.parametrize(("start", "length"), [(0, 1), (0, 3_000_001), (2_999_999, 2), (1234, 2_345_678)])
    def test_stream_gives_the_range_in_order_and_then_nothing(
        self, store: Store, start: int, length: int, step: int
    ) -> None:
        body = bytes(range(251)) * 12_000
        self.raw_put(store, KEY, body)
        with closing(store.open_range(KEY, start, length, if_match=store.head(KEY).etag)) as stream:
            assert body[start : start + length] == read_stream(stream, step)
            assert 0 == stream.readinto(memoryview(bytearray(10)))

    def test_stream_that_is_given_up_disturbs_no_other(self, store: Store) -> None:
        body = bytes(range(251)) * 12_000
        self.raw_put(store, KEY, body)
        for _ in range(3):
            with closing(store.open_range(KEY, 0, len(body))) as stream:
                assert 0 < stream.readinto(memoryview(bytearray(10)))
        with closing(store.open_range(KEY, 5, 10)) as stream:
            assert body[5:15] == read_stream(stream, 10)

    def test_stream_of_a_changed_object(self, store: Store) -> None:
        self.raw_put(store, KEY, b"0123456789")
        etag = store.head(KEY).etag
        self.raw_put(store, KEY, b"abcdefghij")
        with pytest.raises(ObjectChanged):
            store.open_range(KEY, 2, 3, if_match=etag)

    # -- put -------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("key", [KEY, ODD_KEY, "top.json", ".metadata/manifest.json", "dm/é+%20&.json"])
    def test_put_stores_the_bytes(self, store: Store, key: str) -> None:
        store.put(key, b'{"a": 1}', content_type="application/json")
        assert b'{"a": 1}' == self.raw_get(store, key)
        assert b'{"a": 1}' == store.get(key)
        assert [key] == [info.key for info in store.list()]

    def test_put_tells_what_head_tells(self, store: Store) -> None:
        assert store.put(KEY, b"one") == store.head(KEY)

    @pytest.mark.parametrize("body", [b"", b"two"])
    def test_put_replaces(self, store: Store, body: bytes) -> None:
        store.put(KEY, b"a long first body")
        store.put(KEY, body)
        assert body == self.raw_get(store, KEY)

    def test_put_if_absent_makes_an_object(self, store: Store) -> None:
        assert store.put(KEY, b"one", if_absent=True) == store.head(KEY)
        assert b"one" == self.raw_get(store, KEY)

    def test_put_if_absent_keeps_what_is_there(self, store: Store) -> None:
        self.raw_put(store, KEY, b"theirs")
        with pytest.raises(ObjectExists):
            store.put(KEY, b"ours", if_absent=True)
        assert b"theirs" == self.raw_get(store, KEY)

    def test_put_if_match_replaces_what_was_looked_at(self, store: Store) -> None:
        before = store.put(KEY, b"one")
        assert store.put(KEY, b"two", if_match=before.etag) == store.head(KEY)
        assert b"two" == self.raw_get(store, KEY)

    def test_put_if_match_keeps_what_somebody_else_put(self, store: Store) -> None:
        before = store.put(KEY, b"one")
        self.raw_put(store, KEY, b"theirs")
        with pytest.raises(ObjectChanged):
            store.put(KEY, b"two", if_match=before.etag)
        assert b"theirs" == self.raw_get(store, KEY)

    def test_put_if_match_of_an_object_that_is_gone(self, store: Store) -> None:
        before = store.put(KEY, b"one")
        store.delete(KEY)
        with pytest.raises(ObjectChanged):
            store.put(KEY, b"two", if_match=before.etag)
        assert self.raw_get(store, KEY) is None

    def test_of_many_putting_if_absent_one_wins(self, store: Store) -> None:
        def put(number: int) -> ObjectInfo:
            return store.put(KEY, b"%d" % number, if_absent=True)

        winners = self.race(put, ObjectExists)
        assert 1 == len(winners)
        assert b"%d" % winners[0] == self.raw_get(store, KEY)

    def test_of_many_putting_over_the_same_one_wins(self, store: Store) -> None:
        etag = store.put(KEY, b"before").etag

        def put(number: int) -> ObjectInfo:
            return store.put(KEY, b"%d" % number, if_match=etag)

        winners = self.race(put, ObjectChanged)
        assert 1 == len(winners)
        assert b"%d" % winners[0] == self.raw_get(store, KEY)

    def race(self, act: Callable[[int], object], losing: type[Exception]) -> list[int]:
        """The numbers of those of eight threads that did not lose."""
        barrier = threading.Barrier(8)

        def run(number: int) -> int | None:
            barrier.wait()
            try:
                act(number)
            except losing:
                return None
            return number

        with ThreadPoolExecutor(8) as pool:
            return [number for number in pool.map(run, range(8)) if number is not None]

    # -- upload ----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("body", [b"", bytes(range(253)) * 12_345], ids=["empty", "3 MB"])
    def test_upload_stores_the_file(self, store: Store, tmp_path: Path, body: bytes) -> None:
        source = tmp_path / "source"
        source.write_bytes(body)
        info = store.upload(KEY, source, sha256=sha256(body))
        assert store.head(KEY) == info
        assert (KEY, len(body)) == (info.key, info.size)
        assert info.sha256 in (None, sha256(body))
        assert body == self.raw_get(store, KEY)

    def test_upload_keeps_what_is_there(self, store: Store, tmp_path: Path) -> None:
        self.raw_put(store, KEY, b"theirs")
        source = tmp_path / "source"
        source.write_bytes(b"ours")
        with pytest.raises(ObjectExists):
            store.upload(KEY, source, sha256=sha256(b"ours"))
        assert b"theirs" == self.raw_get(store, KEY)

    def test_upload_of_other_bytes_than_announced_stores_nothing(self, store: Store, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"other")
        with pytest.raises(SourceChanged):
            store.upload(KEY, source, sha256=sha256(b"announced"))
        assert self.raw_get(store, KEY) is None
        assert [] == list(store.list())

    def test_upload_of_no_file(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(FileMissing):
            store.upload(KEY, tmp_path / "nothing", sha256=sha256(b""))

    def test_upload_of_a_folder(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFile):
            store.upload(KEY, tmp_path, sha256=sha256(b""))

    # -- list ------------------------------------------------------------------------------------------------------

    @pytest.fixture
    def filled(self, store: Store) -> Store:
        """A store with keys of many shapes; in order, folders do not sort by their names alone."""
        for key in ("a/1", "a-b", "a b/1", "a0/x/y/z", "Z/1", ".metadata/manifest.json", "é/1", "a/.metadata/m.json"):
            self.raw_put(store, key, key.encode())
        return store

    @pytest.mark.parametrize(
        ("prefix", "recursive", "expected"),
        [
            (
                "",
                True,
                [".metadata/manifest.json", "Z/1", "a b/1", "a-b", "a/.metadata/m.json", "a/1", "a0/x/y/z", "é/1"],
            ),
            ("", False, ["a-b"]),
            ("a", True, ["a b/1", "a-b", "a/.metadata/m.json", "a/1", "a0/x/y/z"]),
            ("a", False, ["a-b"]),
            ("a/", True, ["a/.metadata/m.json", "a/1"]),
            ("a/", False, ["a/1"]),
            ("a/.meta", True, ["a/.metadata/m.json"]),
            ("a/.meta", False, []),
            ("a0/x", True, ["a0/x/y/z"]),
            ("a b/", False, ["a b/1"]),
            ("nothing", True, []),
            ("nothing/", True, []),
            ("nothing/", False, []),
            ("a-b/", True, []),
        ],
    )
    def test_list_gives_keys_with_the_prefix_in_order(
        self, filled: Store, prefix: str, recursive: bool, expected: list[str]
    ) -> None:
        assert expected == [info.key for info in filled.list(prefix, recursive=recursive)]

    def test_list_of_an_empty_store(self, store: Store) -> None:
        assert [] == list(store.list())

    def test_list_tells_size_and_etag_as_head_does_but_no_digest(self, store: Store, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"12345")
        head = store.upload(KEY, source, sha256=sha256(b"12345"))
        assert [ObjectInfo(KEY, 5, head.etag)] == list(store.list())

    def test_list_after_a_text_gives_what_sorts_behind_it(self, store: Store) -> None:
        for key in ("dm/.metadata/metadata.json", "dm/0a.parquet", "dm/fe.parquet", "dm-2/0a.parquet"):
            self.raw_put(store, key, b"1")
        listed = store.list("dm/", recursive=False, after="dm/.metadata0")
        assert ["dm/0a.parquet", "dm/fe.parquet"] == [info.key for info in listed]
        assert ["dm/fe.parquet"] == [info.key for info in store.list("dm/", after="dm/0a.parquet")]

    # -- delete ----------------------------------------------------------------------------------------------------

    def test_delete_removes_the_object(self, store: Store) -> None:
        self.raw_put(store, KEY, b"one")
        store.delete(KEY)
        assert self.raw_get(store, KEY) is None
        assert [] == list(store.list())

    def test_delete_of_missing_object_is_no_error(self, store: Store) -> None:
        store.delete(KEY)
        self.raw_put(store, "dm/x", b"1")
        store.delete("dm")
        assert b"1" == self.raw_get(store, "dm/x")

    def test_delete_makes_room_for_if_absent(self, store: Store) -> None:
        store.put(KEY, b"one", if_absent=True)
        store.delete(KEY)
        store.put(KEY, b"two", if_absent=True)
        assert b"two" == self.raw_get(store, KEY)

    # -- places ----------------------------------------------------------------------------------------------------

    def test_check_of_a_store_that_is_there(self, store: Store) -> None:
        store.check()
        self.raw_put(store, KEY, b"one")
        store.check()

    @pytest.mark.parametrize("act", sorted({*ACTS, "check", "list"} - {"put_if_match"}))
    def test_missing_store(self, missing_store: Store, act: str, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"one")
        others: dict[str, Act] = {
            "check": lambda store, key, source: store.check(),
            "list": lambda store, key, source: list(store.list("dm/", recursive=False)),
        }
        with pytest.raises(StoreMissing) as raised:
            (ACTS | others)[act](missing_store, KEY, source)
        assert missing_store.url == raised.value.store

    def test_put_if_match_to_missing_store(self, missing_store: Store) -> None:
        """A server may look at the object first, and find that it is not the one that was looked at."""
        with pytest.raises((StoreMissing, ObjectChanged)):
            missing_store.put(KEY, b"one", if_match="etag")

    # -- keys ------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("key", LEAVING_KEYS)
    @pytest.mark.parametrize("act", [*ACTS, "local_path"])
    def test_keys_that_leave_the_namespace_are_refused(self, store: Store, act: str, key: str, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"one")
        others: dict[str, Act] = {"local_path": lambda store, key, source: store.local_path(key)}
        with pytest.raises(InvalidKey):
            (ACTS | others)[act](store, key, source)

    @pytest.mark.parametrize("prefix", ["/", "/x", "x//", "a//b", "..", "../", "../x", "datom", "datom/", "a\0b"])
    def test_prefixes_that_leave_the_namespace_are_refused_at_once(self, store: Store, prefix: str) -> None:
        with pytest.raises(InvalidKey):
            store.list(prefix)

    # -- threads ---------------------------------------------------------------------------------------------------

    def test_many_threads_read_at_once(self, store: Store) -> None:
        body = bytes(range(256)) * 1024
        self.raw_put(store, KEY, body)

        def read(number: int) -> bytes:
            return store.get_range(KEY, number * 1024, 1024)

        with ThreadPoolExecutor(16) as pool:
            assert body == b"".join(pool.map(read, range(256)))
