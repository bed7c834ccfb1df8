"""One project as its store tells it: tables, histories, and the payload behind a version.

Documents come along the road that `catalog.documents` stands for, payloads from the store. Every method asks anew; who
wants to remember answers does that himself (`mount.live_source` by the clock). Safe to use from several threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter

from datomfs.catalog.documents import Documents, StoreDocuments
from datomfs.catalog.following import FollowingStore
from datomfs.errors import (
    DocumentInvalid,
    NotATable,
    ObjectMissing,
    ProjectNotFound,
    RecordedMissing,
    TableNotFound,
    VersionAmbiguous,
    VersionNotFound,
)
from datomfs.identity.metadata import metadata_sha
from datomfs.layout import (
    MANIFEST_KEY,
    artifact_prefix,
    documents_end,
    history_key,
    metadata_key,
    payload_key,
    snapshot_key,
)
from datomfs.model.history import History, HistoryEntry, parse_history
from datomfs.model.manifest import Manifest, parse_manifest
from datomfs.model.metadata import Metadata, parse_metadata
from datomfs.model.names import check_name, check_sha
from datomfs.store.base import ObjectInfo, ReadableStore


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One version of one table: what its history says, and the key of its bytes in the project's store."""

    project: str
    table: str
    entry: HistoryEntry
    key: str

    @property
    def version(self) -> str:
        """The full version, 64 hex digits."""
        return self.entry.version


@dataclass(frozen=True, slots=True)
class TableVersions:
    """The versions of one table, as its history alone tells them: all that a pin or a moment needs."""

    project: str
    name: str
    history: History

    def resolve(self, version: str) -> TableVersion:
        """The version with that prefix. Raises VersionNotFound, VersionAmbiguous, InvalidSha.

        A pinned version takes its hashes from its history entry, never from the current metadata (format.md §6).
        """
        matches = self.history.matching(check_sha(version))
        if not matches:
            raise VersionNotFound(self.project, self.name, version)
        if len(matches) > 1:
            raise VersionAmbiguous(self.project, self.name, version, tuple(entry.version for entry in matches))
        return self._version(matches[0])

    def as_of(self, time_ns: int) -> TableVersion | None:
        """The version that was the newest at a moment, or None where the history has none that old (design.md §2).

        That is the entry with the latest timestamp at or before `time_ns` nanoseconds since 1970; of several in one
        second the one that stands first. An entry without a timestamp that can be read is never it: nobody knows when
        it came. A revert to an older version adds no entry, so it is not seen. Whether the moment is over, so that the
        answer stays, is for the caller to check.
        """
        timed = ((entry.time_ns, entry) for entry in self.history.entries)
        known = [(entry_ns, entry) for entry_ns, entry in timed if 0 != entry_ns <= time_ns]
        # Of equals `max` takes the first.
        return self._version(max(known, key=itemgetter(0))[1]) if known else None

    def key(self, entry: HistoryEntry) -> str:
        """Where the bytes of an entry lie."""
        return payload_key(self.name, entry.data_sha)

    def _version(self, entry: HistoryEntry) -> TableVersion:
        return TableVersion(self.project, self.name, entry, self.key(entry))


@dataclass(frozen=True, slots=True)
class Table(TableVersions):
    """The state of one table: its versions and its current metadata, read together."""

    metadata: Metadata

    @property
    def current(self) -> HistoryEntry | None:
        """The entry of the current state, or None where the history lacks it.

        That is the version its metadata recomputes to, else the one R would report (format.md §6).
        """
        found = self.history.find(metadata_sha(self.metadata.document))
        if found is not None and found.data_sha == self.metadata.data_sha:
            return found
        same = [entry for entry in self.history.entries if entry.data_sha == self.metadata.data_sha]
        dated = [entry for entry in same if entry.timestamp == self.metadata.created_at]
        return next(iter(dated or same), None)

    def resolve(self, version: str | None) -> TableVersion:
        """The version with that prefix, or the current one; the errors of `TableVersions.resolve`.

        Raises DocumentInvalid where the history lacks the current one.
        """
        if version is not None:
            return TableVersions.resolve(self, version)
        current = self.current
        if current is None:
            raise DocumentInvalid(
                f"the history of {self.project}/{self.name}",
                f"it has no entry for the current data {self.metadata.data_sha[:8]}",
            )
        return self._version(current)


