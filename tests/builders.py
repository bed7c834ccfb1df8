"""Projects for tests, made the way users make them: a bare remote, a clone, a store, versions of tables.

Every test file may use this. Nothing here asserts; what goes wrong raises the errors of the code under test.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from datomfs.catalog.catalog import Catalog
from datomfs.model.location import Location
from datomfs.repo.data_repo import DataRepo
from datomfs.store.base import Store
from datomfs.store.local import LocalStore
from datomfs.write.project import clone_project, init_project
from datomfs.write.writer import OpenStore, WriteResult, write_table


def git(folder: Path, *arguments: str) -> str:
    """What the real git prints, without its final newline; raises CalledProcessError with git's words when it fails."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.removesuffix("\n")


def make_remote(path: Path, branch: str = "main") -> Path:
    """An empty bare repository at `path`, whose HEAD names `branch`; the path itself."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--bare", f"--initial-branch={branch}")
    return path


def make_table(rows: int = 3, seed: int = 0) -> pa.Table:
    """A small table of a number, a text, a date and a missing value; another `seed` gives other values."""
    numbers = range(seed, seed + rows)
    return pa.table(
        {
            "id": pa.array(numbers, pa.int32()),
            "name": pa.array([f"subject {number}" for number in numbers]),
            "weight": pa.array([None if number % 3 == 2 else number + 0.5 for number in numbers], pa.float64()),
            "visit": pa.array([20_000 + number for number in numbers], pa.int32()).cast(pa.date32()),
        }
    )


def open_folder_store(project: str, location: Location) -> Store:
    """The folder store at a location, whatever the project."""
    return LocalStore(location)


@dataclass(frozen=True, slots=True)
class Study:
    """A project, its remote, its store, and one clone of it."""

    name: str
    clone: Path
    remote: str
    location: Location
    open_store: OpenStore

    @property
    def store(self) -> Store:
        """The project's store, opened anew."""
        return self.open_store(self.name, self.location)

    @property
    def catalog(self) -> Catalog:
        """The project as a reader of its store sees it."""
        return Catalog(self.name, self.store)

    @contextmanager
    def repo(self) -> Iterator[DataRepo]:
        """The clone, opened for the length of a `with`."""
        repo = DataRepo.open(self.clone)
        try:
            yield repo
        finally:
            repo.close()

    def write(
        self, table: str, data: pa.Table, message: str | None = None, custom: Mapping[str, str] | None = None
    ) -> WriteResult:
        """Write `data` as the current version of `table`, through a parquet file beside the clone."""
        file = self.clone.with_name(f"{self.clone.name}-source.parquet")
        pq.write_table(data, file)
        with self.repo() as repo:
            return write_table(repo, self.open_store, table, file, message=message, custom=custom or {})

    def colleague(self, path: Path) -> Study:
        """The same project in a second clone at `path`."""
        clone_project(self.remote, path)
        return replace(self, clone=path)


def make_study(
    folder: Path,
    name: str = "STUDY_001",
    location: Location | None = None,
    open_store: OpenStore = open_folder_store,
) -> Study:
    """A new project in `folder`: NAME.git, NAME-store (unless `location` names another) and the clone NAME."""
    remote = make_remote(folder / f"{name}.git")
    place = location or Location("local", str(folder / f"{name}-store"))
    study = Study(name, folder / name, str(remote), place, open_store)
    init_project(study.clone, name, place, study.remote, open_store)
    return study
