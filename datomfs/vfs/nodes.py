"""The things a mount is made of, each with an inode that is the same in every mount on every machine.

A node is named by what it stands for (a version of a table of a project), so its inode can be computed from that name
and needs no table on disk. `Attrs` is what a node looks like at a moment.
"""

from __future__ import annotations

import functools
import hashlib
import stat
from dataclasses import dataclass

from datomfs.model.sets import MemberId

ROOT_INODE = 1
_INODE_BITS = 63  # tools that keep an inode in a signed 64-bit number see no negative one
_FIRST_FREE_INODE = 2
_KNOWN_INODES = 1 << 16


@dataclass(frozen=True, slots=True)
class Root:
    """The mountpoint: a directory of projects."""


@dataclass(frozen=True, slots=True)
class ProjectDir:
    """A project: links to its tables' current versions, and a directory per table."""

    project: str


@dataclass(frozen=True, slots=True)
class TableDir:
    """A table: its versions."""

    project: str
    table: str


@dataclass(frozen=True, slots=True)
class TableLink:
    """`TABLE.parquet`: a relative link to the pin of the current version."""

    project: str
    table: str


@dataclass(frozen=True, slots=True)
class AsOfDir:
    """A project as of a moment: `when` is the moment as it was written, `time_ns` its last nanosecond."""

    project: str
    when: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class AsOfLink:
    """`TABLE.parquet` in such a directory: a relative link to the pin of the version it had, and that one's time."""

    directory: AsOfDir
    table: str
    version: str
    time_ns: int

    @property
    def project(self) -> str:
        """The project it is in."""
        return self.directory.project


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """One version of a table as a regular file; size in bytes and time are those of the version, for good."""

    project: str
    table: str
    version: str
    size: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class SetDir:
    """A set: its versions."""

    project: str
    name: str


@dataclass(frozen=True, slots=True)
class SetVersionDir:
    """One version of a set: links to its members. Its time is that of the version, for good."""

    project: str
    name: str
    version: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class MemberLink:
    """A member in a version of a set, under the name it has there: a relative link to the pin of that member."""

    directory: SetVersionDir
    name: str
    member: MemberId


@dataclass(frozen=True, slots=True)
class DocumentsDir:
    """`.datom`: the documents of a project, and a directory for those of each table and set."""

    project: str


@dataclass(frozen=True, slots=True)
class ArtifactDocumentsDir:
    """The documents of a table or a set."""

    project: str
    artifact: str


@dataclass(frozen=True, slots=True)
class VersionsDir:
    """All versions of a table or a set, as links with dates in their names."""

    project: str
    artifact: str


@dataclass(frozen=True, slots=True)
class VersionLink:
    """One of them; its time is that of the version."""

    project: str
    artifact: str
    is_set: bool
    version: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class DocumentFile:
    """A document of a project, or of one of its tables and sets: a file whose content may change."""

    project: str
    artifact: str | None
    name: str


Link = TableLink | MemberLink | VersionLink | AsOfLink
Directory = (
    Root | ProjectDir | TableDir | SetDir | SetVersionDir | DocumentsDir | ArtifactDocumentsDir | VersionsDir | AsOfDir
)
Node = Directory | Link | PayloadFile | DocumentFile


@dataclass(frozen=True, slots=True)
class Attrs:
    """What `stat` shows of a node, and for how many seconds the kernel may believe it."""

    inode: int
    mode: int
    size: int
    time_ns: int
    ttl_s: float


@functools.lru_cache(_KNOWN_INODES)
def inode_of(node: Node) -> int:
    """The inode of a node: 1 for the root, else 63 bits of a hash of what it stands for.

    With a million nodes the chance that any two share one is 1 in 18 million.
    """
    parts: tuple[str, ...]
    match node:
        case Root():
            return ROOT_INODE
        case ProjectDir(project):
            parts = ("directory", project)
        case TableDir(project, table):
            parts = ("directory", project, table)
        case TableLink(project, table):
            parts = ("link", project, table)
        case AsOfDir(project, when):
            parts = ("moment", project, when)
        case AsOfLink(AsOfDir(project, when), table):
            parts = ("moment", project, when, table)
        case PayloadFile(project, table, version):
            parts = ("payload", project, table, version)
        case SetDir(project, name):
            parts = ("set", project, name)
        case SetVersionDir(project, name, version):
            parts = ("set", project, name, version)
        case MemberLink(SetVersionDir(project, set_name, version), name):
            parts = ("member", project, set_name, version, name)
        case DocumentsDir(project):
            parts = ("documents", project)
        case ArtifactDocumentsDir(project, artifact):
            parts = ("documents", project, artifact)
        case VersionsDir(project, artifact):
            parts = ("versions", project, artifact)
        case VersionLink(project, artifact, _, version):
            parts = ("version", project, artifact, version)
        case DocumentFile(project, artifact, name):
            parts = ("document", project, artifact or "", name)
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest()
    return max(_FIRST_FREE_INODE, int.from_bytes(digest) >> (64 - _INODE_BITS))


def mode_of(node: Node) -> int:
    """Type and permissions: directories 0555, files 0444, links as links are."""
    match node:
        case PayloadFile() | DocumentFile():
            return stat.S_IFREG | 0o444
        case TableLink() | MemberLink() | VersionLink() | AsOfLink():
            return stat.S_IFLNK | 0o777
        case _:
            return stat.S_IFDIR | 0o555
