"""Where links point: always to a pin, always relative, with as many digits as tell the version where that is known."""

from __future__ import annotations

from datomfs.layout import SHORT_VERSION_DIGITS, version_directory_name, version_file_name
from datomfs.vfs.nodes import AsOfLink, Link, MemberLink, TableLink, VersionLink
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
                pin = self._pin(member.project, member.name, member.version, is_table=member.kind == "table")
                return f"{up}/{member.name}/{pin}"
            case VersionLink(project, artifact, is_set, version):
                return f"../../../{artifact}/{self._pin(project, artifact, version, is_table=not is_set)}"
            case AsOfLink(directory, table, version):
                return f"../{table}/{self._pin(directory.project, table, version, is_table=True)}"

    def _pin(self, project: str, artifact: str, version: str, *, is_table: bool) -> str:
        """The name of a version in the directory of its artifact."""
        if is_table:
            known = self._source.known_table(project, artifact)
        else:
            known = self._source.sets.known_view(project, artifact)
        digits = known.short(version) if known else version[:SHORT_VERSION_DIGITS]
        return version_file_name(digits) if is_table else version_directory_name(digits)
