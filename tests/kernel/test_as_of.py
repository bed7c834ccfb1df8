"""Projects as of moments, in real mounts: against plain `git show` where git tells, and against histories where not."""

from __future__ import annotations

import json
import os
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.dataset as ds
import pytest

from datomfs.layout import MANIFEST_PATH
from tests.builders import git, make_remote
from tests.kernel.conftest import parquet
from tests.mounts import StoredProject, Version, eventually, kernel_test, mounted, store_options, stored_in
from tests.repo.histories import commit_documents

pytestmark = kernel_test

DAY_S = 86_400
FIRST_DAY = 1_767_225_600
"""2026-01-01, in seconds since 1970."""


@pytest.fixture
def stored(tmp_path: Path) -> StoredProject:
    """dm in three versions of the first minutes of March 2026; ex in one, of minute 4."""
    made = stored_in(tmp_path / "store")
    made.put("dm", parquet(3), parquet(4), parquet(5))
    made.put("ex", parquet(2))
    return made


def day(number: int) -> str:
    """The name of a day's directory."""
    return f"@{datetime.fromtimestamp(FIRST_DAY + number * DAY_S, UTC):%Y-%m-%d}"


def content(folder: Path) -> dict[str, bytes]:
    """The files of a directory, by name."""
    return {name: (folder / name).read_bytes() for name in os.listdir(folder)}


def revert_in_git(stored: StoredProject, folder: Path) -> Path:
    """A repository in which dm goes on and comes back, ex comes on day 4, and commits of one day are out of order."""
    one, two, three = stored.tables["dm"]
    (ex,) = stored.tables["ex"]
    remote = make_remote(folder / "data.git")
    states: list[tuple[float, dict[str, Version]]] = [
        (0.5, {"dm": one}), (1.5, {"dm": two}), (2.5, {"dm": one}), (4.5, {"dm": three, "ex": ex}),
        (4.4, {"dm": two, "ex": ex}), (6.5, {"dm": one, "ex": ex}),
    ]  # fmt: skip
    for when, current in states:
        commit_documents(remote, stored, int(FIRST_DAY + when * DAY_S), current)
    return remote


# -- with git metadata ---------------------------------------------------------------------------------------------


def test_with_git_every_day_is_what_git_shows(tmp_path: Path, stored: StoredProject) -> None:
    remote = revert_in_git(stored, tmp_path)
    bodies = {version.version: version.body for versions in stored.tables.values() for version in versions}
    with mounted(tmp_path, *store_options(stored), "--repo", remote) as mount:
        for number in range(-1, 9):
            before = f"--before={datetime.fromtimestamp(FIRST_DAY + (number + 1) * DAY_S - 1, UTC).isoformat()}"
            commit = git(remote, "rev-list", "-1", before, "main")
            manifest = json.loads(git(remote, "show", f"{commit}:{MANIFEST_PATH}")) if commit else {"artifacts": {}}
            expected = {f"{table}.parquet": row["current_version"] for table, row in manifest["artifacts"].items()}
            folder = mount.project / day(number)
            assert {name: bodies[version] for name, version in expected.items()} == content(folder), day(number)
            for name, version in expected.items():
                assert f"../{name.removesuffix('.parquet')}/@{version[:8]}.parquet" == os.readlink(folder / name)


def test_with_git_a_push_shows_up_in_the_running_mount(tmp_path: Path, stored: StoredProject) -> None:
    remote = revert_in_git(stored, tmp_path)
    one, two, _ = stored.tables["dm"]
    (ex,) = stored.tables["ex"]
    with mounted(tmp_path, *store_options(stored), "--repo", remote, "--refresh", "0.2") as mount:
        assert one.body == (mount.project / day(8) / "dm.parquet").read_bytes()
        commit_documents(remote, stored, FIRST_DAY + 8 * DAY_S, {"dm": two, "ex": ex})
        eventually(lambda: (mount.project / day(8) / "dm.parquet").read_bytes() == two.body)
        assert {"dm.parquet": one.body, "ex.parquet": ex.body} == content(mount.project / day(7))


def test_with_git_a_table_that_the_project_has_no_more_is_a_link_that_leads_nowhere(
    tmp_path: Path, stored: StoredProject
) -> None:
    remote = revert_in_git(stored, tmp_path)
    one = stored.tables["dm"][0]
    commit_documents(remote, stored, FIRST_DAY + 8 * DAY_S, {"dm": one})
    with mounted(tmp_path, *store_options(stored), "--repo", remote) as mount:
        assert ["dm.parquet", "ex.parquet"] == sorted(os.listdir(mount.project / day(7)))
        assert (mount.project / day(7) / "ex.parquet").is_symlink()
        assert not (mount.project / day(7) / "ex.parquet").exists()
        assert {"dm.parquet": one.body} == content(mount.project / day(8))


