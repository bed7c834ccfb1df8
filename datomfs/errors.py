"""Everything that can go wrong, as one tree.

    DatomfsError                     exit code   what the caller can do
    ├── UsageError                        2      correct what was typed or configured
    │   ├── InvalidName  InvalidSha  InvalidTarget  InvalidKey  ConfigInvalid  MomentNotOver
    │   ├── KeyUnusable
    ├── NotFound                          3      look with `datomfs ls` or `datomfs history`
    │   ├── ProjectNotFound  TableNotFound  VersionNotFound  VersionAmbiguous  FileMissing  NotATable
    │   ├── NothingThen  NothingNamed  NotPinned  AttributeNotFound  AttributeForeign
    ├── AccessError                       4      mend credentials, network, rights or space, then repeat
    │   ├── RefForbidden
    │   ├── StoreError
    │   │   ├── ObjectMissing  ObjectChanged  ObjectExists  StoreMissing  StoreDenied  StoreUnreachable
    │   ├── RemoteUnreachable  RemoteDenied  PublishPending
    │   ├── FileUnwritable  PathUnreadable  NoSpace  CacheUnusable  CacheFull
    │   └── MemoryShort
    ├── IntegrityError                    5      the bytes are not the recorded ones: ask whoever keeps the store
    │   ├── PayloadMismatch  RecordedMissing  PayloadResized  PayloadForeign  CacheDamaged  RoadsDiffer
    ├── DocumentError                     6      a document cannot be read by this release, or by anyone
    │   ├── DocumentInvalid  DocumentTooLarge  RefMissing  SchemaUnsupported  SchemaInvalid  VocabularyUnknown
    │   ├── WriterTooOld
    ├── DataRefused                       7      change the data, then write again
    │   ├── UnhashableColumns  EmptyTable  UnreadableFile  SourceChanged
    │   ├── FormatUnsupported  LossyImport
    ├── CloneError                        8      bring the clone in order, then repeat
    │   ├── NotAClone  CloneBusy  CloneDirty  CloneDiverged  CloneMismatch  RemoteRefused  WriteConflict
    │   └── DirectoryNotEmpty  RemoteNotEmpty  NamespaceOccupied
    └── MountError                        9      see the hint
        ├── MountpointMissing  MountpointNotEmpty  MountpointBusy  NotMounted  NotInAMount
        ├── UnmountBusy
        └── FuseMissing  MountExtraMissing  MountFailed  MountRefused  AllowOtherForbidden  MountUnreported

Errors carry fields; their text is made here and nowhere else: `message` says what is wrong and where, `hint` the
way out. Both are templates over the fields. No field ever holds a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(eq=False)
class DatomfsError(Exception):
    """The root: `str()` is the message and, on a second line, the way out."""

    exit_code: ClassVar[int] = 1
    message: ClassVar[str] = "something went wrong"
    hint: ClassVar[str] = ""

    @property
    def what(self) -> str:
        """The message alone, on one line."""
        return self.message.format_map(vars(self))

    @property
    def way_out(self) -> str:
        """The hint alone; empty when there is nothing useful to advise."""
        return self.hint.format_map(vars(self))

    def __str__(self) -> str:
        way_out = self.way_out
        return f"{self.what}\n{way_out}" if way_out else self.what


# -- usage ---------------------------------------------------------------------------------------------------------


class UsageError(DatomfsError):
    """What was typed or configured cannot be meant."""

    exit_code = 2


@dataclass(eq=False)
class InvalidName(UsageError):
    """A project or table name that breaks the name rule (format.md §1)."""

    name: str
    reason: str
    message = "{name!r} is not a legal name: {reason}"
    hint = "Names start with a letter and hold letters, digits, spaces, `_`, `-`, `(` and `)`, 128 at most."


@dataclass(eq=False)
class InvalidSha(UsageError):
    """A version or sha that is not 6 to 64 lowercase hex digits (format.md §1)."""

    value: str
    message = "{value!r} is not a version: 6 to 64 lowercase hex digits are needed"
    hint = "`datomfs history PROJECT/TABLE` lists the versions."


@dataclass(eq=False)
class InvalidTarget(UsageError):
    """A PROJECT/TABLE@VERSION that does not have that form."""

    text: str
    form: str
    message = "{text!r} does not have the form {form}"
    hint = "For example STUDY_001/dm, or STUDY_001/dm@8a3b21cc where a version is meant."


@dataclass(eq=False)
class InvalidKey(UsageError):
    """A storage key that would leave the namespace (format.md §1)."""

    key: str
    message = "{key!r} is not a key inside the store"


@dataclass(eq=False)
class ConfigInvalid(UsageError):
    """A setting that is unknown, of the wrong type, or contradicts another."""

    where: str
    reason: str
    message = "{where}: {reason}"


@dataclass(eq=False)
class MomentNotOver(UsageError):
    """A date that something is wanted as of, and that may still bring new versions."""

    when: str
    message = "{when} is not over yet: what it will show may still change"
    hint = "Name a moment that has passed (days end at midnight UTC), or none for the current versions."


@dataclass(eq=False)
class KeyUnusable(UsageError):
    """A column by which rows cannot be told from each other."""

    column: str
    reason: str
    message = "column {column!r} cannot be a key: {reason}"
    hint = "Name columns that both versions have and that have kept their kind; without --key rows go by position."


# -- not found -----------------------------------------------------------------------------------------------------


class NotFound(DatomfsError):
    """What was named does not exist, or names several things."""

    exit_code = 3


@dataclass(eq=False)
class ProjectNotFound(NotFound):
    """No project of that name in the configuration."""

    project: str
    where: str
    message = "no project {project!r}: {where}"
    hint = "`datomfs ls` lists the projects; `--store URL --project NAME` names one directly."


@dataclass(eq=False)
class TableNotFound(NotFound):
    """The project has no table of that name."""

    project: str
    table: str
    message = "no table {table!r} in project {project!r}"
    hint = "`datomfs ls {project}` lists its tables; names are case-sensitive."


@dataclass(eq=False)
class NotATable(NotFound):
    """The name exists, but is a set."""

    project: str
    table: str
    kind: str
    message = "{project}/{table} is a {kind}, not a table"
    hint = "`datomfs ls {project}` tells which are tables; a set is a folder in a mount."


@dataclass(eq=False)
class VersionNotFound(NotFound):
    """No version of the table starts with that prefix."""

    project: str
    table: str
    version: str
    message = "no version {version} of {project}/{table}"
    hint = "`datomfs history {project}/{table}` lists the versions."


@dataclass(eq=False)
class VersionAmbiguous(NotFound):
    """Several versions of the table start with that prefix."""

    project: str
    table: str
    version: str
    matches: tuple[str, ...]
    message = "{version} names several versions of {project}/{table}: {shown}"

    @property
    def shown(self) -> str:
        """The versions that match, 16 digits of each."""
        return ", ".join(match[:16] for match in self.matches)

    @property
    def what(self) -> str:
        return self.message.format(shown=self.shown, **vars(self))

    @property
    def way_out(self) -> str:
        if len(set(self.matches)) > 1:
            return "Give more digits."
        return "The history records this very version with different data: nobody can say which one is meant."


@dataclass(eq=False)
class NothingThen(NotFound):
    """A project or a table that had no version yet at a moment."""

    what_for: str
    when: str
    message = "{what_for} had no version at {when}"
    hint = "`datomfs history PROJECT/TABLE` tells when versions came."


@dataclass(eq=False)
class NothingNamed(NotFound):
    """Scripts in which no path of a known project was found."""

    files: tuple[str, ...]
    message = "nothing in {listed} names a file of a known project"
    hint = "Paths are found by the names of projects in them (`datomfs ls`), unless they are made when the script runs."

    @property
    def what(self) -> str:
        return self.message.format(listed=", ".join(self.files))


@dataclass(eq=False)
class NotPinned(NotFound):
    """Nothing that was named is pinned in the cache."""

    target: str
    message = "no pin of the cache is {target}"
    hint = "`datomfs cache status` lists the pins."


@dataclass(eq=False)
class FileMissing(NotFound):
    """A local file that was named is not there."""

    path: str
    message = "no file {path}"


@dataclass(eq=False)
class AttributeNotFound(NotFound):
    """Something in a mount has no extended attribute of that name."""

    name: str
    message = "no extended attribute {name!r}"


@dataclass(eq=False)
class AttributeForeign(NotFound):
    """An extended attribute of a namespace that a mount does not have: access lists, security labels."""

    name: str
    message = "no extended attribute {name!r}: there is none outside of user."


# -- access --------------------------------------------------------------------------------------------------------


class AccessError(DatomfsError):
    """A store, a remote or a disk did not let us."""

    exit_code = 4


@dataclass(eq=False)
class StoreError(AccessError):
    """A store said no. `store` is its URL, `key` the object or prefix asked for."""

    store: str
    key: str


class ObjectMissing(StoreError):
    """The store is there and has no such object."""

    message = "{store} has no object {key}"


class ObjectChanged(StoreError):
    """A conditional request failed: the object is not the one that was looked at."""

    message = "{key} in {store} was changed by somebody else meanwhile"
    hint = "Run the command again."


class ObjectExists(StoreError):
    """A put under `if_absent` found an object."""

    message = "{store} already has an object {key}"


@dataclass(eq=False)
class StoreMissing(StoreError):
    """The bucket or folder does not exist."""

    message = "the store {store} does not exist"
    hint = "Check the location; datomfs never creates a bucket, and a folder only at `init`."


@dataclass(eq=False)
class StoreDenied(StoreError):
    """The store refused: no right, wrong or expired credentials, or read-only."""

    reason: str
    message = "access to {key} in {store} was denied: {reason}"
    hint = "Check credentials, rights, and whether the place is read-only; then repeat."


@dataclass(eq=False)
class StoreUnreachable(StoreError):
    """The store did not answer, or answered with a fault of its own."""

    reason: str
    message = "{store} could not be reached: {reason}"
    hint = "Check network, endpoint and region; then repeat. Nothing was changed."


@dataclass(eq=False)
class RefForbidden(AccessError):
    """A ref that points into a folder of this machine which nobody allowed refs to point into."""

    project: str
    folder: str
    where: str
    message = "{where} places {project} in the folder {folder}, which is below no allowed root"
    hint = "If that folder is meant, name it or one above it with --allow-root, or as [gov] allow_roots."


@dataclass(eq=False)
class RemoteUnreachable(AccessError):
    """The git remote did not answer, or is not a repository."""

    remote: str
    reason: str
    message = "the git remote {remote} could not be reached: {reason}"
    hint = "Check the URL and the network; then repeat."


@dataclass(eq=False)
class RemoteDenied(AccessError):
    """The git remote wants other credentials."""

    remote: str
    reason: str
    message = "the git remote {remote} denied access: {reason}"
    hint = "Put a token with the right to push into the keyring entry GITHUB_PAT or the variable GITHUB_PAT."


@dataclass(eq=False)
class PublishPending(AccessError):
    """A version exists in git, and its documents did not all reach the store."""

    store: str
    reason: str
    message = "the version exists, but {store} could not be brought up to date: {reason}"
    hint = (
        "Mend that, then run `datomfs pull` in the clone: it completes the store. Readers see the older state so long."
    )


@dataclass(eq=False)
class FileUnwritable(AccessError):
    """A local file, or standard output, did not take what was to be written."""

    path: str
    reason: str
    message = "{path} cannot be written: {reason}"
    hint = "Mend that, or name another place, and repeat."


@dataclass(eq=False)
class PathUnreadable(AccessError):
    """Something in a mount that the mount could not tell of."""

    path: str
    reason: str
    message = "{path} cannot be looked at: {reason}"
    hint = "The mount's log says why; `datomfs status` tells how the mount does."


@dataclass(eq=False)
class NoSpace(AccessError):
    """A disk is full."""

    path: str
    message = "no space left on the disk of {path}"
    hint = "Free some space, then repeat. What was begun has been removed."


@dataclass(eq=False)
class CacheUnusable(AccessError):
    """The folder of the cache cannot be worked on."""

    path: str
    reason: str
    message = "the cache {path} cannot be used: {reason}"
    hint = "Check the rights on that folder and the room on its disk, or name another with --cache-dir."


@dataclass(eq=False)
class CacheFull(AccessError):
    """An object that was to be kept in the cache, and for which there is no room."""

    where: str
    path: str
    message = "{where} does not fit into the cache {path}"
    hint = "Make room with `datomfs cache evict` or `unpin`, raise [cache] size, or free space on the disk."


@dataclass(eq=False)
class MemoryShort(AccessError):
    """A file that needs more memory to be read than there is; told before it is read."""

    path: str
    needed: str
    available: str
    message = "reading {path} takes about {needed} of memory, and {available} are free"
    hint = "Free some, use a larger machine, or convert the file to parquet where there is one."


# -- integrity -----------------------------------------------------------------------------------------------------


class IntegrityError(DatomfsError):
    """The bytes in a store are not what the history recorded."""

    exit_code = 5


@dataclass(eq=False)
class PayloadMismatch(IntegrityError):
    """A payload's hash differs from the recorded one: it is never served."""

    where: str
    expected: str
    actual: str
    message = "{where} is not what was recorded: expected sha256 {expected}, found {actual}"
    hint = "The object was changed or damaged after it was written. Restore it from a backup; it is not served."


