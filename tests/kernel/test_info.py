"""`datomfs info` of everything a mount has, and of what is in none."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from datomfs.model.location import Location
from datomfs.store.local import LocalStore
from tests.mounts import Desk, Mount, kernel_test, mounted, store_options, stored_in
from tests.product import (
    DM_VERSION,
    PRODUCT,
    RAW,
    SET,
    SET_DOCUMENT_SHA,
    SET_PAYLOAD,
    SET_VERSION,
    put_product,
    put_raw,
)

pytestmark = kernel_test

PIN = f"{RAW}/dm/@{DM_VERSION[:8]}.parquet"
SET_PIN = f"{PRODUCT}/{SET}/@{SET_VERSION[:8]}"


@dataclass(frozen=True, slots=True)
class Portfolio:
    """A mount of both projects of the example."""

    mount: Mount

    def info(self, path: Path | str, *options: str) -> subprocess.CompletedProcess[str]:
        return self.mount.desk.run("info", self.mount.path / path, *options)

    def told(self, path: Path | str) -> dict[str, Any]:
        """What the command tells of a path, as JSON."""
        done = self.info(path, "--json")
        assert (0, "") == (done.returncode, done.stderr)
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portfolio]:
    folder = tmp_path_factory.mktemp("info")
    for project, put in ((RAW, put_raw), (PRODUCT, put_product)):
        (folder / project).mkdir()
        put(LocalStore(Location("local", str(folder / project))))
    config = Path(Desk(folder / "desk").environment["XDG_CONFIG_HOME"]) / "datomfs" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("".join(f'[project.{name}]\nstore = "{folder / name}"\n' for name in (RAW, PRODUCT)))
    with mounted(folder) as mount:
        yield Portfolio(mount)


@pytest.mark.parametrize(
    "path",
    [
        PIN, f"{RAW}/dm.parquet", f"{SET_PIN}/dm.parquet",
        f"{RAW}/.datom/dm/versions/2026-11-20T100000Z_{DM_VERSION[:8]}.parquet",
    ],
)  # fmt: skip
def test_every_way_to_a_payload_tells_the_same_and_its_pin(portfolio: Portfolio, path: str) -> None:
    root = os.path.realpath(portfolio.mount.path)
    told = portfolio.told(path)
    assert (str(portfolio.mount.path / path), f"{root}/{PIN}") == (told["path"], told["pinned"])
    assert (DM_VERSION, "dm", 3, 2, "A <a@x>") == tuple(
        told[name] for name in ("version", "table", "nrow", "ncol", "author")
    )


def test_a_pin_in_another_spelling_is_a_pin(portfolio: Portfolio) -> None:
    path = portfolio.mount.path.resolve() / RAW / "dm" / f"dm_{DM_VERSION}.parquet"
    assert str(path) == portfolio.told(path)["pinned"]


def test_a_folder_of_a_table_tells_its_current_pin(portfolio: Portfolio) -> None:
    assert {
        "path": str(portfolio.mount.path / RAW / "dm"), "pinned": str(portfolio.mount.path.resolve() / PIN),
    } == portfolio.told(f"{RAW}/dm")  # fmt: skip


def test_a_version_of_a_set_tells_its_labels(portfolio: Portfolio) -> None:
    told = portfolio.told(SET_PIN)
    assert str(portfolio.mount.path.resolve() / SET_PIN) == told["pinned"]
    assert SET_DOCUMENT_SHA == told["document_sha"]
    assert {"description": ["Demo product"]} == told["tags"]
    assert {"domain": ["labs", "safety"], "type": ["input"]} == told["member.dm.parquet"]


def test_a_project_tells_its_place_and_has_no_pin(portfolio: Portfolio) -> None:
    told = portfolio.told(RAW)
    assert (None, RAW, 1, 0, "storage") == tuple(
        told[name] for name in ("pinned", "project", "table_count", "set_count", "source")
    )


def test_a_project_as_of_a_moment_is_its_own_pin(portfolio: Portfolio) -> None:
    path = portfolio.mount.path.resolve() / RAW / "@2020-01-01"
    assert {"path": str(path), "pinned": str(path)} == portfolio.told(path)


@pytest.mark.parametrize("path", ["", f"{RAW}/.datom", f"{RAW}/.datom/dm/history.csv", f"{PRODUCT}/{SET}"])
def test_what_moves_has_no_pin(portfolio: Portfolio, path: str) -> None:
    assert {"path": os.path.normpath(portfolio.mount.path / path), "pinned": None} == portfolio.told(path)


def test_text_is_for_people(portfolio: Portfolio) -> None:
    done = portfolio.info(SET_PIN)
    rows = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert ("Update demo-set: add 1 member", '{"description":["Demo product"]}') == (rows["message"], rows["tags"])
    assert portfolio.info(RAW).stdout.splitlines()[1].startswith("project ")


def test_a_link_from_elsewhere_leads_into_the_mount(portfolio: Portfolio, tmp_path: Path) -> None:
    (tmp_path / "mine.parquet").symlink_to(portfolio.mount.path / RAW / "dm.parquet")
    assert str(portfolio.mount.path.resolve() / PIN) == portfolio.told(tmp_path / "mine.parquet")["pinned"]


def test_what_is_in_no_mount_is_told(portfolio: Portfolio, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file", portfolio.mount.path.parent):
        done = portfolio.info(path)
        assert (9, f"datomfs: {path} is in no datomfs mount") == (done.returncode, done.stderr.splitlines()[0])


def test_what_is_not_there_is_told(portfolio: Portfolio, tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", portfolio.mount.path / RAW / "ex.parquet", portfolio.mount.path / "NOWHERE"):
        done = portfolio.info(path)
        assert (3, f"datomfs: no file {path}") == (done.returncode, done.stderr.splitlines()[0])


def test_all_members_of_a_large_set_are_told(tmp_path: Path) -> None:
    document = json.loads(SET_PAYLOAD)
    (member,) = document["members"]
    names = [f"{'m' * 40}{number}" for number in range(1500)]
    document["members"] = [{**member, "id": {**member["id"], "name": name}} for name in names]
    payload = json.dumps(document).encode()
    (tmp_path / "store").mkdir()
    put_product(
        LocalStore(Location("local", str(tmp_path / "store"))), payload,
        document_sha=hashlib.sha256(payload).hexdigest(),
    )  # fmt: skip
    with mounted(tmp_path, "--store", tmp_path / "store", "--project", PRODUCT) as mount:
        told = Portfolio(mount).told(SET_PIN)
        assert names == [name[len("member.") : -len(".parquet")] for name in told if name.startswith("member.")]


def test_what_the_mount_cannot_tell_of_is_told_with_where_to_look(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    (lost,) = stored.put("dm", b"lost")
    stored.store.delete(lost.key)
    with mounted(tmp_path, *store_options(stored), complaints=True) as mount:
        done = Portfolio(mount).info(mount.project / "dm.parquet")
        assert 4 == done.returncode
        assert f"{mount.project}/dm.parquet cannot be looked at: Input/output error\nThe mount's log" in done.stderr
