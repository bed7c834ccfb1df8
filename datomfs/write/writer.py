"""The recipe of a write: one new version of one table, in the order of design.md §4.

Every step may be the last one a process lives to do, and every step may be done again:

    pull, hash, decide       nothing has been touched
    upload                   an object that no document names
    commit, push             the push makes the version exist, with all its bytes already in the store
    follow, publish          mirrors of what exists; the next `write` or `pull` completes them
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from datomfs.errors import CloneMismatch, RemoteRefused, WriteConflict
from datomfs.identity.metadata import metadata_sha
from datomfs.identity.parquet import read_parquet
from datomfs.identity.table import hash_table
from datomfs.model.location import Location
from datomfs.model.names import check_name
from datomfs.model.project import Project
from datomfs.repo.data_repo import DataRepo
from datomfs.store.base import Store
from datomfs.write.payload import Payload, find_recorded, upload_payload
from datomfs.write.plan import Action, NewVersion, Request, decide, plan_version
from datomfs.write.publish import finish_publishing, follow_and_publish
from datomfs.write.state import TableState, check_door, is_governed, read_table_state

_PUSH_ATTEMPTS = 10

OpenStore = Callable[[str, Location], Store]
"""How a writer gets the store of a project: by its name and its location."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a write came to: the version that is current now, and the shas and size of its payload."""

    project: str
    table: str
    action: Action
    version: str
    data_sha: str
    parquet_sha: str | None
    size_bytes: int | None


def write_table(
    repo: DataRepo,
    open_store: OpenStore,
    table: str,
    source: Path,
    *,
    message: str | None,
    custom: Mapping[str, str],
) -> WriteResult:
    """Make the parquet file `source` the current version of `table`.

    `message` defaults to R's `Update TABLE`; `custom` are texts of the user's own, part of the version. Raises
    DataRefused for data that cannot be a version, CloneError, DocumentError, AccessError; PublishPending after the
    version came to exist.
    """
    check_name(table)
    with repo.locked() as work_dir:
        repo.pull()
        project = repo.project()
        state = _state(repo, table)
        check_door(repo, project, state, table)
        data = read_parquet(source)
        request = Request(
            project=project.name,
            table=table,
            identity=hash_table(data),
            message=message or f"Update {table}",
            custom=custom,
            author=repo.author(),
            moment=datetime.now(UTC),
        )
        store = open_store(project.name, project.location)
        store.check()
        finish_publishing(repo, store)
        action = decide(state, request)
        if action is Action.UNCHANGED:
            return _unchanged(state, request)
        payload = find_recorded(store, state.history, table, request.identity.data_sha)
        if payload is None:
            payload = upload_payload(store, table, data, request.identity.data_sha, work_dir)
        made, commit = _commit_and_push(repo, project, state, request, payload)
        follow_and_publish(repo, store, commit, [table])
        return WriteResult(
            project.name, table, action, made.version, request.identity.data_sha, payload.sha256, payload.size
        )


def pull_clone(repo: DataRepo, open_store: OpenStore) -> tuple[int, tuple[str, ...]]:
    """Bring a clone up to date, and publish what an earlier write left; gives the commits pulled and those tables.

    The store of a governed project is left alone: where it lies has to be read from governance (see `check_door`).
    """
    with repo.locked():
        pulled = repo.pull()
        project = repo.project()
        if is_governed(repo):
            return pulled, ()
        return pulled, finish_publishing(repo, open_store(project.name, project.location))


def _state(repo: DataRepo, table: str) -> TableState:
    head = repo.head
    if head is None:
        raise CloneMismatch(str(repo.path), "it has no commits")
    return read_table_state(repo, head, table)


def _commit_and_push(
    repo: DataRepo, project: Project, state: TableState, request: Request, payload: Payload
) -> tuple[NewVersion, str]:
    """Commit and push; when others were first, put the same version on top of theirs, unless it was this very table.

    Gives the version and its commit. Raises WriteConflict, RemoteRefused, and CloneMismatch where the others moved the
    project meanwhile.
    """
    for _ in range(_PUSH_ATTEMPTS):
        made = plan_version(state, request, payload)
        files = {path: f"{text}\n".encode() for path, text in made.files.items()}
        commit = repo.commit(files, request.message, parent=state.commit)
        if repo.push(commit):
            return made, commit
        repo.pull()
        fresh = _state(repo, request.table)
        check_door(repo, project, fresh, request.table)
        if repo.project() != project:
            raise CloneMismatch(f"project {project.name}", "its configuration was changed meanwhile; write again")
        if fresh.history != state.history or fresh.metadata != state.metadata:
            raise WriteConflict(request.table)
        state = fresh
    raise RemoteRefused(repo.remote_url, f"others pushed first, {_PUSH_ATTEMPTS} times in a row")


def _unchanged(state: TableState, request: Request) -> WriteResult:
    current = state.metadata
    if current is None:
        raise ValueError("a table without metadata is never unchanged")
    return WriteResult(
        request.project,
        request.table,
        Action.UNCHANGED,
        metadata_sha(current.document),
        current.data_sha,
        current.parquet_sha,
        current.size_bytes,
    )