class Catalog:
    """The artifacts of one project. Methods raise the errors of its store, DocumentError, and what they name."""

    def __init__(self, project: str, store: ReadableStore, documents: Documents | None = None) -> None:
        self.project = check_name(project)
        self.store = store
        self.documents = documents or StoreDocuments(store)

    def follow(self) -> None:
        """Be where the project lies, as far as governance is known. Raises what reading its ref raises."""
        if isinstance(self.store, FollowingStore):
            self.store.follow()

    def refresh(self) -> None:
        """See to it that documents read from now on are no older than now. Raises AccessError."""
        self.documents.refresh()

    def read_manifest(self) -> Manifest:
        """The manifest. Raises ProjectNotFound when the store holds none, or that of another project."""
        manifest = self._find_manifest()
        if manifest is None:
            self.store.check()
            raise ProjectNotFound(self.project, f"{self.documents.url} holds no datom project")
        self._check_name(manifest.project_name)
        return manifest

    def read_table(self, table: str) -> Table:
        """Metadata and history of a table. Raises TableNotFound, NotATable, RecordedMissing."""
        metadata = self.read_metadata(table)
        if metadata.kind != "table":
            raise NotATable(self.project, table, metadata.kind)
        return Table(self.project, table, self.read_history(table), metadata)

    def read_metadata(self, table: str) -> Metadata:
        """The current metadata of a table or a set. Raises TableNotFound, RecordedMissing."""
        key = metadata_key(table)
        try:
            return parse_metadata(self.documents.get(key), self._where(key))
        except ObjectMissing as error:
            if table in self.read_manifest().rows:
                raise RecordedMissing(self._where(key)) from error
            raise TableNotFound(self.project, table) from error

    def read_versions(self, table: str) -> TableVersions:
        """The versions of a table, of one document, for who knows from the manifest that it is one.

        Nothing is checked but the history: what never was raises RecordedMissing as a lost history does, and a set
        gives versions without payloads. The history is without its documents.
        """
        return TableVersions(self.project, table, self.read_history(table).without_documents())

    def check_project(self, table: Table) -> None:
        """Raise ProjectNotFound where the store holds another project than the one it was taken for.

        A document of schema 2 names its project. An older one does not, and one from before a project was renamed
        names the old: there the manifest decides. For callers who have not read the manifest: R never does, and takes
        the name for a label.
        """
        if table.metadata.project != self.project:
            manifest = self._find_manifest()
            self._check_name(manifest.project_name if manifest else table.metadata.project)

    def read_history(self, table: str) -> History:
        """The history of an artifact. Raises RecordedMissing: without it no version can be read (format.md §15.1)."""
        key = history_key(table)
        return parse_history(self.get_recorded(key), self._where(key))

    def get_recorded(self, key: str) -> bytes:
        """A document that another one promises, as it was written. Raises RecordedMissing."""
        try:
            return self.documents.get(key)
        except ObjectMissing as error:
            raise RecordedMissing(self._where(key)) from error

    def read_snapshot(self, version: TableVersion) -> Metadata | None:
        """The metadata document of one version, or None: stores of older writers may lack it."""
        return self._find_snapshot(version.table, version.version)

    def find_metadata(self, name: str, version: str) -> Metadata | None:
        """The metadata document of a version, 64 digits, of a table or a set, or None.

        Where older writers left no snapshot the current document stands for its own version. Raises TableNotFound,
        RecordedMissing.
        """
        snapshot = self._find_snapshot(name, version)
        if snapshot is not None:
            return snapshot
        current = self.read_metadata(name)
        return current if metadata_sha(current.document) == version else None

    def _find_snapshot(self, name: str, version: str) -> Metadata | None:
        key = snapshot_key(name, version)
        try:
            return parse_metadata(self.documents.get(key), self._where(key))
        except ObjectMissing:
            return None

    def find_commit(self, table: str, version: str) -> str | None:
        """The git commit that first made a version (64 digits), or None where nobody can tell.

        Only for versions whose history entry has no commit_sha, as in a clone: git is walked through for it.
        """
        return self.documents.find_commit(table, version)

    def list_payloads(self, table: str) -> Mapping[str, ObjectInfo]:
        """Every payload of a table, or a set, by key, in one LIST: the only honest source of sizes (design.md §2).

        The documents' folder is passed over: it would count among the thousand entries of a page.
        """
        found = self.store.list(artifact_prefix(table), recursive=False, after=documents_end(table))
        return {info.key: info for info in found}

    def list_all_payloads(self) -> Mapping[str, Mapping[str, ObjectInfo]]:
        """The same for all tables at once, by table, in one LIST of the whole project, its documents included."""
        found: dict[str, dict[str, ObjectInfo]] = {}
        for info in self.store.list():
            table, _, file_name = info.key.partition("/")
            if file_name and "/" not in file_name:
                found.setdefault(table, {})[info.key] = info
        return found

    def uri(self, key: str) -> str:
        """The full address of an object, for people and for tools that read the store directly."""
        path = self.store.local_path(key)
        return str(path) if path is not None else f"{self.store.url}/datom/{key}"

    def _find_manifest(self) -> Manifest | None:
        try:
            return parse_manifest(self.documents.get(MANIFEST_KEY), self._where(MANIFEST_KEY))
        except ObjectMissing:
            return None

    def _check_name(self, found: str | None) -> None:
        if found not in (None, self.project):
            raise ProjectNotFound(self.project, f"{self.documents.url} holds {found!r}")

    def _where(self, key: str) -> str:
        return self.documents.where(key)
