"""The tree itself: names to nodes, nodes to attributes, listings, links and bytes (design.md §2).

`mount.operations` decodes what the kernel asks, calls here, and translates the answer. What a directory holds is the
business of its room (`vfs.room`). All methods run in one thread; what stands between two awaits happens at once, so
the inode table needs no lock.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast

from datomfs.errors import NotFound, PayloadResized
from datomfs.vfs.as_of_room import AsOfRoom
from datomfs.vfs.attributes import Attributes
from datomfs.vfs.documents_room import ArtifactDocumentsRoom, DocumentsRoom, VersionsRoom
from datomfs.vfs.links import Links
from datomfs.vfs.nodes import (
    ROOT_INODE,
    ArtifactDocumentsDir,
    AsOfDir,
    AsOfLink,
    Attrs,
    Directory,
    DocumentFile,
    DocumentsDir,
    Link,
    MemberLink,
    Node,
    PayloadFile,
    ProjectDir,
    Root,
    SetDir,
    SetVersionDir,
    TableDir,
    TableLink,
    VersionLink,
    VersionsDir,
    inode_of,
    mode_of,
)
from datomfs.vfs.project_room import PortfolioRoom, ProjectRoom
from datomfs.vfs.room import Room
from datomfs.vfs.set_room import SetRoom, SetVersionRoom
from datomfs.vfs.source import Handle, Source
from datomfs.vfs.table_room import TableRoom

log = logging.getLogger(__name__)

_SECOND_NS = 1_000_000_000
PIN_TTL_S = 3600.0
"""For how long the kernel may believe what it was told of a pin: nothing about it ever changes."""


_Moving = (
    ProjectDir
    | TableDir
    | TableLink
    | SetDir
    | AsOfLink
    | DocumentsDir
    | ArtifactDocumentsDir
    | VersionsDir
    | VersionLink
)


class Tree:
    """One mount's tree. `refresh_s` bounds how long a moving name may be believed, `time_ns` dates the root.

    One that `is_locked` has neither moments nor documents: a lock says nothing of them.
    """

    def __init__(
        self, source: Source, *, refresh_s: float, list_versions: bool, time_ns: int, is_locked: bool = False
    ) -> None:
        self._source = source
        self._refresh_s = refresh_s
        self._time_ns = time_ns
        self._moments = AsOfRoom(source)
        self._projects = ProjectRoom(source, self._moments, is_locked=is_locked)
        self._links = Links(source, self._projects)
        set_versions = SetVersionRoom(source)
        self._attributes = Attributes(source, set_versions)
        self._rooms: Mapping[type[Node], Room[Any]] = {
            Root: PortfolioRoom(source),
            ProjectDir: self._projects,
            TableDir: TableRoom(source, list_versions=list_versions),
            SetDir: SetRoom(source.sets),
            SetVersionDir: set_versions,
            DocumentsDir: DocumentsRoom(source),
            ArtifactDocumentsDir: ArtifactDocumentsRoom(source),
            VersionsDir: VersionsRoom(source),
            AsOfDir: self._moments,
        }
        self._nodes: dict[int, Node] = {ROOT_INODE: Root()}
        self._lookups: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        """Of payloads that were opened: what the kernel is told from then on, whatever a listing says."""

    # -- names -----------------------------------------------------------------------------------------------------

    async def lookup(self, parent: int, name: str) -> Attrs:
        """The node of that name in a directory, remembered until the kernel forgets it. Raises NotFound."""
        directory, room = self._directory(parent)
        node = await room.find(directory, name)
        if node is None:
            raise NotFound
        self.remember(node)
        return self._attrs(node)

    def remember(self, node: Node) -> None:
        """Count one lookup of a node: the kernel knows its inode from now on."""
        inode = inode_of(node)
        self._nodes[inode] = node
        self._lookups[inode] = self._lookups.get(inode, 0) + 1

    def forget(self, inode: int, count: int) -> None:
        """Take `count` lookups back; at none the kernel has forgotten the inode and so do we."""
        left = self._lookups.get(inode, 0) - count
        if left > 0:
            self._lookups[inode] = left
        elif inode != ROOT_INODE:
            self._lookups.pop(inode, None)
            self._nodes.pop(inode, None)
            self._sizes.pop(inode, None)

    def moving_inodes(self, project: str) -> Sequence[int]:
        """What the kernel knows of a project apart from its pins."""
        return [inode for inode, node in self._nodes.items() if isinstance(node, _Moving) and node.project == project]

    def getattr(self, inode: int) -> Attrs:
        """What a known inode looks like, as far as is known: asks nobody."""
        return self._attrs(self._nodes[inode])

    def listxattr(self, inode: int) -> Sequence[str]:
        """The names of a known inode's extended attributes: asks nobody."""
        return self._attributes.names(self._nodes[inode])

    async def getxattr(self, inode: int, name: str) -> bytes:
        """An extended attribute of a known inode. Raises AttributeNotFound, AttributeForeign."""
        return (await self._attributes.value(self._nodes[inode], name)).encode()

    async def readdir(self, inode: int) -> Sequence[tuple[str, Node, Attrs]]:
        """What a directory lists, by name. What only resolves (older versions) is not in it."""
        directory, room = self._directory(inode)
        return [(name, node, self._attrs(node)) for name, node in await room.entries(directory)]

    async def readlink(self, inode: int) -> str:
        """Where a link points: to a pin, with as many digits as tell the version."""
        link = self._nodes[inode]
        if not isinstance(link, Link):
            raise NotADirectoryError(inode)
        if isinstance(link, TableLink):
            await self._source.project(link.project)
        if isinstance(link, AsOfLink):
            link = self._nodes[inode] = await self._moments.renew(link)
        return self._links.target(link)

    # -- bytes -----------------------------------------------------------------------------------------------------

    def has_failed(self, inode: int) -> bool:
        """Whether bytes of a payload were given that turned out not to be the recorded ones."""
        node = self._nodes[inode]
        return isinstance(node, PayloadFile) and self._source.has_failed(node.project, node.table, node.version)

    def is_document(self, inode: int) -> bool:
        """Whether a file is one whose content, and with it its size, may be another the next time it is opened."""
        return isinstance(self._nodes[inode], DocumentFile)

    async def open(self, inode: int) -> Handle:
        """A payload, proven, or a document as it is now. Raises IntegrityError, AccessError, DocumentError.

        PayloadResized says that the kernel has been told another size, as a listing may on a bad day of its store, and
        that another lookup tells it the right one.
        """
        node = self._nodes[inode]
        if isinstance(node, DocumentFile):
            return await self._source.documents.open(node)
        if not isinstance(node, PayloadFile):
            raise IsADirectoryError(inode)
        handle = await self._source.open(node.project, node.table, node.version)
        size = self._source.size(handle)
        if size != self._sizes.setdefault(inode, node.size):
            # The kernel reads no further than it was told, for as long as it believes that.
            self._source.close(handle)
            told, self._sizes[inode] = self._sizes[inode], size
            raise PayloadResized(f"{node.project}/{node.table}@{node.version[:8]}", told, size)
        return handle

    async def read(self, handle: Handle, offset: int, length: int) -> bytes | bytearray:
        """Bytes of an open payload; empty from its end on."""
        return await self._source.read(handle, offset, length)

    def close(self, handle: Handle) -> None:
        """Give an open payload back."""
        self._source.close(handle)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _directory(self, inode: int) -> tuple[Directory, Room[Any]]:
        node = self._nodes[inode]
        room = self._rooms.get(type(node))
        if room is None:
            raise NotADirectoryError(inode)
        return cast("Directory", node), room

    def _attrs(self, node: Node) -> Attrs:
        size, time_ns, ttl_s = 0, self._time_ns, self._refresh_s
        match node:
            case Root():
                pass
            case ProjectDir(project) | DocumentsDir(project):
                view = self._source.known_project(project)
                # A project that nobody has looked into yet is dated like the mount, and only until it is.
                believed_s = min(ttl_s, self._source.believed_s(project), self._source.believed_s(None))
                time_ns, ttl_s = (view.time_ns, believed_s) if view else (time_ns, 0.0)
            case (
                TableDir(project, name)
                | SetDir(project, name)
                | ArtifactDocumentsDir(project, name)
                | VersionsDir(project, name)
            ):
                time_ns = self._projects.current(project, name).time_ns
                ttl_s = min(ttl_s, self._source.believed_s(project))
            case TableLink(project, table):
                time_ns = self._projects.current(project, table).time_ns
                ttl_s = min(ttl_s, self._source.believed_s(project))
                size = len(self._links.target(node).encode())
            case SetVersionDir():
                time_ns, ttl_s = node.time_ns, PIN_TTL_S
            case VersionLink():
                size, time_ns = len(self._links.target(node).encode()), node.time_ns
            case DocumentFile():
                size, time_ns, ttl_s = self._document(node)
            case MemberLink(directory):
                size, time_ns = len(self._links.target(node).encode()), directory.time_ns
            case AsOfDir():
                # Nothing about it changes but what is in it. Whole seconds, for many take times for floating numbers,
                # in which the last nanosecond of a day is the next; and not every system knows times before 1970.
                time_ns, ttl_s = max(0, node.time_ns // _SECOND_NS * _SECOND_NS), PIN_TTL_S
            case AsOfLink():
                size, time_ns = len(self._links.target(node).encode()), node.time_ns
                ttl_s = min(ttl_s, self._source.believed_s(node.project))
            case PayloadFile():
                size, time_ns, ttl_s = self._sizes.get(inode_of(node), node.size), node.time_ns, PIN_TTL_S
        return Attrs(inode_of(node), mode_of(node), size, time_ns, ttl_s)

    def _document(self, node: DocumentFile) -> tuple[int, int, float]:
        """Size, time and time to live of a document: the kernel is to ask each time, because the size may change."""
        view = self._source.known_project(node.project)
        current = view.find(node.artifact) if view and node.artifact else view
        return self._source.documents.known_size(node), current.time_ns if current else self._time_ns, 0.0
