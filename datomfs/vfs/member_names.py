"""Under which names the members of a set stand in the directory of one of its versions.

The rule is docs/semantics.md's, "Sets". Names follow from the payload alone, so they are the same in every mount, for
good.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from datomfs.errors import DocumentInvalid
from datomfs.layout import VERSION_SUFFIX, short_version
from datomfs.model.sets import Member, MemberId

_NAME_LIMIT = 255
"""Bytes of a file name that every file system takes."""
_DIGEST_DIGITS = 16


def name_members(members: Sequence[Member], where: str) -> Mapping[str, Member]:
    """The members by name, in document order, each once.

    A member has the shortest of its names that no other one has: NAME, NAME_VERSION, NAME_VERSION_PROJECT, and
    NAME_DIGEST of all that tells it. Raises DocumentInvalid for members made to have the same names all the same.
    """
    ids = dict.fromkeys(member.id for member in members)
    shorts = _shorts(list(ids))
    steps = dict.fromkeys(ids, 0)
    for _ in range(len(_FORMS)):
        names = {each: _FORMS[step](each, shorts[each]) for each, step in steps.items()}
        counts = Counter(names.values())
        if len(counts) == len(names):
            found: dict[MemberId, Member] = {}
            for member in members:
                found.setdefault(member.id, member)
            return {name: found[each] for each, name in names.items()}
        for each, name in names.items():
            if counts[name] > 1:
                steps[each] = min(steps[each] + 1, len(_FORMS) - 1)
    raise DocumentInvalid(where, "it has members that no name tells from each other")


def _shorts(ids: Sequence[MemberId]) -> Mapping[MemberId, str]:
    """Each member's first 8 digits, or as many as tell it from other versions of that name in the set."""
    versions: defaultdict[str, set[str]] = defaultdict(set)
    for each in ids:
        versions[each.name].add(each.version)
    return {each: short_version(each.version, versions[each.name]) for each in ids}


def _plain(member: MemberId, short: str) -> str:
    return f"{member.name}{_suffix(member)}"


def _versioned(member: MemberId, short: str) -> str:
    return f"{member.name}_{short}{_suffix(member)}"


def _of_project(member: MemberId, short: str) -> str:
    name = f"{member.name}_{short}_{member.project}{_suffix(member)}"
    return name if len(name) <= _NAME_LIMIT else _digested(member, short)


def _digested(member: MemberId, short: str) -> str:
    told = "\0".join((member.project, member.name, member.kind, member.version))
    return f"{member.name}_{hashlib.sha256(told.encode()).hexdigest()[:_DIGEST_DIGITS]}{_suffix(member)}"


def _suffix(member: MemberId) -> str:
    return VERSION_SUFFIX if member.kind == "table" else ""


_FORMS = (_plain, _versioned, _of_project, _digested)
