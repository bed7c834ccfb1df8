"""The two roads to a project's documents, held against each other: what differs, and what mends it.

git is the truth and storage its mirror (design.md §4). Compared are the manifest's rows, and of each artifact the
current metadata and the history; and whether the store has the snapshot and the payload of each version that git names.
What is in the bytes is not looked at: every reader does that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields

from datomfs.catalog.catalog import Catalog
from datomfs.errors import DocumentError, IntegrityError, ProjectNotFound
from datomfs.layout import MANIFEST_KEY, metadata_key, payload_key, set_payload_key, snapshot_key
from datomfs.model.history import History
from datomfs.model.manifest import Manifest, ManifestRow
from datomfs.model.metadata import Metadata, parse_metadata

_SHOWN = 3
"""How many versions a difference names."""

PULL = "run `datomfs pull` in a clone: it publishes what git has and the store lacks"
REPUBLISH = "publish all documents again, in R: datom_validate(conn, fix = TRUE)"
RESTORE = "restore the object from a backup of the store: git does not hold it"
ASK_GIT = "look for commits that were pushed over or to another branch: the store has what git has not"
MEND = "mend the document in git, or restore it from an older commit; then publish it"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the two roads tell differently: of an artifact, or of the project where that is None."""

    artifact: str | None
    found: str
    way_out: str


def compare(git: Catalog, storage: Catalog) -> tuple[Difference, ...]:
    """What differs between the documents that are read along two roads; nothing where they tell the same.

    Raises AccessError where one of them cannot be read.
    """
    try:
        ours = git.read_manifest()
    except (ProjectNotFound, DocumentError) as error:
        return (Difference(None, f"in git: {error.what}", MEND),)
    try:
        theirs = storage.read_manifest()
    except (ProjectNotFound, DocumentError) as error:
        return (Difference(None, f"in the store: {error.what}", PULL),)
    stored = {info.key for info in storage.store.list()}
    found: list[Difference] = []
    for name in sorted({*ours.rows, *theirs.rows}):
        found += _compare_artifact(name, ours, theirs, git, storage, stored)
    return tuple(found)


def _compare_artifact(
    name: str, ours: Manifest, theirs: Manifest, git: Catalog, storage: Catalog, stored: Collection[str]
) -> Iterator[Difference]:
    row, their_row = ours.rows.get(name), theirs.rows.get(name)
    if row is None:
        yield Difference(name, f"the manifest in git does not name it, {MANIFEST_KEY} in the store does", ASK_GIT)
        return
    is_behind = their_row != row
    if their_row is None:
        yield Difference(name, f"{MANIFEST_KEY} in the store does not name it", PULL)
    elif is_behind:
        yield Difference(name, f"the manifests' rows differ in {_differing(row, their_row)}", PULL)
    # What the next publishing replaces anyway is mended by it; what the manifests agree on is not looked at again.
    mend = PULL if is_behind else REPUBLISH
    try:
        history, metadata = git.read_history(name), _read_metadata(git, name)
    except (DocumentError, IntegrityError) as error:
        yield Difference(name, f"in git: {error.what}", MEND)
        return
    yield from _compare_metadata(name, metadata, storage, mend)
    yield from _compare_histories(name, history, storage, mend)
    yield from _find_missing(name, row.kind, history, stored, row.current_version if is_behind else None)


def _compare_metadata(name: str, metadata: Metadata, storage: Catalog, mend: str) -> Iterator[Difference]:
    try:
        theirs = _read_metadata(storage, name)
    except (DocumentError, IntegrityError) as error:
        yield Difference(name, f"in the store: {error.what}", mend)
        return
    if metadata.document != theirs.document:
        names = sorted(
            field
            for field in {*metadata.document, *theirs.document}
            if metadata.document.get(field) != theirs.document.get(field)
        )
        yield Difference(name, f"the current metadata differs in {', '.join(names)}", mend)


def _compare_histories(name: str, history: History, storage: Catalog, mend: str) -> Iterator[Difference]:
    try:
        theirs = storage.read_history(name)
    except (DocumentError, IntegrityError) as error:
        yield Difference(name, f"in the store: {error.what}", mend)
        return
    our_entries, their_entries = _entries(history), _entries(theirs)
    missing = [version for version in our_entries if version not in their_entries]
    extra = [version for version in their_entries if version not in our_entries]
    changed = [
        version
        for version, entry in our_entries.items()
        if version in their_entries and their_entries[version] != entry
    ]
    if missing:
        yield Difference(name, f"the store's history lacks {_named(missing)}", mend)
    if extra:
        yield Difference(name, f"git's history lacks {_named(extra)}", ASK_GIT)
    if changed:
        yield Difference(name, f"the entries of the histories differ for {_named(changed)}", mend)


def _find_missing(
    name: str, kind: str, history: History, stored: Collection[str], pending: str | None
) -> Iterator[Difference]:
    """What the store has not of the versions that git names; `pending` is the one that has not been published yet."""
    build = payload_key if kind == "table" else set_payload_key
    snapshots = [
        entry.version
        for entry in history.entries
        if entry.version != pending and snapshot_key(name, entry.version) not in stored
    ]
    payloads = [entry.version for entry in history.entries if build(name, entry.data_sha) not in stored]
    if snapshots:
        yield Difference(name, f"the store lacks the snapshot of {_named(snapshots)}", RESTORE)
    if payloads:
        yield Difference(name, f"the store lacks the bytes of {_named(payloads)}", RESTORE)


def _read_metadata(catalog: Catalog, name: str) -> Metadata:
    """The current metadata of an artifact of any kind, for who knows that it is one. Raises IntegrityError."""
    key = metadata_key(name)
    return parse_metadata(catalog.get_recorded(key), catalog.documents.where(key))


def _entries(history: History) -> Mapping[str, Mapping[str, object]]:
    """The entries by their versions, without what only the copy in a store records (format.md §4.5)."""
    return {
        entry.version: {field: value for field, value in document.items() if field != "commit_sha"}
        for entry, document in zip(reversed(history.entries), reversed(history.documents), strict=True)
    }


def _differing(ours: ManifestRow, theirs: ManifestRow) -> str:
    names = [field.name for field in fields(ours) if getattr(ours, field.name) != getattr(theirs, field.name)]
    return ", ".join(names)


def _named(versions: Collection[str]) -> str:
    shown = [version[:8] for version in versions][:_SHOWN]
    more = len(versions) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
