"""Extended attributes through the kernel: of payloads, of versions of sets, of projects, and of nothing else."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datomfs.model.location import Location
from datomfs.model.timestamps import parse_timestamp_ns
from datomfs.store.local import LocalStore
from tests.builders import git, make_study, make_table
from tests.kernel.conftest import Shown
from tests.mounts import PROJECT, eventually, kernel_test, mounted
from tests.product import (
    COMMIT,
    DM_DATA_SHA,
    DM_VERSION,
    PRODUCT,
    RAW,
    SET,
    SET_DATA_SHA,
    SET_DOCUMENT_SHA,
    SET_PAYLOAD,
    SET_VERSION,
    dm_bytes,
    put_product,
    put_raw,
)

pytestmark = kernel_test

STANDINGS = {"full", "attested", "pending", "unrecorded", "failed"}
LISTED = {
    "cached", "data_sha", "hash_algo", "ncol", "nrow", "parquet_sha", "project", "source", "table", "table_type",
    "timestamp", "verified", "version",
}  # fmt: skip
"""What is listed of the payloads of `shown` before one was asked for what only its snapshot has."""


def told(path: Path) -> dict[str, str]:
    """All attributes of a path without their common lead, those that turn out not to be recorded left out."""
    found = {}
    for name in os.listxattr(path):
        with suppress(OSError):
            found[name.removeprefix("user.datom.")] = os.getxattr(path, name).decode()
    return found


def check_none(path: Path, name: str, *, follow_symlinks: bool = True) -> None:
    """There is no such attribute: ENODATA, which every program takes for "no"."""
    with pytest.raises(OSError) as caught:  # noqa: PT011  (the errno is looked at)
        os.getxattr(path, name, follow_symlinks=follow_symlinks)
    assert errno.ENODATA == caught.value.errno


def test_a_payload_tells_whether_it_is_proven_and_how_much_of_it_is_here(shown: Shown) -> None:
    for version in shown.versions("dm"):
        path = shown.mount.project / "dm" / version.name
        assert {f"user.datom.{name}" for name in LISTED} == set(os.listxattr(path))
        assert os.getxattr(path, "user.datom.verified").decode() in STANDINGS
        assert 0 <= int(os.getxattr(path, "user.datom.cached")) <= len(version.body)


def test_a_link_tells_what_its_payload_does(shown: Shown) -> None:
    link = shown.mount.project / "dm.parquet"
    assert set(os.listxattr(link.resolve())) == set(os.listxattr(link))
    assert os.getxattr(link.resolve(), "user.datom.verified") == os.getxattr(link, "user.datom.verified")
    assert [] == os.listxattr(link, follow_symlinks=False)
    check_none(link, "user.datom.verified", follow_symlinks=False)


def test_an_open_payload_is_asked_too(shown: Shown) -> None:
    with (shown.mount.project / "dm.parquet").open("rb") as file:
        assert os.getxattr(file.fileno(), "user.datom.verified").decode() in STANDINGS


def test_other_folders_have_none(shown: Shown) -> None:
    for folder in (shown.mount.path, shown.mount.project / "dm"):
        assert [] == os.listxattr(folder)
        check_none(folder, "user.datom.verified")


@pytest.mark.parametrize("name", ["user.datom.nothing", "user.datom.", "user.verified"])
def test_an_unknown_name_is_no_data(shown: Shown, name: str) -> None:
    check_none(shown.mount.project / "dm.parquet", name)


@pytest.mark.parametrize("name", ["security.selinux", "system.posix_acl_access", "security.capability"])
def test_access_lists_and_labels_are_not_supported_so_that_ls_asks_once(shown: Shown, name: str) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011
        os.getxattr(shown.mount.project / "dm.parquet", name)
    assert errno.EOPNOTSUPP == caught.value.errno


def test_programs_that_copy_attributes_copy_payloads(shown: Shown, tmp_path: Path) -> None:
    *_, current = shown.versions("dm")
    subprocess.run(["cp", "-a", "-L", str(shown.mount.project / "dm.parquet"), str(tmp_path)], check=True)
    assert current.body == (tmp_path / "dm.parquet").read_bytes()


def test_asking_leaves_nothing_in_the_log(shown: Shown) -> None:
    check_none(shown.mount.project / "dm.parquet", "user.datom.nothing")
    assert [] == shown.mount.complaints


def test_a_payload_tells_all_that_is_recorded_of_its_version(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    put_raw(LocalStore(Location("local", str(store))))
    with mounted(tmp_path, "--store", store, "--project", RAW) as mount:
        path = mount.path / RAW / "dm.parquet"
        # A file of a folder store that was just written is hashed anew each time it is opened, until it has settled.
        eventually(lambda: path.read_bytes() != b"" and b"full" == os.getxattr(path, "user.datom.verified"))
        body = dm_bytes()
        expected = {
            "project": RAW, "table": "dm", "version": DM_VERSION, "data_sha": DM_DATA_SHA,
            "parquet_sha": hashlib.sha256(body).hexdigest(), "hash_algo": "datom-cv1", "table_type": "imported",
            "nrow": "3", "ncol": "2", "author": "A <a@x>", "timestamp": "2026-11-20T10:00:00Z",
            "message": "Sync dm (new)", "commit_sha": COMMIT, "source": "storage", "verified": "full",
            "cached": str(len(body)),
        }  # fmt: skip
        assert expected == told(path)


def test_a_project_tells_where_it_lies_how_old_that_is_and_what_it_has(shown: Shown) -> None:
    facts = told(shown.mount.project)
    checked = parse_timestamp_ns(facts.pop("checked_at")) / 10**9
    assert timedelta(0) <= datetime.now(UTC) - datetime.fromtimestamp(checked, UTC) < timedelta(minutes=2)
    assert {
        "project": PROJECT, "location": shown.stored.store.url, "source": "storage", "table_count": "3",
        "set_count": "0",
    } == facts  # fmt: skip


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A folder for a store of the example's product."""
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def test_a_version_of_a_set_tells_what_is_recorded_of_it_and_its_labels(product: Path, tmp_path: Path) -> None:
    put_product(LocalStore(Location("local", str(product))))
    with mounted(tmp_path, "--store", product, "--project", PRODUCT) as mount:
        directory = mount.path / PRODUCT / SET / f"@{SET_VERSION[:8]}"
        assert ["dm.parquet"] == os.listdir(directory)
        assert {
            "project": PRODUCT, "set": SET, "version": SET_VERSION, "data_sha": SET_DATA_SHA,
            "document_sha": SET_DOCUMENT_SHA, "hash_algo": "datom-sv1", "author": "A <a@x>",
            "timestamp": "2026-11-20T10:05:00Z", "message": "Update demo-set: add 1 member", "commit_sha": COMMIT,
            "source": "storage", "tags": '{"description":["Demo product"]}',
            "member.dm.parquet": '{"domain":["labs","safety"],"type":["input"]}',
        } == told(directory)  # fmt: skip
        check_none(directory / "dm.parquet", "user.datom.tags", follow_symlinks=False)


