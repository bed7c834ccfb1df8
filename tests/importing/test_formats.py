"""Which reader an ending stands for, and what is refused before anything is read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datomfs.errors import FileMissing, FormatUnsupported, MemoryShort, UnreadableFile
from datomfs.importing import memory
from datomfs.importing.formats import FORMATS, format_of, read_file
from tests.importing.frames import GOLDEN


@pytest.mark.parametrize("name", ["dm.json", "dm", "dm.csv.gz", ".csv", "csv"])
def test_other_endings_are_refused_with_those_that_are_known(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(FormatUnsupported) as caught:
        read_file(path)
    assert FORMATS == caught.value.formats


def test_the_case_of_an_ending_does_not_matter() -> None:
    assert ["csv", "xpt"] == [format_of(Path(name)) for name in ("UPPER.CSV", "dm.Xpt")]


@pytest.mark.parametrize("ending", FORMATS)
def test_what_is_not_there_or_no_file_is_told_as_such(tmp_path: Path, ending: str) -> None:
    with pytest.raises(FileMissing):
        read_file(tmp_path / f"none.{ending}")
    (tmp_path / f"folder.{ending}").mkdir()
    os.mkfifo(tmp_path / f"pipe.{ending}")
    for name in ("folder", "pipe"):
        with pytest.raises(UnreadableFile) as caught:
            read_file(tmp_path / f"{name}.{ending}")
        assert "it is not a file" == caught.value.reason


def test_what_does_not_fit_into_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(1 << 43)  # sparse: 8 TiB of nothing
    with pytest.raises(MemoryShort) as caught:
        read_file(path)
    assert str(path) in caught.value.what
    assert caught.value.needed.endswith("TiB")


def test_free_memory_is_told_here() -> None:
    free = memory.find_free_memory()
    assert free is not None
    assert 0 < free < 1 << 50


def test_libraries_are_loaded_by_those_who_need_them() -> None:
    code = (
        "import sys; from pathlib import Path; from datomfs.importing.formats import read_file;"
        f"read_file(Path({str(GOLDEN / 'files' / 'ints.csv')!r}));"
        "print([name for name in ('pyreadstat', 'python_calamine', 'polars') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n" == result.stdout
