"""`.datom` through the kernel: documents as files, tables of versions, lineages, and links with dates."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datomfs.model.location import Location
from datomfs.store.local import LocalStore
from tests.builders import git, make_study, make_table
from tests.kernel.conftest import Shown
from tests.mounts import Mount, eventually, kernel_test, mounted, store_options, stored_in
from tests.product import DM, DM_VERSION, PRODUCT, RAW, SET, SET_PAYLOAD, SET_VERSION, put_product, put_raw

pytestmark = kernel_test


@dataclass(frozen=True, slots=True)
class Governed:
    """Both projects of the example in folders, found through gov storage in another."""

    folder: Path
    mount: Mount

    def stored(self, project: str, key: str) -> bytes:
        """An object of a project's store."""
        return (self.folder / project / "datom" / key).read_bytes()


def folder_store(folder: Path) -> LocalStore:
    """A store in a folder that is made."""
    folder.mkdir(parents=True)
    return LocalStore(Location("local", str(folder)))


@pytest.fixture(scope="module")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    folder = tmp_path_factory.mktemp("governed")
    put_raw(folder_store(folder / RAW))
    put_product(folder_store(folder / PRODUCT))
    for project in (RAW, PRODUCT):
        place = folder / "gov" / "datom" / "projects" / project
        place.mkdir(parents=True)
        (place / "ref.json").write_text(json.dumps({"current": {"type": "local", "root": str(folder / project)}}))
        (place / "migration_history.json").write_text("[ ]\n")
    with mounted(folder, "--gov-store", folder / "gov", "--allow-root", folder) as mount:
        yield Governed(folder, mount)


def test_the_documents_resolve_and_no_listing_leads_to_them(governed: Governed) -> None:
    assert [RAW, PRODUCT] == sorted(os.listdir(governed.mount.path), reverse=True)
    assert ["dm", "dm.parquet"] == os.listdir(governed.mount.path / RAW)
    documents = governed.mount.path / RAW / ".datom"
    assert ["ref.json", "manifest.json", "migration_history.json", "dm"] == os.listdir(documents)
    files = ["metadata.json", "version_history.json", "history.csv", "lineage.json", "versions"]
    assert files == os.listdir(documents / "dm")


def test_documents_are_the_stored_bytes(governed: Governed) -> None:
    raw, product = (governed.mount.path / project / ".datom" for project in (RAW, PRODUCT))
    assert governed.stored(RAW, ".metadata/manifest.json") == (raw / "manifest.json").read_bytes()
    assert governed.stored(RAW, "dm/.metadata/metadata.json") == (raw / "dm" / "metadata.json").read_bytes()
    history = governed.stored(RAW, "dm/.metadata/version_history.json")
    assert history == (raw / "dm" / "version_history.json").read_bytes()
    assert SET_PAYLOAD == (product / SET / "set.json").read_bytes()
    place = governed.folder / "gov" / "datom" / "projects" / RAW
    for name in ("ref.json", "migration_history.json"):
        assert (place / name).read_bytes() == (raw / name).read_bytes()


def test_a_document_has_its_size_and_is_nothing_to_write_to(governed: Governed) -> None:
    path = governed.mount.path / RAW / ".datom" / "dm" / "history.csv"
    assert len(path.read_bytes()) == path.stat().st_size
    assert 0o100444 == path.stat().st_mode
    assert 1795168800 * 10**9 == path.stat().st_mtime_ns
    with pytest.raises(OSError, match="Read-only file system"):
        path.open("ab")
    assert [] == os.listxattr(path)


def test_programs_read_documents_whole(governed: Governed, tmp_path: Path) -> None:
    path = governed.mount.path / RAW / ".datom" / "dm" / "history.csv"
    with path.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (DM_VERSION, "A <a@x>") == (row["version"], row["author"])
    subprocess.run(["cp", str(path), str(tmp_path / "copy.csv")], check=True)
    assert path.read_bytes() == (tmp_path / "copy.csv").read_bytes()
    listing = subprocess.run(["ls", "-l", str(path.parent)], capture_output=True, text=True, check=True).stdout
    assert f" {path.stat().st_size} " in next(line for line in listing.splitlines() if line.endswith("history.csv"))


def test_the_first_look_at_a_document_tells_its_size(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"one")
    with mounted(tmp_path, *store_options(stored)) as mount:
        folder = mount.project / ".datom" / "dm"
        with os.scandir(folder) as entries:
            sizes = {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries if entry.is_file()}
        assert {path.name: len(path.read_bytes()) for path in folder.iterdir() if path.is_file()} == sizes
        assert 4 == len(sizes)


def test_a_lineage_is_json(governed: Governed) -> None:
    document = json.loads((governed.mount.path / RAW / ".datom" / "dm" / "lineage.json").read_text(encoding="utf-8"))
    assert [DM_VERSION] == [record["version"] for record in document["versions"]]


