"""The payload of a set: pointers to versions of artifacts, each with labels (format.md §4.6, §8).

Read as R reads it (§6): what a writer would refuse is taken as it stands, a label or an id in a list of one is what
is in the list, and fields nobody knows are passed over. A name or a version becomes a path in a mount, so those obey
the rules of `model.names`, which R holds them to when it fetches the member. The bytes are proven by whoever has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datomfs.errors import DocumentInvalid
from datomfs.model.fields import parse_object
from datomfs.model.jsonlite import Json
from datomfs.model.names import is_name, is_sha

Tags = Mapping[str, Json]
"""Labels by key: a list of texts each. What is none of R's making stays as it was read."""


@dataclass(frozen=True, slots=True)
class MemberId:
    """One version of an artifact, of any project. `kind` is `table` or `set`, or one this release does not know."""

    project: str
    name: str
    kind: str
    version: str


@dataclass(frozen=True, slots=True)
class Member:
    """A pointer of a set, and its labels."""

    id: MemberId
    tags: Tags


@dataclass(frozen=True, slots=True)
class SetContent:
    """What one version of a set holds: its own labels, and its members in document order."""

    tags: Tags
    members: tuple[Member, ...]


def parse_set(data: bytes, where: str) -> SetContent:
    """The content of a set payload. Raises DocumentInvalid."""
    document = parse_object(data, where)
    members = document.get("members")
    if members == {}:
        members = []  # as R takes it: that is how it would write an empty list (format.md §6)
    if not isinstance(members, list):
        raise DocumentInvalid(where, "members is not a list")
    parsed = tuple(_parse_member(member, f"{where}, member {place}") for place, member in enumerate(members, 1))
    return SetContent(_parse_tags(document.get("tags")), parsed)


def _parse_member(member: Json, where: str) -> Member:
    fields = member.get("id") if isinstance(member, dict) else None
    if not isinstance(member, dict) or not isinstance(fields, dict):
        raise DocumentInvalid(where, "it has no id")
    ids = {name: _get_text(fields, name, where) for name in ("project", "name", "kind", "version")}
    for name in ("project", "name"):
        if not is_name(ids[name]):
            raise DocumentInvalid(where, f"its {name} is not a legal name")
    if not is_sha(ids["version"]):
        raise DocumentInvalid(where, "its version is not 6 to 64 lowercase hex digits")
    return Member(MemberId(**ids), _parse_tags(member.get("tags")))


def _get_text(fields: Mapping[str, Json], name: str, where: str) -> str:
    value = fields.get(name)
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if not isinstance(value, str) or not value:
        raise DocumentInvalid(where, f"its {name} is not a text")
    return value


def _parse_tags(tags: Json) -> Tags:
    if not isinstance(tags, dict):
        return {}
    return {key: [value] if isinstance(value, str) else value for key, value in tags.items()}
