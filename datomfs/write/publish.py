"""Mirroring git's documents to the store: immutable things first, pointers last (design.md §4, step 9).

Publishing always mirrors the remote's newest commit, whoever made it, and every pointer is replaced only as the one
that was looked at before that commit was fetched. So of two publishers at once neither can put an older state over a
newer: one of them is refused by the store, looks again, and finds the other's work done or repeats it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from datomfs.errors import (
    CloneMismatch,
    DatomfsError,
    DocumentInvalid,
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    PublishPending,
)
from datomfs.identity.commits import first_commits
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
from datomfs.model.manifest import Manifest, new_manifest, parse_manifest
from datomfs.model.metadata import parse_metadata
from datomfs.repo.data_repo import DataRepo
from datomfs.store.base import ObjectInfo, Store
from datomfs.write.state import read_manifest

log = logging.getLogger(__name__)

_ATTEMPTS = 10
_JSON = "application/json"


def follow_and_publish(repo: DataRepo, store: Store, commit: str, tables: Iterable[str]) -> None:
    """Bring the clone to a commit that was just pushed, and the store as well.

    Raises PublishPending for whatever goes wrong: the version exists, and the next `write` or `pull` does the rest.
    """
    try:
        repo.advance(commit)
        _publish(repo, store, tables)
    except DatomfsError as error:
        raise PublishPending(store.url, error.what) from error


def finish_publishing(repo: DataRepo, store: Store) -> tuple[str, ...]:
    """Mirror the tables that an earlier run pushed and could not publish; gives their names.

    The manifest is published last, so a store whose manifest agrees with git's lacks nothing. Raises CloneMismatch for
    a store that holds another project, and what keeps the store from being completed.
    """
    tip = repo.upstream
    if tip is None:
        return ()
    stored = _parse_stored(store, _look(store, MANIFEST_KEY))
    ready, _ = _sort_lagging(store, read_manifest(repo, tip), stored)
    if ready or stored is None:
        log.info("publishing what an earlier run left: %s", ", ".join(ready) or "the manifest")
        _publish(repo, store, ready)
    return ready


def _publish(repo: DataRepo, store: Store, tables: Iterable[str]) -> None:
    """Mirror these tables, all others whose rows the store does not have yet, and the manifest."""
    names = set(tables)
    for _ in range(_ATTEMPTS):
        keys = [key for name in names for key in (history_key(name), metadata_key(name))] + [MANIFEST_KEY]
        seen = {key: _look(store, key) for key in keys}
        repo.pull()
        tip = repo.upstream
        if tip is None:
            return
        ours, stored = read_manifest(repo, tip), _parse_stored(store, seen[MANIFEST_KEY])
        ready, waiting = _sort_lagging(store, ours, stored)
        if not names.issuperset(ready):  # a row must not be published before its table, and that was not looked at
            names.update(ready)
            continue
        try:
            for name in sorted(names.difference(waiting)):
                _publish_table(repo, store, name, tip, seen)
            text = _manifest_without(ours, stored, ready) if waiting else _text(repo, MANIFEST_PATH, tip)
            _put(store, MANIFEST_KEY, text, seen)
        except (ObjectChanged, ObjectExists):
            continue
        return
    raise ObjectChanged(store.url, MANIFEST_KEY)


def _sort_lagging(store: Store, ours: Manifest, stored: Manifest | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What git has and the store's manifest does not: what may be published, and what its own writer has yet to upload.

    R uploads after it pushes, and sets are R's altogether: who names those bytes before they are there names nothing.
    """
    if stored is not None and ours.project_name is not None and stored.project_name not in (None, ours.project_name):
        raise CloneMismatch(store.url, f"it holds the project {stored.project_name!r}, not {ours.project_name!r}")
    lagging = [name for name, row in ours.rows.items() if stored is None or stored.rows.get(name) != row]
    ready = tuple(
        name
        for name in lagging
        if ours.rows[name].kind == "table" and _is_stored(store, payload_key(name, ours.rows[name].current_data_sha))
    )
    return ready, tuple(name for name in lagging if name not in ready)


def _manifest_without(ours: Manifest, stored: Manifest | None, ready: Iterable[str]) -> str:
    """The store's manifest with the rows that are ready; what waits keeps the row it has."""
    updated_at = ours.updated_at or ""
    merged = stored or new_manifest(ours.project_name or "", updated_at)
    rows = ours.document["artifacts"]
    for name in ready:
        if isinstance(rows, dict) and isinstance(row := rows[name], dict):
            merged = merged.with_row(name, row, updated_at)
    return merged.render()


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
    try:
        known = parse_history(stored[0], history_key(table)) if stored else EMPTY_HISTORY
    except DocumentInvalid as error:
        log.warning("replacing a damaged document: %s", error.what)
        known = EMPTY_HISTORY
    commits = {entry.version: entry.commit_sha for entry in reversed(known.entries) if entry.commit_sha}
    newest = next((commits[entry.version] for entry in history.entries if entry.version in commits), None)
    # What is new first: git is walked whole (3 ms a commit) only where that does not tell.
    for after in (newest, None):
        if all(entry.version in commits for entry in history.entries):
            break
        path = metadata_path(table)
        commits = {**first_commits(repo.commits_of(path, after, tip), path), **commits}
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


def _parse_stored(store: Store, found: tuple[bytes, ObjectInfo] | None) -> Manifest | None:
    """The manifest that was looked at; None too for one that a writer left half-written: git has it whole."""
    if found is None:
        return None
    try:
        return parse_manifest(found[0], f"{MANIFEST_KEY} in {store.url}")
    except DocumentInvalid as error:
        log.warning("replacing a damaged document: %s", error.what)
        return None


def _is_stored(store: Store, key: str) -> bool:
    try:
        store.head(key)
    except ObjectMissing:
        return False
    return True
