"""Beginning with a project: a new one from nothing, or a clone of one that exists."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from datomfs.errors import CloneMismatch, NamespaceOccupied, NotAClone, ObjectMissing, RemoteNotEmpty, RemoteRefused
from datomfs.layout import MANIFEST_KEY, MANIFEST_PATH, PROJECT_CONFIG_PATH
from datomfs.model.location import Location
from datomfs.model.manifest import new_manifest
from datomfs.model.names import check_name
from datomfs.model.project import Project, render_project
from datomfs.model.timestamps import render_timestamp
from datomfs.repo.data_repo import DataRepo, remove_created
from datomfs.store.base import Store
from datomfs.write.publish import follow_and_publish
from datomfs.write.writer import OpenStore

_IGNORED = (
    ".Rprofile", ".Renviron", ".Rhistory", ".Rapp.history", ".Rproj.user/", ".DS_Store", "*.csv", "*.tsv", "*.rds",
    "*.txt", "*.parquet", "*.sas7bdat", ".RData", ".RDataTmp", "*.html", "*.png", "*.pdf", ".vscode/", "rsconnect/",
    "input_files/",
)  # fmt: skip
"""What R's `init` ignores (format.md §1): data never enters git by accident."""


def init_project(path: Path, name: str, location: Location, remote_url: str, open_store: OpenStore) -> None:
    """Make a new project: a clone at `path`, its first commit on an empty remote, its manifest in an empty store.

    A folder store that does not exist is created; a bucket never is. Whatever fails before the push leaves nothing
    behind. Raises RemoteNotEmpty, NamespaceOccupied, DirectoryNotEmpty, AccessError; PublishPending after the push.
    """
    check_name(name)
    created = _create_folder(location)
    existed = path.exists()
    repo: DataRepo | None = None
    try:
        store = open_store(name, location)
        _check_free(store)
        repo = DataRepo.create(remote_url, path)
        if repo.upstream is not None or repo.head is not None:
            raise RemoteNotEmpty(remote_url)
        commit = repo.commit(_first_files(name, location, repo.remote_url), "Initialize datom repository", parent=None)
        if not repo.push(commit):
            raise RemoteRefused(remote_url, "somebody else pushed to it first")
    except BaseException:
        if repo is not None:
            repo.close()
            remove_created(path, existed)
        for folder in created:
            folder.rmdir()
        raise
    try:
        follow_and_publish(repo, store, commit, [])
    finally:
        repo.close()


def clone_project(remote_url: str, path: Path) -> Project:
    """Clone a project's data repository and give its configuration. Raises NotAClone when it is something else."""
    existed = path.exists()
    repo = DataRepo.create(remote_url, path)
    try:
        if not (path / PROJECT_CONFIG_PATH).is_file():
            raise NotAClone(f"{remote_url}, which has no {PROJECT_CONFIG_PATH},")
        return repo.project()
    except BaseException:
        remove_created(path, existed)
        raise
    finally:
        repo.close()


def _create_folder(location: Location) -> list[Path]:
    """The folders that had to be made for a folder store, the innermost first."""
    root = Path(location.root)
    if location.backend != "local" or root.exists():
        return []
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        root.mkdir(parents=True)
    except OSError as error:
        raise CloneMismatch(f"store {root}", f"the folder cannot be created: {error.strerror}") from error
    return missing


def _check_free(store: Store) -> None:
    store.check()
    try:
        store.head(MANIFEST_KEY)
    except ObjectMissing:
        return
    raise NamespaceOccupied(store.url)


def _first_files(name: str, location: Location, remote_url: str) -> dict[str, bytes]:
    now = datetime.now(UTC)
    project = Project(name, location, remote_url, min_writer_version=None)
    manifest = new_manifest(name, render_timestamp(now))
    return {
        PROJECT_CONFIG_PATH: render_project(project, now.astimezone().date()).encode(),
        MANIFEST_PATH: f"{manifest.render()}\n".encode(),
        ".gitignore": ("\n".join(_IGNORED) + "\n").encode(),
        "README.md": _readme(project).encode(),
    }


def _readme(project: Project) -> str:
    location = project.location
    return f"""# {project.name}

The data repository of the datom project {project.name}: metadata in git, table bytes in the store.

| setting | value |
|---|---|
| backend | `{location.backend}` |
| root | `{location.root}` |
| prefix | `{location.prefix or "(none)"}` |
| region | `{location.region or "(none)"}` |

Do not edit the JSON documents here by hand. R users write with the package `datom`, others with `datomfs`:

```
datomfs clone {project.remote_url} {project.name}
datomfs -C {project.name} write TABLE FILE.parquet -m "why"
```
"""