def test_labels_of_more_than_64_kib_are_too_big_for_the_kernel(product: Path, tmp_path: Path) -> None:
    document = json.loads(SET_PAYLOAD)
    document["tags"] = {"description": "x" * 70_000}
    payload = json.dumps(document).encode()
    put_product(LocalStore(Location("local", str(product))), payload, document_sha=hashlib.sha256(payload).hexdigest())
    with mounted(tmp_path, "--store", product, "--project", PRODUCT) as mount:
        directory = mount.path / PRODUCT / SET / f"@{SET_VERSION[:8]}"
        with pytest.raises(OSError) as caught:  # noqa: PT011
            os.getxattr(directory, "user.datom.tags")
        assert errno.E2BIG == caught.value.errno
        assert SET_DATA_SHA == os.getxattr(directory, "user.datom.data_sha").decode()


def test_the_commit_of_a_version_is_the_one_that_git_has(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    study.write("dm", make_table(seed=1))
    first = git(study.clone, "rev-parse", "HEAD")
    study.write("dm", make_table(seed=2))
    second = git(study.clone, "rev-parse", "HEAD")
    entries = json.loads((study.clone / "dm" / "version_history.json").read_text(encoding="utf-8"))
    expected = {entries[1]["version"]: first, entries[0]["version"]: second}
    options = ("--store", study.location.root, "--project", study.name, "--repo", study.remote)
    with mounted(tmp_path, *options) as mount:
        for version, commit in expected.items():
            path = mount.path / study.name / "dm" / f"@{version[:8]}.parquet"
            assert "user.datom.commit_sha" in os.listxattr(path)
            assert commit.encode() == os.getxattr(path, "user.datom.commit_sha")
            assert b"git" == os.getxattr(path, "user.datom.source")
            assert b"3" == os.getxattr(path, "user.datom.nrow")