@dataclass(eq=False)
class RecordedMissing(IntegrityError):
    """A document names an object that the store lacks."""

    where: str
    message = "{where} is recorded but missing from the store"
    hint = "Restore the object from a backup: what a document names is never taken for absent."


@dataclass(eq=False)
class PayloadResized(IntegrityError):
    """A payload has another size than was told of it; who looks again is told the right one."""

    payload: str
    listed: int
    actual: int
    message = "{payload} was listed with {listed} bytes and has {actual}"
    hint = "Open it again. If that goes on, the store lists an object that is not the recorded one."


@dataclass(eq=False)
class PayloadForeign(IntegrityError):
    """An object stands where a new payload belongs, and holds other values."""

    where: str
    message = "{where} already exists and holds other values than its name says"
    hint = "No payload is ever overwritten. Look at the object and remove it if nothing refers to it."


@dataclass(eq=False)
class CacheDamaged(IntegrityError):
    """Objects of the cache were not what they were when they came."""

    path: str
    count: int
    message = "damaged objects in the cache {path}: {count}"
    hint = (
        "What was damaged has been dropped, and is fetched again when it is read. If it happens again, mind the disk."
    )


@dataclass(eq=False)
class RoadsDiffer(IntegrityError):
    """Projects of which git and the store tell differently."""

    names: tuple[str, ...]
    message = "git and the store do not tell the same of {listed}"
    hint = "Each difference is told with what mends it. Readers see what their own road tells."

    @property
    def what(self) -> str:
        return self.message.format(listed=", ".join(self.names))


