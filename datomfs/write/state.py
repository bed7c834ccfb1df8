"""What git holds for a table at one commit, and the door every write passes through first.

The documents in git are the truth a new version is planned from; the store is only their mirror.
"""

from __future__ import annotations

from dataclasses import dataclass

from datomfs.errors import CloneMismatch, NotATable, WriterTooOld
from datomfs.layout import GOVERNANCE_PATH, MANIFEST_PATH, history_path, metadata_path
from datomfs.model import manifest as manifests
from datomfs.model import metadata as metadatas
from datomfs.model.history import EMPTY_HISTORY, History, parse_history
from datomfs.model.manifest import Manifest, parse_manifest
from datomfs.model.metadata import COMPATIBLE_RELEASE, Metadata, parse_metadata, parse_release
from datomfs.model.project import Project
from datomfs.repo.data_repo import DataRepo


@dataclass(frozen=True, slots=True)
class TableState:
    """A table at one commit; `metadata` is None and `history` empty before its first version."""

    commit: str
    manifest: Manifest
    metadata: Metadata | None
    history: History


def read_manifest(repo: DataRepo, commit: str) -> Manifest:
    """The project's manifest in git. Raises DocumentError, CloneMismatch when there is none."""
    data = repo.read(MANIFEST_PATH, commit)
    if data is None:
        raise CloneMismatch(str(repo.path), f"its commit {commit[:8]} has no {MANIFEST_PATH}")
    return parse_manifest(data, MANIFEST_PATH)


def read_table_state(repo: DataRepo, commit: str, table: str) -> TableState:
    """The documents of a table in git. Raises DocumentError."""
    metadata = repo.read(metadata_path(table), commit)
    history = repo.read(history_path(table), commit)
    return TableState(
        commit=commit,
        manifest=read_manifest(repo, commit),
        metadata=None if metadata is None else parse_metadata(metadata, metadata_path(table)),
        history=EMPTY_HISTORY if history is None else parse_history(history, history_path(table)),
    )


def is_governed(repo: DataRepo) -> bool:
    """Whether governance says where the project's store is, as of the commit the clone is at."""
    return repo.read(GOVERNANCE_PATH, repo.head) is not None


def check_door(repo: DataRepo, project: Project, state: TableState, table: str) -> None:
    """Refuse a write that this release could do wrongly, before anything is touched (format.md §5, write door).

    Raises WriterTooOld, VocabularyUnknown, NotATable, and CloneMismatch for a governed project: its location has to be
    read live from governance before a write, which this release cannot do.
    """
    floor = project.min_writer_version
    if floor is not None and parse_release(floor, "min_writer_version") > parse_release(COMPATIBLE_RELEASE, "ours"):
        raise WriterTooOld(floor, COMPATIBLE_RELEASE)
    if is_governed(repo):
        raise CloneMismatch(
            f"project {project.name}", "it is governed, and this release cannot check its location before a write"
        )
    manifests.check_vocabulary(state.manifest, MANIFEST_PATH)
    if state.metadata is not None:
        metadatas.check_vocabulary(state.metadata, metadata_path(table))
        if state.metadata.kind != "table":
            raise NotATable(project.name, table, state.metadata.kind)