def test_with_git_away_a_mount_serves_what_was_fetched(tmp_path: Path, stored: StoredProject) -> None:
    remote = revert_in_git(stored, tmp_path)
    options = (*store_options(stored), "--repo", remote)
    with mounted(tmp_path, *options, "--refresh", "0.2", complaints=True) as mount:
        before = content(mount.project / day(6))
        remote.rename(tmp_path / "away.git")
        eventually(lambda: bool(os.listdir(mount.project)) and len(mount.complaints) == 1)
        assert before == content(mount.project / day(6))
    with mounted(tmp_path, *options, complaints=True) as mount:
        assert before == content(mount.project / day(6))
        assert "serves as it was" in mount.complaints[-1]


# -- with storage metadata -----------------------------------------------------------------------------------------


def test_by_histories_a_moment_has_the_newest_versions_that_are_old_enough(
    tmp_path: Path, stored: StoredProject
) -> None:
    one, two, three = stored.tables["dm"]
    (ex,) = stored.tables["ex"]
    expected = {
        "@2026-02-28": {}, "@20260301T000059Z": {}, "@20260301T000100Z": {"dm": one}, "@20260301T000259Z": {"dm": two},
        "@20260301T000300Z": {"dm": three}, "@20260301T000400Z": {"dm": three, "ex": ex},
        "@2026-03-01": {"dm": three, "ex": ex}, "@20260301T235959Z": {"dm": three, "ex": ex}, "@0001-01-01": {},
    }  # fmt: skip
    with mounted(tmp_path, *store_options(stored)) as mount:
        for name, tables in expected.items():
            found = content(mount.project / name)
            assert {f"{table}.parquet": version.body for table, version in tables.items()} == found, name
        link = mount.project / "@20260301T000259Z" / "dm.parquet"
        assert mount.project / "dm" / two.name == link.resolve()
        assert two.time_ns == link.lstat().st_mtime_ns
        assert 1_772_409_599 == int((mount.project / "@2026-03-01").stat().st_mtime)


def test_moments_resolve_and_are_not_listed(tmp_path: Path, stored: StoredProject) -> None:
    with mounted(tmp_path, *store_options(stored)) as mount:
        assert (mount.project / "@2026-03-01").is_dir()
        assert ["dm", "dm.parquet", "ex", "ex.parquet"] == sorted(os.listdir(mount.project))


def test_a_moment_that_is_not_over_is_not_there_and_the_log_says_so_once(tmp_path: Path, stored: StoredProject) -> None:
    with mounted(tmp_path, *store_options(stored)) as mount:
        today = f"@{datetime.now(UTC):%Y-%m-%d}"
        for _ in range(3):
            assert not (mount.project / "@9999-12-31").exists()
            assert not (mount.project / today).exists()
        assert 1 == mount.log.count("@9999-12-31 does not exist yet")
        second = f"@{datetime.fromtimestamp(int(time.time()) + 1, UTC):%Y%m%dT%H%M%SZ}"
        eventually(lambda: (mount.project / second).is_dir())
        for name in ("@2026-02-30", "@20260301", "@2026", "@"):
            assert not (mount.project / name).exists()


def test_nothing_in_a_moment_can_be_written(tmp_path: Path, stored: StoredProject) -> None:
    with mounted(tmp_path, *store_options(stored)) as mount:
        folder = mount.project / "@2026-03-01"
        for write in (lambda: (folder / "new").mkdir(), lambda: (folder / "dm.parquet").unlink(), folder.rmdir):
            with pytest.raises(OSError, match="Read-only"):
                write()


def test_a_moment_is_a_data_set_as_it_stands(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("a", parquet(3), parquet(4))
    stored.put("b", parquet(2))
    with mounted(tmp_path, *store_options(stored)) as mount:
        folder = mount.project / "@2026-03-01"
        assert 6 == ds.dataset(folder, format="parquet").count_rows()
        assert 6 == pl.scan_parquet(folder / "*.parquet").select(pl.len()).collect().item()
        with duckdb.connect() as connection:
            counted = connection.sql("select count(*) from read_parquet(?)", params=[f"{folder}/*.parquet"]).fetchall()
        assert [(6,)] == counted
        listed = subprocess.run(["ls", "-lL", str(folder)], check=True, capture_output=True, text=True).stdout
        assert ["a.parquet", "b.parquet"] == [line.split()[-1] for line in listed.splitlines()[1:]]


def test_a_file_is_the_same_through_a_moment_and_by_its_pin(tmp_path: Path, stored: StoredProject) -> None:
    one = stored.tables["dm"][0]
    with mounted(tmp_path, *store_options(stored)) as mount:
        through = (mount.project / "@20260301T000100Z" / "dm.parquet").stat()
        assert (mount.project / "dm" / one.name).stat() == through