# -- documents -----------------------------------------------------------------------------------------------------


class DocumentError(DatomfsError):
    """A metadata document cannot be used."""

    exit_code = 6


@dataclass(eq=False)
class DocumentInvalid(DocumentError):
    """A document does not parse, or lacks what it must hold."""

    where: str
    reason: str
    message = "{where} cannot be used: {reason}"
    hint = "Restore the document from git: the data repository holds every one of its states."


@dataclass(eq=False)
class DocumentTooLarge(DocumentError):
    """A document that is longer than any that is meant; both numbers are bytes."""

    where: str
    length: int
    limit: int
    message = "{where} has {length} bytes, and a document has {limit} at most"
    hint = "Look at who writes there. If all its versions are meant, begin a new project for the next ones."


@dataclass(eq=False)
class RefMissing(DocumentError):
    """A registered project without a ref: nobody can say where it lies."""

    project: str
    where: str
    message = "{project} is registered, but there is no {where}"
    hint = "Ask whoever keeps the governance repository to register the project anew."


@dataclass(eq=False)
class SchemaUnsupported(DocumentError):
    """A document of a newer schema than this release reads (format.md §5)."""

    where: str
    found: int
    supported: int
    message = "{where} is of schema version {found}; this release reads up to {supported}"
    hint = "Upgrade datomfs."