def test_versions_are_links_with_dates(governed: Governed) -> None:
    versions = governed.mount.path / RAW / ".datom" / "dm" / "versions"
    assert [f"2026-11-20T100000Z_{DM_VERSION[:8]}.parquet"] == os.listdir(versions)
    link = versions / f"2026-11-20T100000Z_{DM_VERSION[:8]}.parquet"
    assert f"../../../dm/@{DM_VERSION[:8]}.parquet" == os.readlink(link)
    assert DM == pq.read_table(link)
    sets = governed.mount.path / PRODUCT / ".datom" / SET / "versions"
    assert [f"2026-11-20T100500Z_{SET_VERSION[:8]}"] == os.listdir(sets)
    assert ["dm.parquet"] == os.listdir(sets / f"2026-11-20T100500Z_{SET_VERSION[:8]}")


def test_all_versions_of_a_table_are_listed_newest_first(shown: Shown) -> None:
    versions = shown.mount.project / ".datom" / "dm" / "versions"
    stamps = [version.timestamp.replace(":", "") for version in reversed(shown.versions("dm"))]
    expected = [
        f"{stamp}_{version.version[:8]}.parquet"
        for stamp, version in zip(stamps, reversed(shown.versions("dm")), strict=True)
    ]
    assert expected == os.listdir(versions)
    for name, version in zip(expected, reversed(shown.versions("dm")), strict=True):
        assert version.body == (versions / name).read_bytes()


def test_an_open_document_stays_and_the_name_shows_what_became_of_it(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"one")
    with mounted(tmp_path, *store_options(stored), "--refresh", "0.2") as mount:
        path = mount.project / ".datom" / "dm" / "version_history.json"
        before = path.read_bytes()
        with path.open("rb", buffering=0) as file:
            assert before[:10] == file.read(10)
            stored.put("dm", b"two")
            eventually(lambda: path.stat().st_size > len(before))
            assert before[10:] == file.readall()
        assert 2 == len(json.loads(path.read_bytes()))
        assert path.stat().st_size == len(path.read_bytes())


def test_an_open_document_is_read_to_its_end_though_the_name_has_become_shorter(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", *(b"%d" % number for number in range(50)))
    with mounted(tmp_path, *store_options(stored), "--refresh", "0.2") as mount:
        path = mount.project / ".datom" / "dm" / "version_history.json"
        before = path.read_bytes()
        with path.open("rb", buffering=0) as file:
            assert before[:10] == file.read(10)
            del stored.tables["dm"]
            stored.put("dm", b"one")
            eventually(lambda: path.stat().st_size < len(before))
            assert before[10:] == file.readall()


def test_a_refresh_reaches_documents_and_what_has_gone_has_none(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"dm")
    stored.put("ex", b"ex")
    with mounted(tmp_path, *store_options(stored), "--refresh", "3600") as mount:
        documents = mount.project / ".datom"
        before = (documents / "ex" / "history.csv").read_bytes()
        (documents / "dm").lstat()
        del stored.tables["dm"]
        (new,) = stored.put("ex", b"the new")
        assert before == (documents / "ex" / "history.csv").read_bytes()
        assert 0 == mount.desk.run("refresh", mount.path).returncode
        assert new.version in (documents / "ex" / "history.csv").read_text()
        assert new.name in os.readlink(documents / "ex" / "versions" / os.listdir(documents / "ex" / "versions")[0])
        eventually(lambda: not os.path.lexists(documents / "dm"))


def test_documents_from_git_are_those_of_its_newest_commit_and_say_so(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    old = study.write("dm", make_table(3)).version
    study.write("dm", make_table(5))
    options = ("--store", study.location.root, "--project", study.name, "--repo", study.remote)
    with mounted(tmp_path, *options) as mount:
        documents = mount.path / study.name / ".datom"
        for path, shown in {
            ".datom/manifest.json": "manifest.json",
            "dm/metadata.json": "dm/metadata.json",
            "dm/version_history.json": "dm/version_history.json",
        }.items():
            assert git(study.clone, "show", f"HEAD:{path}") == (documents / shown).read_text().removesuffix("\n")
        pin = mount.path / study.name / "dm" / f"@{old[:8]}.parquet"
        assert (b"git", b"3") == (os.getxattr(pin, "user.datom.source"), os.getxattr(pin, "user.datom.nrow"))
        assert b"git" == os.getxattr(mount.path / study.name, "user.datom.source")


def test_a_broken_document_is_shown_as_it_is_and_what_is_made_of_it_is_eio(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"one")
    history = tmp_path / "store" / "datom" / "dm" / ".metadata" / "version_history.json"
    history.write_bytes(b"[not JSON")
    with mounted(tmp_path, *store_options(stored), complaints=True) as mount:
        documents = mount.project / ".datom" / "dm"
        assert b"[not JSON" == (documents / "version_history.json").read_bytes()
        with pytest.raises(OSError, match="Input/output error"):
            (documents / "history.csv").read_bytes()
        assert "is not JSON" in mount.log
