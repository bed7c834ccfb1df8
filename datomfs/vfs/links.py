"""Where links point: always to a pin, always relative, with as many digits as tell the version where that is known."""

from __future__ import annotations

from datomfs.layout import SHORT_VERSION_DIGITS, version_directory_name, version_file_name
from datomfs.model.sets import MemberId
from datomfs.vfs.nodes import AsOfLink, Link, MemberLink, TableLink
from datomfs.vfs.project_room import ProjectRoom
from datomfs.vfs.source import Source


class Links:
    """The links of a tree. Asks nobody: to list a thousand members must not read a thousand histories.

    So a version of something that was never looked into gets the usual 8 digits (docs/decisions/0005).
    """

    def __init__(self, source: Source, projects: ProjectRoom) -> None:
        self._source = source
        self._projects = projects

    def target(self, link: Link) -> str:
        """The link's text."""
        match link:
            case TableLink():
                return self._projects.target(link)
            case MemberLink(directory, _, member):
                up = "../.." if member.project == directory.project else f"../../../{member.project}"
                return f"{up}/{member.name}/{self._pin(member)}"
            case AsOfLink(directory, table, version):
                return f"../{table}/{self._pin(MemberId(directory.project, table, 'table', version))}"

    def _pin(self, member: MemberId) -> str:
        """The name of a member's version in the directory of its artifact."""
        if member.kind == "table":
            known = self._source.known_table(member.project, member.name)
        else:
            known = self._source.sets.known_view(member.project, member.name)
        digits = known.short(member.version) if known else member.version[:SHORT_VERSION_DIGITS]
        return version_file_name(digits) if member.kind == "table" else version_directory_name(digits)
