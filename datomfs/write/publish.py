"""Mirroring git's documents to the store: immutable things first, pointers last (design.md §4, step 9).

Publishing always mirrors the newest commit, whoever made it, and every pointer is replaced only as the one that was
looked at before that commit was fetched. So of two publishers at once neither can put an older state over a newer:
one of them is refused by the store, looks again, and finds the other's work done or repeats it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from datomfs.errors import DatomfsError, ObjectChanged, ObjectExists, ObjectMissing, PublishPending
from datomfs.identity.metadata import metadata_sha
from datomfs.layout import (
    MANIFEST_KEY,
    MANIFEST_PATH,
    history_key,
    history_path,
    metadata_key,
    metadata_path,
    payload_key,
    snapshot_key,
)
from datomfs.model.history import EMPTY_HISTORY, History, parse_history
from datomfs.model.manifest import Manifest, parse_manifest
from datomfs.model.metadata import parse_metadata
from datomfs.repo.data_repo import DataRepo
from datomfs.store.base import ObjectInfo, Store
from datomfs.write.state import read_manifest

log = logging.getLogger(__name__)

_ATTEMPTS = 10
_JSON = "application/json"


def publish(repo: DataRepo, store: Store, tables: Iterable[str]) -> None:
    """Mirror these tables and the manifest from the remote's newest commit, which the clone follows.

    Raises PublishPending when it could not be completed: the versions exist in git, and the next `write` or `pull`
    mirrors them.
    """
    names = list(tables)
    try:
        for _ in range(_ATTEMPTS):
            if _publish_once(repo, store, names):
                return
    except DatomfsError as error:
        raise PublishPending(store.url, error.what) from error
    raise PublishPending(store.url, "others keep publishing at the same time")


def finish_publishing(repo: DataRepo, store: Store) -> tuple[str, ...]:
    """Mirror the tables that an earlier run pushed and could not publish; gives their names.

    The manifest is published last, so a store whose manifest agrees with git's lacks nothing. A table whose payload is
    not in the store is left alone: R uploads after it pushes, and may be about to.
    """
    head = repo.head
    if head is None:
        return ()
    ours, stored = read_manifest(repo, head), _read_stored_manifest(store)
    lagging = [name for name, row in ours.rows.items() if stored is None or stored.rows.get(name) != row]
    ready = tuple(
        name
        for name in lagging
        if ours.rows[name].kind == "table" and _is_stored(store, payload_key(name, ours.rows[name].current_data_sha))
    )
    if ready or stored is None:
        log.info("publishing what an earlier run left: %s", ", ".join(ready) or "the manifest")
        publish(repo, store, ready)
    return ready


def _publish_once(repo: DataRepo, store: Store, tables: list[str]) -> bool:
    """One attempt; False when a pointer was changed by somebody else between our look and our put."""
    keys = [key for name in tables for key in (history_key(name), metadata_key(name))] + [MANIFEST_KEY]
    seen = {key: _look(store, key) for key in keys}
    repo.pull()
    tip = repo.head
    if tip is None:
        return True
    try:
        for name in tables:
            _publish_table(repo, store, name, tip, seen)
        _put(store, MANIFEST_KEY, _text(repo, MANIFEST_PATH, tip), seen)
    except (ObjectChanged, ObjectExists):
        return False
    return True


def _publish_table(
    repo: DataRepo, store: Store, table: str, tip: str, seen: dict[str, tuple[bytes, ObjectInfo] | None]
) -> None:
    metadata_text = _text(repo, metadata_path(table), tip)
    metadata = parse_metadata(metadata_text.encode(), metadata_path(table))
    snapshot = snapshot_key(table, metadata_sha(metadata.document))
    if not _is_stored(store, snapshot):
        store.put(snapshot, _ended(store, metadata_text), content_type=_JSON)
    history = parse_history((repo.read(history_path(table), tip) or b"[]"), history_path(table))
    key = history_key(table)
    _put(store, key, history.with_commits(_commits(repo, table, tip, history, seen[key])).render(), seen)
    _put(store, metadata_key(table), metadata_text, seen)


def _commits(
    repo: DataRepo, table: str, tip: str, history: History, stored: tuple[bytes, ObjectInfo] | None
) -> dict[str, str]:
    """Version → commit that first produced it (format.md §7.4): as the store has it, else by walking git."""
    known = parse_history(stored[0], history_key(table)) if stored else EMPTY_HISTORY
    commits = {entry.version: entry.commit_sha for entry in reversed(known.entries) if entry.commit_sha}
    if all(entry.version in commits for entry in history.entries):
        return commits
    for commit, data in repo.commits_of(metadata_path(table), tip):
        commits.setdefault(
            metadata_sha(parse_metadata(data, f"{metadata_path(table)} at {commit[:8]}").document), commit
        )
    return commits


def _look(store: Store, key: str) -> tuple[bytes, ObjectInfo] | None:
    try:
        return store.get_with_info(key)
    except ObjectMissing:
        return None


def _put(store: Store, key: str, text: str, seen: dict[str, tuple[bytes, ObjectInfo] | None]) -> None:
    """Replace a pointer by `text`, provided it still is what was seen; one that says so already stays untouched."""
    found, body = seen[key], _ended(store, text)
    if found is None:
        store.put(key, body, if_absent=True, content_type=_JSON)
    elif found[0] != body:
        store.put(key, body, if_match=found[1].etag, content_type=_JSON)


def _text(repo: DataRepo, path: str, tip: str) -> str:
    return (repo.read(path, tip) or b"").decode().rstrip("\n")


def _ended(store: Store, text: str) -> bytes:
    return text.encode() + store.document_suffix


def _read_stored_manifest(store: Store) -> Manifest | None:
    found = _look(store, MANIFEST_KEY)
    return parse_manifest(found[0], f"{MANIFEST_KEY} in {store.url}") if found else None


def _is_stored(store: Store, key: str) -> bool:
    try:
        store.head(key)
    except ObjectMissing:
        return False
    return True