@dataclass(eq=False)
class SchemaInvalid(DocumentError):
    """A schema number that is no whole number of at least 1 (format.md §5)."""

    where: str
    found: str
    message = "{where} has the schema version {found}, which is not a whole number of at least 1"
    hint = "Restore the document from git: the data repository holds every one of its states."


@dataclass(eq=False)
class VocabularyUnknown(DocumentError):
    """Fields a writer of this release does not know and might lose (format.md §5, write door)."""

    where: str
    names: tuple[str, ...]
    message = "{where} holds fields this release does not know: {listed}"
    hint = "A newer release wrote it. Upgrade datomfs before writing; reading is not affected."

    @property
    def what(self) -> str:
        return self.message.format(where=self.where, listed=", ".join(self.names))


@dataclass(eq=False)
class WriterTooOld(DocumentError):
    """project.yaml asks for a newer writer (format.md §5, write door)."""

    needed: str
    ours: str
    message = "project.yaml asks for a writer of datom {needed}; this one is compatible with {ours}"
    hint = "Upgrade datomfs, or correct `min_writer_version` in .datom/project.yaml."


# -- data ----------------------------------------------------------------------------------------------------------


class DataRefused(DatomfsError):
    """The data cannot become a version; nothing was written."""

    exit_code = 7


@dataclass(eq=False)
class UnhashableColumns(DataRefused):
    """Columns without a datom-cv1 kind, all of them, as (column, reason) pairs (format.md §3.5)."""

    columns: tuple[tuple[str, str], ...]

    @property
    def what(self) -> str:
        count = len(self.columns)
        listed = "".join(f"\n  {name!r}: {reason}" for name, reason in self.columns)
        return f"{count} column{'s' if count > 1 else ''} cannot be hashed:{listed}"

    @property
    def way_out(self) -> str:
        return "Convert or drop them, then write again; nothing was written."


