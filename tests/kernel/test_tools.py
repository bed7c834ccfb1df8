"""What statisticians open files with: every tool reads the same values, and a table folder is its current version."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from tests.builders import make_study, make_table
from tests.mounts import Mount, kernel_test, mounted

pytestmark = kernel_test

OLD, CURRENT = make_table(500), make_table(700, seed=3)


@dataclass(frozen=True, slots=True)
class Extracts:
    """A mounted study whose table dm has an old and a current version."""

    mount: Mount
    old: str

    @property
    def pin(self) -> Path:
        """The old version by its path."""
        return self.mount.project / "dm" / f"@{self.old[:8]}.parquet"

    @property
    def link(self) -> Path:
        """The moving name."""
        return self.mount.project / "dm.parquet"


@pytest.fixture(scope="module")
def extracts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Extracts]:
    folder = tmp_path_factory.mktemp("tools")
    environment = pytest.MonkeyPatch()
    for role in ("AUTHOR", "COMMITTER"):
        environment.setenv(f"GIT_{role}_NAME", "Dana Engineer")
        environment.setenv(f"GIT_{role}_EMAIL", "dana@example.org")
    study = make_study(folder)
    old = study.write("dm", OLD).version
    study.write("dm", CURRENT)
    environment.undo()
    with mounted(folder, "--store", study.location.root, "--project", study.name) as mount:
        yield Extracts(mount, old)


def by_polars(path: Path) -> pa.Table:
    return pl.read_parquet(path).to_arrow()


def by_polars_lazily(path: Path) -> pa.Table:
    return pl.scan_parquet(path).collect().to_arrow()


def by_pandas(path: Path) -> pa.Table:
    return pa.Table.from_pandas(pd.read_parquet(path), preserve_index=False)


def by_duckdb(path: Path) -> pa.Table:
    with duckdb.connect() as connection:
        found: pa.Table = connection.sql("select * from read_parquet(?)", params=[str(path)]).to_arrow_table()
    return found


def by_pyarrow_open(path: Path) -> pa.Table:
    with path.open("rb") as file:
        return pq.read_table(file)


READERS: dict[str, Callable[[Path], pa.Table]] = {
    "pyarrow": lambda path: pq.read_table(path),
    "pyarrow mapped": lambda path: pq.read_table(path, memory_map=True),
    "pyarrow file": lambda path: pq.ParquetFile(path).read(),
    "pyarrow open": by_pyarrow_open,
    "pandas": by_pandas,
    "polars": by_polars,
    "polars lazily": by_polars_lazily,
    "duckdb": by_duckdb,
}


def values(table: pa.Table) -> dict[str, list[object]]:
    """The values of a table as Python sees them; NaN, which pandas makes of a missing number, counts as missing."""
    return {name: [None if value != value else value for value in column] for name, column in table.to_pydict().items()}


@pytest.mark.parametrize("reader", READERS)
def test_every_tool_reads_a_pinned_version(extracts: Extracts, reader: str) -> None:
    assert values(OLD) == values(READERS[reader](extracts.pin))


@pytest.mark.parametrize("reader", READERS)
def test_every_tool_reads_the_current_version_by_its_moving_name(extracts: Extracts, reader: str) -> None:
    assert values(CURRENT) == values(READERS[reader](extracts.link))


@pytest.mark.parametrize(
    "reader",
    [
        lambda folder: ds.dataset(folder, format="parquet").to_table(),
        lambda folder: pq.read_table(folder),
        lambda folder: pl.read_parquet(folder / "*.parquet").to_arrow(),
        lambda folder: pl.read_parquet(folder).to_arrow(),
        lambda folder: by_duckdb(folder / "*.parquet"),
        by_pandas,
    ],
    ids=["pyarrow dataset", "pyarrow folder", "polars glob", "polars folder", "duckdb glob", "pandas folder"],
)
def test_a_table_folder_as_a_data_set_is_its_current_version(
    extracts: Extracts, reader: Callable[[Path], pa.Table]
) -> None:
    assert values(CURRENT) == values(reader(extracts.mount.project / "dm"))


def test_columns_can_be_chosen(extracts: Extracts) -> None:
    assert OLD.select(["weight"]) == pq.read_table(extracts.pin, columns=["weight"])


def test_a_tool_reads_through_a_changed_directory(extracts: Extracts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(extracts.mount.project)
    assert values(CURRENT) == values(by_duckdb(Path("dm.parquet")))
    assert values(OLD) == values(pq.read_table(os.path.join("dm", extracts.pin.name)))
