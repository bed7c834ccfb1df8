"""The tree itself: names to nodes, nodes to attributes, listings, links and bytes (design.md §2).

`mount.operations` decodes what the kernel asks, calls here, and translates the answer. All methods run in one thread;
what stands between two awaits happens at once, so the inode table needs no lock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from cachetools import LRUCache

from datomfs.errors import (
    AttributeForeign,
    AttributeNotFound,
    NotFound,
    PayloadResized,
    ProjectNotFound,
    RecordedMissing,
    TableNotFound,
    VersionNotFound,
)
from datomfs.layout import (
    SHORT_VERSION_DIGITS,
    XATTR_NAMESPACE,
    parse_table_link_name,
    parse_version_file_name,
    table_link_name,
    version_file_name,
    xattr_name,
)
from datomfs.vfs.nodes import (
    ROOT_INODE,
    Attrs,
    Directory,
    Node,
    PayloadFile,
    ProjectDir,
    Root,
    TableDir,
    TableLink,
    inode_of,
    mode_of,
)
from datomfs.vfs.source import Current, Handle, ProjectView, Source, TableView, VersionView

log = logging.getLogger(__name__)

PIN_TTL_S = 3600.0
"""For how long the kernel may believe what it was told of a pin: nothing about it ever changes."""


_LISTINGS = 256


class Tree:
    """One mount's tree. `refresh_s` bounds how long a moving name may be believed, `time_ns` dates the root."""

    def __init__(self, source: Source, *, refresh_s: float, list_versions: bool, time_ns: int) -> None:
        self._source = source
        self._refresh_s = refresh_s
        self._list_versions = list_versions
        self._time_ns = time_ns
        self._nodes: dict[int, Node] = {ROOT_INODE: Root()}
        self._lookups: dict[int, int] = {}
        self._listings: LRUCache[Directory, tuple[object, list[tuple[str, Node]]]] = LRUCache(_LISTINGS)
        self._sizes: dict[int, int] = {}
        """Of payloads that were opened: what the kernel is told from then on, whatever a listing says."""

    # -- names -----------------------------------------------------------------------------------------------------

    async def lookup(self, parent: int, name: str) -> Attrs:
        """The node of that name in a directory, remembered until the kernel forgets it. Raises NotFound."""
        node = await self._find(self._directory(parent), name)
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

    def getattr(self, inode: int) -> Attrs:
        """What a known inode looks like, as far as is known: asks nobody."""
        return self._attrs(self._nodes[inode])

    def listxattr(self, inode: int) -> Sequence[str]:
        """The names of a known inode's extended attributes; only payloads have any."""
        return tuple(self._xattrs(inode))

    def getxattr(self, inode: int, name: str) -> bytes:
        """An extended attribute of a known inode. Raises AttributeNotFound, AttributeForeign.

        The two are kept apart because `ls -l` asks each file for its access list and its label, unless the first answer
        says that there are none on the whole file system: 1,000 versions took 105 ms instead of 17.
        """
        if not name.startswith(XATTR_NAMESPACE):
            raise AttributeForeign(name)
        value = self._xattrs(inode).get(name)
        if value is None:
            raise AttributeNotFound(name)
        return value.encode()

    async def readdir(self, inode: int) -> Sequence[tuple[str, Node, Attrs]]:
        """What a directory lists, by name. What only resolves (older versions) is not in it."""
        entries = await self._entries(self._directory(inode))
        return [(name, node, self._attrs(node)) for name, node in entries]

    async def readlink(self, inode: int) -> str:
        """Where a table's link points: `TABLE/@VERSION.parquet`, with as many digits as tell the version."""
        link = self._nodes[inode]
        if not isinstance(link, TableLink):
            raise NotADirectoryError(inode)
        return self._target(link, await self._source.project(link.project))

    # -- bytes -----------------------------------------------------------------------------------------------------

    def has_failed(self, inode: int) -> bool:
        """Whether bytes of a payload were given that turned out not to be the recorded ones."""
        node = self._nodes[inode]
        return isinstance(node, PayloadFile) and self._source.has_failed(node.project, node.table, node.version)

    async def open(self, inode: int) -> Handle:
        """A payload, proven. Raises IntegrityError, AccessError.

        PayloadResized says that the kernel has been told another size, as a listing may on a bad day of its store, and
        that another lookup tells it the right one.
        """
        node = self._nodes[inode]
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

    def _directory(self, inode: int) -> Directory:
        node = self._nodes[inode]
        if isinstance(node, PayloadFile | TableLink):
            raise NotADirectoryError(inode)
        return node

    async def _find(self, parent: Directory, name: str) -> Node:
        match parent:
            case Root():
                if name in await self._source.projects():
                    return ProjectDir(name)
            case ProjectDir(project):
                tables = (await self._source.project(project)).tables
                if name in tables:
                    return TableDir(project, name)
                table = parse_table_link_name(name)
                if table is not None and table in tables:
                    return TableLink(project, table)
            case TableDir(project, table):
                prefix = parse_version_file_name(table, name)
                if prefix is not None:
                    return _payload(project, table, await self._resolve(project, table, prefix))
        raise NotFound

    async def _resolve(self, project: str, table: str, prefix: str) -> VersionView:
        """The version of a prefix; one that is not known yet is looked for again: it may have been written just now."""
        try:
            return (await self._source.table(project, table)).resolve(prefix)
        except VersionNotFound:
            return (await self._source.table(project, table, fresh=True)).resolve(prefix)

    async def _entries(self, directory: Directory) -> list[tuple[str, Node]]:
        match directory:
            case Root():
                return [(name, ProjectDir(name)) for name in await self._source.projects()]
            case ProjectDir(project):
                view = await self._source.project(project)
                return self._listed(directory, view, lambda: _project_entries(project, view))
            case TableDir(project, table):
                return await self._version_entries(project, table)

    async def _version_entries(self, project: str, table: str) -> list[tuple[str, Node]]:
        """The current version alone, unless all are asked for: tools that read a directory unite what it lists."""
        if self._list_versions:
            view = await self._source.table(project, table)
            stored = [version for version in view.versions if version.size is not None]
            return self._listed(TableDir(project, table), view, lambda: _table_entries(project, table, view, stored))
        current = _current(await self._source.project(project), project, table)
        listed = [await self._resolve(project, table, current.version)]
        return _table_entries(project, table, await self._source.table(project, table), listed)

    def _listed(
        self, directory: Directory, view: object, list_entries: Callable[[], list[tuple[str, Node]]]
    ) -> list[tuple[str, Node]]:
        """The entries of a directory, made once for each view of it: a listing of a thousand is asked for again."""
        known = self._listings.get(directory)
        if known is None or known[0] is not view:
            known = self._listings[directory] = (view, list_entries())
        return known[1]

    def _target(self, link: TableLink, view: ProjectView) -> str:
        """The link's text. A table that was never looked into gets the usual 8 digits: to list a thousand tables must
        not read a thousand histories. Should 8 not be enough, following the link reads the history and says so, and
        from then on the link has more (docs/decisions/0005).
        """
        current = _current(view, link.project, link.table).version
        known = self._source.known_table(link.project, link.table)
        digits = known.short(current) if known else current[:SHORT_VERSION_DIGITS]
        return f"{link.table}/{version_file_name(digits)}"

    def _attrs(self, node: Node) -> Attrs:
        size, time_ns, ttl_s = 0, self._time_ns, self._refresh_s
        match node:
            case Root():
                pass
            case ProjectDir(project):
                view = self._source.known_project(project)
                # A project that nobody has looked into yet is dated like the mount, and only until it is.
                time_ns, ttl_s = (view.time_ns, ttl_s) if view else (time_ns, 0.0)
            case TableDir(project, table):
                time_ns = _current(self._known(project), project, table).time_ns
            case TableLink(project, table):
                view = self._known(project)
                time_ns = _current(view, project, table).time_ns
                size = len(self._target(node, view).encode())
            case PayloadFile():
                size, time_ns, ttl_s = self._sizes.get(inode_of(node), node.size), node.time_ns, PIN_TTL_S
        return Attrs(inode_of(node), mode_of(node), size, time_ns, ttl_s)

    def _xattrs(self, inode: int) -> Mapping[str, str]:
        node = self._nodes[inode]
        if not isinstance(node, PayloadFile):
            return {}
        standing = self._source.standing(node.project, node.table, node.version)
        return {xattr_name("verified"): standing.verified, xattr_name("cached"): str(standing.cached)}

    def _known(self, project: str) -> ProjectView:
        """The project's view; a node of a table exists only after it was read."""
        view = self._source.known_project(project)
        if view is None:
            raise ProjectNotFound(project, "it is not known yet")
        return view


def _project_entries(project: str, view: ProjectView) -> list[tuple[str, Node]]:
    return [
        entry
        for table in sorted(view.tables)
        for entry in ((table, TableDir(project, table)), (table_link_name(table), TableLink(project, table)))
    ]


def _table_entries(
    project: str, table: str, view: TableView, versions: Sequence[VersionView]
) -> list[tuple[str, Node]]:
    return [(version_file_name(view.short(each.version)), _payload(project, table, each)) for each in versions]


def _current(view: ProjectView, project: str, table: str) -> Current:
    if table not in view.tables:
        raise TableNotFound(project, table)
    return view.tables[table]


def _payload(project: str, table: str, version: VersionView) -> PayloadFile:
    if version.size is None:
        raise RecordedMissing(f"the payload of {project}/{table}@{version.version[:8]}")
    return PayloadFile(project, table, version.version, version.size, version.time_ns)
