"""Studies that R wrote, mounted: every version of every table has the values that R had, from a folder and from S3."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.identity.r_stores import FOLDER, needs_r_stores
from tests.kernel.csv_dump import r_class, read_arrow, read_dump
from tests.mounts import PROJECT, Mount, kernel_test, mounted, s3_variables
from tests.s3_server import S3Server

pytestmark = [*kernel_test, needs_r_stores]

STUDY = FOLDER / "solo-study"


def facts(study: Path) -> dict[str, Any]:
    """What R said of a study; nothing where it is not here."""
    path = study / "expected.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


SOLO: dict[str, Any] = facts(STUDY).get("tables", {})
GOVERNED: dict[str, Any] = facts(FOLDER / "governed").get("projects", {})


@pytest.fixture(scope="module")
def from_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """The study, from the folder R wrote it to."""
    with mounted(tmp_path_factory.mktemp("folder"), "--store", STUDY / "storage", "--project", PROJECT) as mount:
        yield mount


@pytest.fixture(scope="module")
def from_s3(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[Mount]:
    """The same objects, from a bucket."""
    folder = tmp_path_factory.mktemp("s3")
    bucket = s3_server.create_bucket("solo-study")
    client, storage = s3_server.client(), STUDY / "storage"
    for path in sorted(path for path in storage.rglob("*") if path.is_file()):
        client.put_object(Bucket=bucket, Key=f"study/{path.relative_to(storage)}", Body=path.read_bytes())
    options = ("--store", f"s3://{bucket}/study", "--project", PROJECT)
    with mounted(folder, *options, variables=s3_variables(s3_server, folder)) as mount:
        yield mount
    s3_server.delete_bucket(bucket)


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def study(request: pytest.FixtureRequest) -> Mount:
    """The study as R wrote it."""
    mount: Mount = request.getfixturevalue(f"from_{request.param}")
    return mount


def by_pandas(path: Path) -> pa.Table:
    # With numpy behind it, an integer column that misses a value would become one of doubles.
    return pa.Table.from_pandas(pd.read_parquet(path, dtype_backend="pyarrow"), preserve_index=False)


def by_polars(path: Path) -> pa.Table:
    return pl.read_parquet(path).to_arrow()


def by_duckdb(path: Path) -> pa.Table:
    with duckdb.connect() as connection:
        found: pa.Table = connection.sql("select * from read_parquet(?)", params=[str(path)]).to_arrow_table()
    return found


def test_all_tables_are_there(study: Mount) -> None:
    assert sorted([*SOLO, *(f"{table}.parquet" for table in SOLO)]) == sorted(
        path.name for path in study.project.iterdir()
    )


@pytest.mark.parametrize("table", SOLO)
def test_every_version_has_the_values_r_had(study: Mount, table: str) -> None:
    for version in SOLO[table]["versions"]:
        path = study.project / table / f"@{version['version'][:8]}.parquet"
        found = pq.read_table(path)
        assert version["r_classes"] == [r_class(field.type) for field in found.schema]
        assert read_dump(STUDY / version["csv"]) == read_arrow(found)
        assert version["parquet_sha_history"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("table", SOLO)
def test_the_moving_name_is_the_current_version(study: Mount, table: str) -> None:
    current = SOLO[table]["current_version_manifest"]
    link = study.project / f"{table}.parquet"
    assert study.path.resolve() / PROJECT / table / f"@{current[:8]}.parquet" == link.resolve()
    assert SOLO[table]["nrow_current"] == pq.read_metadata(link).num_rows


@pytest.mark.parametrize("table", SOLO)
def test_documents_are_what_r_wrote_and_every_version_and_parent_is_found(study: Mount, table: str) -> None:
    documents = study.project / ".datom" / table
    for name in ("metadata.json", "version_history.json"):
        stored = STUDY / "storage" / "datom" / table / ".metadata" / name
        assert stored.read_bytes() == (documents / name).read_bytes()
    versions = {version["version"] for version in SOLO[table]["versions"]}
    with (documents / "history.csv").open(newline="", encoding="utf-8") as file:
        assert versions == {row["version"] for row in csv.DictReader(file)}
    links = list((documents / "versions").iterdir())
    assert {f"@{version[:8]}.parquet" for version in versions} == {link.resolve().name for link in links}
    lineage = json.loads((documents / "lineage.json").read_text(encoding="utf-8"))
    assert [] == [parent for record in lineage["versions"] for parent in record["parents"] if "note" in parent]
    described = SOLO[table]["versions"][-1]
    pin = study.project / table / f"@{described['version'][:8]}.parquet"
    assert str(pq.read_metadata(pin).num_rows) == os.getxattr(pin, "user.datom.nrow").decode()


@pytest.mark.parametrize("reader", [by_pandas, by_polars, by_duckdb])
@pytest.mark.parametrize("table", SOLO)
def test_other_tools_read_the_same_values(study: Mount, table: str, reader: Callable[[Path], pa.Table]) -> None:
    version = SOLO[table]["versions"][-1]
    path = study.project / table / f"{table}_{version['version'][:12]}.parquet"
    assert read_dump(STUDY / version["csv"]) == read_arrow(reader(path))


@pytest.mark.parametrize("name", GOVERNED)
def test_stores_from_before_cv1_are_shown_and_proven_by_data_sha(tmp_path: Path, name: str) -> None:
    project = GOVERNED[name]
    folder = FOLDER / "governed" / "data" / Path(project["resolved_root"]).name / (project["resolved_prefix"] or "")
    with mounted(tmp_path, "--store", folder, "--project", name) as mount:
        for table, told in project["tables"].items():
            for version in told["versions"]:
                path = mount.path / name / table / f"@{version['version'][:8]}.parquet"
                assert version["data_sha"] == hashlib.sha256(path.read_bytes()).hexdigest()
                if "csv" in version:
                    assert read_dump(FOLDER / "governed" / version["csv"]) == read_arrow(pq.read_table(path))
            current = {row["name"]: row["current_version"] for row in project["datom_list"]}[table]
            assert f"@{current[:8]}.parquet" == (mount.path / name / f"{table}.parquet").resolve().name
