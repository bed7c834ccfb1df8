"""Sets through the kernel: the example of format.md §4.6, read as R's reader for Python reads it, and by tools."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import datom
import duckdb
import pyarrow.parquet as pq
import pytest

from datomfs.model.location import Location
from datomfs.store.local import LocalStore
from tests.mounts import Desk, Mount, kernel_test, mounted
from tests.product import (
    DM,
    DM_VERSION,
    PRODUCT,
    RAW,
    SET,
    SET_PAYLOAD,
    SET_VERSION,
    dm_bytes,
    put_product,
    put_raw,
)

pytestmark = kernel_test


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Both projects of the example, in folders and in one mount."""

    folder: Path
    mount: Mount

    @property
    def set(self) -> Path:
        """The set."""
        return self.mount.path / PRODUCT / SET


def folder_store(folder: Path) -> LocalStore:
    """A store in a folder that is made."""
    folder.mkdir(parents=True)
    return LocalStore(Location("local", str(folder)))


def configure(folder: Path, *projects: str) -> None:
    """Have the desk at `folder` know these projects, each in the folder of its name."""
    config = Path(Desk(folder / "desk").environment["XDG_CONFIG_HOME"]) / "datomfs" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("".join(f'[project.{name}]\nstore = "{folder / name}"\n' for name in projects))


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portfolio]:
    folder = tmp_path_factory.mktemp("portfolio")
    put_raw(folder_store(folder / RAW))
    put_product(folder_store(folder / PRODUCT))
    configure(folder, RAW, PRODUCT)
    with mounted(folder) as mount:
        yield Portfolio(folder, mount)


def test_a_project_lists_its_set_and_the_set_its_version(portfolio: Portfolio) -> None:
    assert [SET] == os.listdir(portfolio.mount.path / PRODUCT)
    assert [f"@{SET_VERSION[:8]}"] == os.listdir(portfolio.set)
    assert ["dm.parquet"] == os.listdir(portfolio.set / f"@{SET_VERSION[:8]}")


@pytest.mark.parametrize("digits", [6, 8, 64])
def test_a_member_is_a_relative_link_to_the_pin_in_its_own_project(portfolio: Portfolio, digits: int) -> None:
    link = portfolio.set / f"@{SET_VERSION[:digits]}" / "dm.parquet"
    assert f"../../../{RAW}/dm/@{DM_VERSION[:8]}.parquet" == os.readlink(link)
    assert len(os.readlink(link)) == link.lstat().st_size
    assert portfolio.mount.path.resolve() / RAW / "dm" / f"@{DM_VERSION[:8]}.parquet" == link.resolve()
    assert dm_bytes() == link.read_bytes()


def test_a_set_is_what_the_other_reader_reads(portfolio: Portfolio) -> None:
    product, raw = (
        datom.get_conn(datom.store_local(str(portfolio.folder / name)), project_name=name) for name in (PRODUCT, RAW)
    )
    found = datom.get_set(product, SET)
    shown = portfolio.set / f"@{found.version}"
    assert {f"{member.id.name}.parquet" for member in found.members} == set(os.listdir(shown))
    (member,) = found.members
    assert member.fetch(raw, as_arrow=True).equals(pq.read_table(shown / "dm.parquet"))


@pytest.mark.parametrize("version", [f"@{SET_VERSION[:8]}", f"@{SET_VERSION}"])
def test_tools_open_a_member_through_its_link(portfolio: Portfolio, version: str) -> None:
    path = portfolio.set / version / "dm.parquet"
    assert DM == pq.read_table(path)
    with duckdb.connect() as connection:
        assert DM.to_pydict() == (
            connection.sql("select * from read_parquet(?)", params=[str(path)]).to_arrow_table().to_pydict()
        )


def test_times_are_those_of_the_version(portfolio: Portfolio) -> None:
    directory = portfolio.set / f"@{SET_VERSION[:8]}"
    assert 1795169100 * 10**9 == directory.stat().st_mtime_ns == (directory / "dm.parquet").lstat().st_mtime_ns


def test_what_is_no_version_or_no_member_is_enoent(portfolio: Portfolio) -> None:
    for name in ("@ffffff", "@a11fa", f"@{SET_VERSION[:8]}.parquet", f"@{SET_VERSION[:8]}/ex.parquet"):
        with pytest.raises(FileNotFoundError):
            os.stat(portfolio.set / name)


def test_a_member_of_a_project_that_is_not_in_the_mount_dangles_and_the_log_says_so_once(tmp_path: Path) -> None:
    put_product(folder_store(tmp_path / PRODUCT))
    configure(tmp_path, PRODUCT)
    with mounted(tmp_path) as mount:
        directory = mount.path / PRODUCT / SET / f"@{SET_VERSION[:8]}"
        for _ in range(3):
            assert ["dm.parquet"] == os.listdir(directory)
        assert f"../../../{RAW}/dm/@{DM_VERSION[:8]}.parquet" == os.readlink(directory / "dm.parquet")
        assert not (directory / "dm.parquet").exists()
        assert 1 == mount.log.count(f"has members of project {RAW}, which is not in this mount")


def test_a_damaged_set_is_eio_and_the_log_has_both_hashes(tmp_path: Path) -> None:
    damaged = SET_PAYLOAD.replace(b"40e6", b"40e7")
    put_product(folder_store(tmp_path / PRODUCT), damaged)
    configure(tmp_path, PRODUCT)
    with mounted(tmp_path, complaints=True) as mount:
        directory = mount.path / PRODUCT / SET / f"@{SET_VERSION[:8]}"
        with pytest.raises(OSError) as caught:  # noqa: PT011  (the errno is looked at)
            os.listdir(directory)
        assert errno.EIO == caught.value.errno
        assert hashlib.sha256(damaged).hexdigest() in mount.log
        assert hashlib.sha256(SET_PAYLOAD).hexdigest() in mount.log
