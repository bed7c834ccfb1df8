"""Extended attributes: which a node has, and what each says (docs/semantics.md, "getxattr, listxattr").

To list names asks nobody: newer releases of `ls -l` list those of every file. So names whose values have to be read
first are listed before anybody knows whether there are values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from datomfs.errors import AttributeForeign, AttributeNotFound
from datomfs.layout import XATTR_LIST_LIMIT, XATTR_NAME_LIMIT, XATTR_NAMESPACE, parse_xattr_name, xattr_name
from datomfs.model.sets import Tags
from datomfs.vfs.nodes import Node, PayloadFile, ProjectDir, SetVersionDir
from datomfs.vfs.set_room import SetVersionRoom
from datomfs.vfs.source import Source

_OF_BYTES = ("verified", "cached")
_OF_A_PROJECT = ("project", "location", "source", "checked_at", "table_count", "set_count")
_TAGS = "tags"
_MEMBER = "member."


class Attributes:
    """The extended attributes of one tree."""

    def __init__(self, source: Source, set_versions: SetVersionRoom) -> None:
        self._source = source
        self._set_versions = set_versions

    def names(self, node: Node) -> Sequence[str]:
        """The names of a node's attributes, as many as the kernel takes."""
        names, left = [], XATTR_LIST_LIMIT
        for field in self._fields(node):
            name = xattr_name(field)
            if len(name) > XATTR_NAME_LIMIT:
                continue
            left -= len(name) + 1
            if left < 0:
                break
            names.append(name)
        return names

    async def value(self, node: Node, name: str) -> str:
        """What an attribute says. Raises AttributeNotFound, AttributeForeign, and the errors of reading it.

        The two are kept apart because `ls -l` asks each file for its access list and its label, unless the first answer
        says that there are none on the whole file system: 1,000 versions took 105 ms instead of 17.
        """
        if not name.startswith(XATTR_NAMESPACE):
            raise AttributeForeign(name)
        field = parse_xattr_name(name)
        value = None if field is None else await self._find(node, field)
        if value is None:
            raise AttributeNotFound(name)
        return value

    def _fields(self, node: Node) -> Iterator[str]:
        match node:
            case PayloadFile(project, table, version):
                yield from self._recorded(project, table, version)
                yield from _OF_BYTES
            case SetVersionDir(project, name, version):
                yield from self._recorded(project, name, version)
                yield _TAGS
                yield from (_MEMBER + member for member in self._set_versions.known_members(node))
            case ProjectDir():
                yield from _OF_A_PROJECT

    def _recorded(self, project: str, name: str, version: str) -> Sequence[str]:
        facts = self._source.facts.known(project, name, version)
        return [*facts.known, *facts.unread] if facts else []

    async def _find(self, node: Node, field: str) -> str | None:
        match node:
            case PayloadFile(project, table, version):
                if field in _OF_BYTES:
                    return self._of_bytes(node)[field]
                if self._source.facts.known(project, table, version) is None:
                    await self._source.table(project, table)
                return await self._find_recorded(project, table, version, field)
            case SetVersionDir(project, name, version):
                if field == _TAGS:
                    return _render((await self._source.sets.content(project, name, version)).tags)
                if field.startswith(_MEMBER):
                    member = (await self._set_versions.members(node)).get(field.removeprefix(_MEMBER))
                    return _render(member.tags) if member else None
                if self._source.facts.known(project, name, version) is None:
                    await self._source.sets.view(project, name)
                return await self._find_recorded(project, name, version, field)
            case ProjectDir(project) if field in _OF_A_PROJECT:
                return (await self._source.facts.project(project)).get(field)
            case _:
                return None

    async def _find_recorded(self, project: str, name: str, version: str, field: str) -> str | None:
        facts = self._source.facts.known(project, name, version)
        if facts is not None and field in facts.unread:
            return (await self._source.facts.read(project, name, version)).get(field)
        return facts.known.get(field) if facts else None

    def _of_bytes(self, node: PayloadFile) -> Mapping[str, str]:
        standing = self._source.standing(node.project, node.table, node.version)
        return {"verified": standing.verified, "cached": str(standing.cached)}


def _render(tags: Tags) -> str:
    """Labels as JSON on one line, letters as they are."""
    return json.dumps(tags, ensure_ascii=False, separators=(",", ":"))
