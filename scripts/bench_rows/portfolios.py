"""Portfolios put into folders and buckets by hand: governance that names many projects, and these projects.

A million and a half versions need no million and a half files: in folders, projects share the files of one set of
tables, each through links of its own. A daemon cannot tell, since it keeps nothing by the file. In a bucket, where
nothing is shared, only the first projects have tables to be looked into; the others have their manifests. `governed`
measures, and tests use this at a smaller size.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from datomfs.layout import NAMESPACE, REF_FILE, gov_key
from datomfs.model.location import Location
from datomfs.store.base import Store
from datomfs.store.local import LocalStore
from scripts.bench_rows.studies import StoredVersion, put_manifest, put_tables

_MODEL = "MODEL"
_THREADS = 8


@dataclass(frozen=True, slots=True)
class Extent:
    """How large a portfolio is: projects, tables in each of them, versions of each table."""

    projects: int
    tables: int
    versions: int

    @property
    def project_names(self) -> Sequence[str]:
        """The projects, sorted."""
        return [f"STUDY_{number:03d}" for number in range(1, self.projects + 1)]

    @property
    def table_names(self) -> Sequence[str]:
        """The tables of each project, sorted."""
        return [f"table{number:03d}" for number in range(1, self.tables + 1)]


def put_in_folders(folder: Path, extent: Extent) -> Sequence[str]:
    """A portfolio in folders below `folder`; the options of `datomfs mount` that show it."""
    files = _make_payloads(folder / "payloads", extent)
    model, gov = (_make_store(folder / name) for name in ("model", "governance"))
    stored = put_tables(model, _MODEL, dict.fromkeys(extent.table_names, files))
    for project in extent.project_names:
        store = _make_store(folder / "projects" / project)
        put_manifest(store, project, stored)
        for table in extent.table_names:
            (folder / "projects" / project / NAMESPACE / table).symlink_to(folder / "model" / NAMESPACE / table)
        _put_ref(gov, project, Location("local", store.url))
    return ["--gov-store", gov.url, "--allow-root", str(folder / "projects")]


def put_in_bucket(
    folder: Path, extent: Extent, bucket: str, open_store: Callable[[Location], Store], *, filled: int
) -> Sequence[str]:
    """A portfolio in a bucket, with tables in the first `filled` projects; the options of `datomfs mount` that show it.

    `folder` takes the files that payloads are made from.
    """
    files = _make_payloads(folder / "payloads", extent)
    gov = open_store(Location("s3", bucket, "governance"))
    tables = dict.fromkeys(extent.table_names, files)
    stored: Mapping[str, Sequence[StoredVersion]] = {}

    def put(project: str) -> None:
        place = Location("s3", bucket, f"studies/{project}")
        put_manifest(open_store(place), project, stored)
        _put_ref(gov, project, place)

    for project in extent.project_names[:filled]:
        stored = put_tables(open_store(Location("s3", bucket, f"studies/{project}")), project, tables)
        put(project)
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(put, extent.project_names[filled:]))
    return ["--gov-store", gov.url]


def _make_payloads(folder: Path, extent: Extent) -> Sequence[Path]:
    folder.mkdir(parents=True)
    files = [folder / f"{number:04d}" for number in range(extent.versions)]
    for number, file in enumerate(files):
        file.write_bytes(f"payload {number}".encode())
    return files


def _make_store(folder: Path) -> Store:
    folder.mkdir(parents=True)
    return LocalStore(Location("local", str(folder)))


def _put_ref(gov: Store, project: str, place: Location) -> None:
    current = {"type": place.backend, "root": place.root}
    if place.prefix is not None:
        current["prefix"] = place.prefix
    gov.put(gov_key(project, REF_FILE), json.dumps({"current": current, "previous": [], "schema_version": 1}).encode())
