"""The mount that all tests of one process share which only look: a folder store, mounted once."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow.parquet as pq
import pytest

from tests.builders import make_table
from tests.mounts import Mount, StoredProject, Version, mounted, store_options, stored_in

ODD = "Name with (parens) - v2"
LARGE_SIZE = (3 << 20) + 123


def parquet(rows: int, seed: int = 0) -> bytes:
    """A small table as parquet bytes."""
    file = io.BytesIO()
    pq.write_table(make_table(rows, seed), file)
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Shown:
    """A stored project and its mount."""

    stored: StoredProject
    mount: Mount

    def versions(self, table: str) -> list[Version]:
        """The versions of a table, oldest first."""
        return self.stored.tables[table]


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """dm in three versions, a table with an odd name, and one of 3 MiB that is no parquet."""
    folder = tmp_path_factory.mktemp("shown")
    stored = stored_in(folder / "store")
    stored.put("dm", parquet(3), parquet(4), parquet(5))
    stored.put(ODD, parquet(2))
    stored.put("large", hashlib.shake_128(b"large").digest(LARGE_SIZE))
    with mounted(folder, *store_options(stored)) as mount:
        yield Shown(stored, mount)
