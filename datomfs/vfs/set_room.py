"""A set, which lists its versions, and a version of one: its members, each a link to a pin.

A set is opened by nobody as a data set, so there is no harm in listing all versions (design.md §2).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from cachetools import LRUCache

from datomfs.errors import RecordedMissing, VersionNotFound
from datomfs.layout import parse_version_directory_name, version_directory_name
from datomfs.model.sets import Member
from datomfs.vfs.member_names import name_members
from datomfs.vfs.nodes import MemberLink, Node, SetDir, SetVersionDir
from datomfs.vfs.room import Entries, Listings
from datomfs.vfs.set_source import SetSource
from datomfs.vfs.source import Source, TableView, VersionView

log = logging.getLogger(__name__)

_VERSIONS = 256
"""Of how many versions, those looked at last, the names of members stay in memory."""


class SetRoom:
    """Sets."""

    def __init__(self, sets: SetSource) -> None:
        self._sets = sets
        self._listings: Listings[SetDir] = Listings()

    async def find(self, directory: SetDir, name: str) -> Node | None:
        """A version. Raises VersionNotFound, VersionAmbiguous, RecordedMissing."""
        prefix = parse_version_directory_name(name)
        if prefix is None:
            return None
        try:
            version = (await self._sets.view(directory.project, directory.name)).resolve(prefix)
        except VersionNotFound:  # it may have been written just now
            version = (await self._sets.view(directory.project, directory.name, fresh=True)).resolve(prefix)
        if version.size is None:
            raise RecordedMissing(f"the payload of {directory.project}/{directory.name}@{version.version[:8]}")
        return _version_directory(directory, version)

    async def entries(self, directory: SetDir) -> Entries:
        """All versions whose members the store has."""
        view = await self._sets.view(directory.project, directory.name)
        return self._listings.of(directory, view, lambda: _list_versions(directory, view))


class SetVersionRoom:
    """Versions of sets. What a version holds never changes, so neither do the names of its members."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._members: LRUCache[SetVersionDir, Mapping[str, Member]] = LRUCache(_VERSIONS)

    async def find(self, directory: SetVersionDir, name: str) -> Node | None:
        """The member of that name."""
        member = (await self.members(directory)).get(name)
        return MemberLink(directory, name, member.id) if member else None

    async def entries(self, directory: SetVersionDir) -> Entries:
        """All members, in the order of the payload."""
        members = await self.members(directory)
        return [(name, MemberLink(directory, name, member.id)) for name, member in members.items()]

    def known_members(self, directory: SetVersionDir) -> Mapping[str, Member]:
        """The members by name, if the directory was looked into; else none. Asks nobody."""
        return self._members.get(directory, {})

    async def members(self, directory: SetVersionDir) -> Mapping[str, Member]:
        """The members by name."""
        known = self._members.get(directory)
        if known is not None:
            return known
        content = await self._source.sets.content(directory.project, directory.name, directory.version)
        where = f"{directory.project}/{directory.name}@{directory.version[:8]}"
        members = name_members(content.members, where)
        absent = {member.id.project for member in members.values()}.difference(await self._source.projects())
        for project in sorted(absent):
            log.info("%s has members of project %s, which is not in this mount", where, project)
        return self._members.setdefault(directory, members)


def _list_versions(directory: SetDir, view: TableView) -> Entries:
    return [
        (version_directory_name(view.short(each.version)), _version_directory(directory, each))
        for each in view.versions
        if each.size is not None
    ]


def _version_directory(directory: SetDir, version: VersionView) -> SetVersionDir:
    return SetVersionDir(directory.project, directory.name, version.version, version.time_ns)