@dataclass(eq=False)
class EmptyTable(DataRefused):
    """No rows or no columns: such a table has no data_sha (format.md §3.1)."""

    rows: int
    columns: int
    message = "a table needs at least one row and one column; this one has {rows} rows and {columns} columns"
    hint = "Check how the file was made; nothing was written."


@dataclass(eq=False)
class UnreadableFile(DataRefused):
    """A local file that is not what it was taken for."""

    path: str
    reason: str
    message = "{path} cannot be read: {reason}"


@dataclass(eq=False)
class SourceChanged(DataRefused):
    """A local file changed while it was being read."""

    path: str
    message = "{path} was changed while it was being read"
    hint = "Wait until it is complete, then run the command again."


@dataclass(eq=False)
class FormatUnsupported(DataRefused):
    """A file whose ending names no format that R datom reads (format.md §1, errors of datom_sync)."""

    path: str
    formats: tuple[str, ...]

    @property
    def what(self) -> str:
        return f"{self.path} is in no format that can be read: {', '.join(self.formats)}"

    @property
    def way_out(self) -> str:
        return "Convert it to parquet or csv, or give it the ending of the format it has."


@dataclass(eq=False)
class LossyImport(DataRefused):
    """A file of which R would lose or change something, each as a sentence (format.md §3.7)."""

    path: str
    losses: tuple[str, ...]

    @property
    def what(self) -> str:
        return f"R would not read {self.path} as it stands:" + "".join(f"\n  {loss}" for loss in self.losses)

    @property
    def way_out(self) -> str:
        return "Mend the file (parquet loses nothing), or repeat with --as-r to take what R makes of it."


# -- clones --------------------------------------------------------------------------------------------------------


class CloneError(DatomfsError):
    """A clone, its remote or its project is not in a state to go on from."""

    exit_code = 8


@dataclass(eq=False)
class NotAClone(CloneError):
    """No data repository here."""

    path: str
    message = "{path} is not a clone of a datom data repository"
    hint = "Use `datomfs -C DIR …` with the clone's folder, or get one with `datomfs clone GITURL DIR`."


@dataclass(eq=False)
class CloneBusy(CloneError):
    """Another process works in the clone, or git left its lock behind."""

    path: str
    message = "another process is working in the clone {path}"
    hint = "Wait for it and repeat. If none runs, a killed git left a lock: {path}/.git/index.lock, or one in refs/."


@dataclass(eq=False)
class CloneDirty(CloneError):
    """Tracked files of the clone have uncommitted changes."""

    path: str
    files: tuple[str, ...]
    message = "the clone {path} has uncommitted changes: {listed}"
    hint = "Commit them, or discard them with `git checkout -- FILE`, then run the command again."

    @property
    def what(self) -> str:
        return self.message.format(path=self.path, listed=", ".join(self.files))


@dataclass(eq=False)
class CloneDiverged(CloneError):
    """Clone and remote both have commits the other lacks."""

    path: str
    ahead: int
    behind: int
    message = "the clone {path} and its remote have diverged: {ahead} commits here, {behind} there"
    hint = "Run `git pull --rebase` in the clone (for datom's JSON documents keep the remote's), then repeat."


@dataclass(eq=False)
class CloneMismatch(CloneError):
    """Two places that must agree do not."""

    where: str
    reason: str
    message = "{where}: {reason}"


@dataclass(eq=False)
class RemoteRefused(CloneError):
    """The remote took the push and said no (a hook, a protected branch, a lost race)."""

    remote: str
    reason: str
    message = "the remote {remote} refused the push: {reason}"
    hint = "The version does not exist yet. Mend what the remote names, then run the command again."


