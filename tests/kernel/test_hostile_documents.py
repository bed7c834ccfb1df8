"""Documents that are meant to do harm, through the kernel: an errno, one line in the log, and a daemon that goes on."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datomfs.layout import MANIFEST_KEY, NAMESPACE, history_key
from tests.mounts import Mount, StoredProject, eventually, kernel_test, mounted, store_options, stored_in

pytestmark = kernel_test

TEN_MILLION_ENTRIES = 10_000_000 * 450
"""Bytes of a history."""
MEMORY_KB = 100_000


@dataclass(frozen=True, slots=True)
class Harmed:
    """A project of a sound table `dm` and others, a mount of it, and the folder of its store."""

    stored: StoredProject
    mount: Mount
    folder: Path

    def history(self, table: str) -> Path:
        """The file of a table's history."""
        return self.folder / "store" / NAMESPACE / history_key(table)

    def refusal(self, table: str) -> int | None:
        """The errno of opening a table by its plain name, or None."""
        try:
            (self.mount.project / f"{table}.parquet").read_bytes()
        except OSError as error:
            return error.errno
        return None

    def check(self) -> None:
        """The daemon answers, holds little, and has not been surprised."""
        assert b"sound" == (self.mount.project / "dm.parquet").read_bytes()
        status = Path(f"/proc/{self.mount.pid}/status").read_text().splitlines()
        assert int(next(line for line in status if line.startswith("VmHWM")).split()[1]) < MEMORY_KB
        assert "Traceback" not in self.mount.log


@pytest.fixture
def harmed(tmp_path: Path) -> Iterator[Harmed]:
    stored = stored_in(tmp_path / "store")
    for table in ("dm", "ex", "ae"):
        stored.put(table, b"sound")
    with mounted(tmp_path, *store_options(stored), complaints=True) as mount:
        yield Harmed(stored, mount, tmp_path)


def test_a_history_of_ten_million_entries_is_refused_without_being_read(harmed: Harmed) -> None:
    with harmed.history("ex").open("r+b") as file:
        file.truncate(TEN_MILLION_ENTRIES)
    assert errno.EIO == harmed.refusal("ex")
    assert f"has {TEN_MILLION_ENTRIES} bytes, and a document has 16777216 at most" in harmed.mount.log
    harmed.check()


def test_a_manifest_that_is_too_long_is_refused_too(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"sound")
    options = [*store_options(stored), "--refresh", "0.1"]
    with mounted(tmp_path, *options, complaints=True) as mount:
        with (tmp_path / "store" / NAMESPACE / MANIFEST_KEY).open("r+b") as file:
            file.truncate(TEN_MILLION_ENTRIES)

        def ask() -> int | None:
            try:
                os.listdir(mount.project)
            except OSError as error:
                return error.errno
            return None

        eventually(lambda: ask() == errno.EIO)
        assert "at most" in mount.log
        assert "Traceback" not in mount.log


@pytest.mark.parametrize(
    "history",
    [
        b"[" * 1_000_000,
        b"[" * 990 + b"]" * 990,
        b'["' + b'\\"' * 1_000_000,
        b"[]" * 1_000_000,
        b'[{"version":"../../dm","data_sha":"aaaaaaaa"}]',
        b"\xff\xfe",
        b"",
        b"null",
    ],
    ids=["deep", "just deep enough", "escaped quotes", "many", "a path for a version", "no text", "nothing", "null"],
)
def test_a_history_that_is_none_is_refused_at_once(harmed: Harmed, history: bytes) -> None:
    harmed.history("ex").write_bytes(history)
    assert errno.EIO == harmed.refusal("ex")
    harmed.check()


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2262-04-12T00:00:00Z"])
def test_a_version_from_a_clock_that_was_wrong_is_read_and_dated_so(harmed: Harmed, moment: str) -> None:
    path = harmed.history("ex")
    path.write_text(json.dumps([{**entry, "timestamp": moment} for entry in json.loads(path.read_bytes())]))
    file = harmed.mount.project / "ex" / harmed.stored.tables["ex"][0].name
    assert b"sound" == file.read_bytes()
    expected = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert int(expected.timestamp()) == file.stat().st_mtime_ns // 10**9
    harmed.check()


def test_a_manifest_that_names_what_is_gone_and_a_history_that_names_something_else(harmed: Harmed) -> None:
    one, two = harmed.stored.tables["ex"][0], harmed.stored.tables["ae"][0]
    harmed.stored.store.delete(one.key)
    harmed.history("ae").write_text(json.dumps([{"version": one.version, "data_sha": two.data_sha}]))
    assert errno.EIO == harmed.refusal("ex")
    assert errno.ENOENT == harmed.refusal("ae")
    pinned = harmed.mount.project / "ae" / f"@{one.version}.parquet"
    assert b"sound" == pinned.read_bytes()
    harmed.check()
