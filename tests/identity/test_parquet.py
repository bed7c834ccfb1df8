"""Reading the parquet file of a new version, and everything it may turn out to be instead."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datomfs.errors import FileMissing, UnreadableFile
from datomfs.identity.parquet import read_parquet


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """A parquet file of 100,000 rows."""
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"x": range(100_000)}), path)
    return path


def reason(path: Path) -> str:
    with pytest.raises(UnreadableFile) as caught:
        read_parquet(path)
    assert str(path) == caught.value.path
    return caught.value.reason


def test_reads_columns_of_the_same_name(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array(["a"])], names=["a", "a"])
    pq.write_table(table, tmp_path / "dup.parquet")
    assert table == read_parquet(tmp_path / "dup.parquet")


def test_reads_all_row_groups(tmp_path: Path) -> None:
    table = pa.table({"x": range(1000)})
    pq.write_table(table, tmp_path / "groups.parquet", row_group_size=100)
    assert table == read_parquet(tmp_path / "groups.parquet")


def test_a_table_outlives_its_file(parquet: Path) -> None:
    table = read_parquet(parquet)
    os.truncate(parquet, 0)
    assert list(range(100_000)) == table["x"].to_pylist()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileMissing) as caught:
        read_parquet(tmp_path / "none.parquet")
    assert str(tmp_path / "none.parquet") == caught.value.path


def test_a_folder_is_not_a_file_even_when_it_holds_parquet(parquet: Path) -> None:
    assert "it is not a file" == reason(parquet.parent)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "it is not a file" == reason(tmp_path / "pipe")


@pytest.mark.parametrize("data", [b"", b"PAR1", b"id,val\n1,a\n2,b\n3,c\n"], ids=["empty", "magic", "csv"])
def test_what_is_not_parquet(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "other").write_bytes(data)
    assert "arquet" in reason(tmp_path / "other")


def test_a_file_cut_short(parquet: Path) -> None:
    os.truncate(parquet, parquet.stat().st_size - 100)
    assert "Parquet magic bytes not found" in reason(parquet)


def test_a_damaged_column(parquet: Path) -> None:
    data = parquet.read_bytes()
    parquet.write_bytes(data[:200] + b"\xff" * 2000 + data[2200:])
    assert "snappy" in reason(parquet)


def test_a_name_the_system_does_not_take(tmp_path: Path) -> None:
    assert "File name too long" == reason(tmp_path / ("x" * 300))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(parquet: Path) -> None:
    parquet.chmod(0)
    assert "Permission denied" == reason(parquet)


def test_a_name_that_is_no_text_is_read(tmp_path: Path, parquet: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.parquet"))
    path.write_bytes(parquet.read_bytes())
    assert 100_000 == read_parquet(path).num_rows