@dataclass(eq=False)
class WriteConflict(CloneError):
    """Somebody else wrote the same table while we did."""

    table: str
    message = "somebody else wrote a new version of {table!r} at the same time"
    hint = "Look at it with `datomfs history`, then run the command again if yours should follow it."


@dataclass(eq=False)
class DirectoryNotEmpty(CloneError):
    """A folder that would become a clone holds something already."""

    path: str
    message = "{path} is not empty"
    hint = "Name a new or empty folder."


@dataclass(eq=False)
class RemoteNotEmpty(CloneError):
    """`init` on a remote that has commits."""

    remote: str
    message = "the git remote {remote} already has commits"
    hint = "To work on an existing project use `datomfs clone GITURL DIR`."


@dataclass(eq=False)
class NamespaceOccupied(CloneError):
    """`init` on a store location that holds a project."""

    store: str
    message = "{store} already holds a datom project"
    hint = "Give each project a location of its own, for example a prefix: s3://bucket/prefix."


# -- mounts --------------------------------------------------------------------------------------------------------


class MountError(DatomfsError):
    """A mount could not be made or taken away."""

    exit_code = 9


@dataclass(eq=False)
class MountpointMissing(MountError):
    """The mountpoint does not exist or is no folder."""

    path: str
    message = "the mountpoint {path} is not a folder"
    hint = "Create it first: mkdir -p {path}"


@dataclass(eq=False)
class MountpointNotEmpty(MountError):
    """The mountpoint holds files, which a mount would hide."""

    path: str
    message = "the mountpoint {path} is not empty"
    hint = "Name an empty folder: a mount hides what is under it."


@dataclass(eq=False)
class MountpointBusy(MountError):
    """Something is mounted there already."""

    path: str
    message = "something is already mounted at {path}"
    hint = "Take it away with `datomfs unmount {path}`, or name another folder."


@dataclass(eq=False)
class NotMounted(MountError):
    """No datomfs mount at that path."""

    path: str
    message = "no datomfs mount at {path}"


@dataclass(eq=False)
class NotInAMount(MountError):
    """A path that lies in no datomfs mount."""

    path: str
    message = "{path} is in no datomfs mount"
    hint = "Name a file or a folder in one; `datomfs status` lists yours."


@dataclass(eq=False)
class MountRefused(MountError):
    """A mount that is there, and did not do what it was told."""

    path: str
    reason: str
    message = "the mount at {path} did not answer as it should: {reason}"
    hint = "Its log tells more; if its daemon has ended, take it away with `datomfs unmount {path}`."


@dataclass(eq=False)
class MountUnreported(MountError):
    """A datomfs mount whose daemon has written down nothing that this user can read."""

    path: str
    message = "nothing is known of the mount at {path}"
    hint = "Ask as the user who mounted it; its daemon may also have been started with other folders, or be starting."


@dataclass(eq=False)
class UnmountBusy(MountError):
    """Files in the mount are open."""

    path: str
    reason: str
    message = "{path} cannot be unmounted: {reason}"
    hint = "Close what uses it (`fuser -vm {path}` tells), or detach it with `datomfs unmount --lazy {path}`."


@dataclass(eq=False)
class FuseMissing(MountError):
    """The machine cannot mount: no /dev/fuse, or no fusermount3."""

    reason: str
    message = "this machine cannot mount: {reason}"
    hint = "Install `fuse3` and load the module `fuse`; in a container pass --device /dev/fuse."


@dataclass(eq=False)
class MountExtraMissing(MountError):
    """datomfs was installed without its extra `mount`."""

    module: str
    message = "mounting needs the Python package {module}, which is not installed"
    hint = "Install it with: pip install 'datomfs[mount]'"


@dataclass(eq=False)
class AllowOtherForbidden(MountError):
    """Somebody who is not root wants to let others into their mount, and root has not allowed that."""

    path: str
    message = "others may not be let into a mount: {path} has no line `user_allow_other`"
    hint = "Have root add that line, mount as root, or mount without --allow-other."


@dataclass(eq=False)
class MountFailed(MountError):
    """The daemon ended, or did not answer, before the mount was ready."""

    path: str
    reason: str
    message = "mounting {path} failed: {reason}"
    hint = "`datomfs mount --foreground` shows what happens."
