"""Every storage key, git path and mount name: built here, parsed here, checked here.

Rules are those of format.md §1 (keys) and design.md §2 (names in a mount); those of names and shas stand in
`model.names`. Keys are relative to the namespace root of a store; only stores add the root. Nothing here does I/O.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from datomfs.errors import InvalidKey, InvalidTarget
from datomfs.model.names import check_name, check_sha, is_name, is_sha

NAMESPACE = "datom"
MANIFEST_KEY = ".metadata/manifest.json"
GOVERNANCE_KEY = ".metadata/governance.json"

PROJECT_CONFIG_PATH = ".datom/project.yaml"
MANIFEST_PATH = ".datom/manifest.json"
GOVERNANCE_PATH = ".datom/governance.json"

VERSION_SUFFIX = ".parquet"
SHORT_VERSION_DIGITS = 8
XATTR_NAMESPACE = "user."
CONTROL_REFRESH = "user.datom.control.refresh"
XATTR_NAME_LIMIT = 255
XATTR_LIST_LIMIT = 64 << 10
"""Bytes of all names of one file, each with its final NUL; the kernel gives nobody a longer list (xattr(7))."""

GOV_PROJECTS = "projects/"
REF_FILE = "ref.json"
DISPATCH_FILE = "dispatch.json"
MIGRATION_HISTORY_FILE = "migration_history.json"

DOCUMENTS_DIRECTORY = ".datom"
VERSIONS_DIRECTORY = "versions"
MANIFEST_FILE = "manifest.json"
GOVERNANCE_FILE = "governance.json"
METADATA_FILE = "metadata.json"
HISTORY_FILE = "version_history.json"
HISTORY_CSV_FILE = "history.csv"
LINEAGE_FILE = "lineage.json"
SET_FILE = "set.json"
PROJECT_FILES = (REF_FILE, MANIFEST_FILE, GOVERNANCE_FILE, MIGRATION_HISTORY_FILE, DISPATCH_FILE)
TABLE_FILES = (METADATA_FILE, HISTORY_FILE, HISTORY_CSV_FILE, LINEAGE_FILE)
SET_FILES = (METADATA_FILE, HISTORY_FILE, HISTORY_CSV_FILE, SET_FILE)

_METADATA_KEY = re.compile(r"([^/]+)/\.metadata/metadata\.json")
_SNAPSHOT_KEY = re.compile(r"([^/]+)/\.metadata/([0-9a-f]{6,64})\.json")
_DOCUMENT_KEY = re.compile(r"([^/]+)/\.metadata/(metadata\.json|version_history\.json)")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SECOND = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_DATED_NAME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z|undated)_([0-9a-f]{6,64})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# -- keys in a store -----------------------------------------------------------------------------------------------


def check_key(key: str) -> str:
    """`key` itself, if it stays inside the namespace. Raises InvalidKey.

    Refused are the empty key, a leading slash, empty or `.` or `..` segments, a segment `datom`, and NUL.
    """
    segments = key.split("/")
    if "\0" in key or any(segment in {"", ".", "..", NAMESPACE} for segment in segments):
        raise InvalidKey(key)
    return key


def artifact_prefix(name: str) -> str:
    """The prefix under which all objects of an artifact lie, with its final slash."""
    return f"{check_name(name)}/"


def metadata_key(name: str) -> str:
    """The current metadata document of an artifact."""
    return f"{check_name(name)}/.metadata/metadata.json"


def history_key(name: str) -> str:
    """The history of an artifact."""
    return f"{check_name(name)}/.metadata/version_history.json"


def snapshot_key(name: str, version: str) -> str:
    """The metadata document of one version."""
    return f"{check_name(name)}/.metadata/{check_sha(version)}.json"


def payload_key(name: str, data_sha: str) -> str:
    """The parquet bytes of a table with that content."""
    return f"{check_name(name)}/{check_sha(data_sha)}.parquet"


def set_payload_key(name: str, data_sha: str) -> str:
    """The members of a set with that content."""
    return f"{check_name(name)}/{check_sha(data_sha)}.json"


def documents_end(name: str) -> str:
    """A text that sorts behind the keys of an artifact's documents, and before those of its payloads."""
    return f"{check_name(name)}/.metadata0"  # `0` is the character after `/`


def parse_snapshot_key(key: str) -> tuple[str, str] | None:
    """The artifact and the version whose metadata document lies under `key`, or None."""
    found = _SNAPSHOT_KEY.fullmatch(key)
    return (found[1], found[2]) if found else None


def parse_metadata_key(key: str) -> str | None:
    """The artifact whose current metadata `key` is, or None."""
    found = _METADATA_KEY.fullmatch(key)
    return found[1] if found else None


def gov_key(project: str, file_name: str) -> str:
    """A project's document in gov storage, and its path in the gov repository: both have the same form."""
    return f"{GOV_PROJECTS}{check_name(project)}/{file_name}"


def parse_gov_key(key: str) -> str | None:
    """The project that something in gov storage or the gov repository belongs to, or None."""
    lead, _, rest = key.partition("/")
    project, slash, _ = rest.partition("/")
    return project if f"{lead}/" == GOV_PROJECTS and slash and is_name(project) else None


# -- paths in a clone ----------------------------------------------------------------------------------------------


def metadata_path(name: str) -> str:
    """The metadata document of an artifact in the clone."""
    return f"{check_name(name)}/metadata.json"


def history_path(name: str) -> str:
    """The history of an artifact in the clone."""
    return f"{check_name(name)}/version_history.json"


def clone_path(key: str) -> str | None:
    """The path in a clone of the document that lies under `key` in the store, or None for what a clone has not."""
    if key == MANIFEST_KEY:
        return MANIFEST_PATH
    if key == GOVERNANCE_KEY:
        return GOVERNANCE_PATH
    found = _DOCUMENT_KEY.fullmatch(key)
    return f"{found[1]}/{found[2]}" if found else None


# -- names in a mount ----------------------------------------------------------------------------------------------


def version_file_name(version: str) -> str:
    """The name of a pinned version in its table's directory; `version` may be a prefix."""
    return f"@{check_sha(version)}{VERSION_SUFFIX}"


def version_directory_name(version: str) -> str:
    """The name of a pinned version in its set's directory; `version` may be a prefix."""
    return f"@{check_sha(version)}"


def parse_version_directory_name(name: str) -> str | None:
    """The version prefix that a name in a set's directory stands for, or None."""
    prefix = name.removeprefix("@")
    return prefix if prefix != name and is_sha(prefix) else None


def table_link_name(table: str) -> str:
    """The name under which a project lists a table at its current version."""
    return f"{table}{VERSION_SUFFIX}"


def parse_version_file_name(table: str, file_name: str) -> str | None:
    """The version prefix that a file name in a table's directory stands for, or None.

    Both spellings are read: `@8a3b21cc.parquet`, and `dm_8a3b21cc.parquet` for programs that want a member name.
    """
    stem = file_name.removesuffix(VERSION_SUFFIX)
    if stem == file_name:
        return None
    for lead in ("@", f"{table}_"):
        if stem.startswith(lead) and is_sha(stem.removeprefix(lead)):
            return stem.removeprefix(lead)
    return None


def parse_table_link_name(file_name: str) -> str | None:
    """The table that a file name in a project's directory stands for, or None."""
    table = file_name.removesuffix(VERSION_SUFFIX)
    return table if table != file_name and is_name(table) else None


def parse_as_of_name(name: str) -> When | None:
    """The moment that a name in a project's directory stands for, or None."""
    return parse_when(name.removeprefix("@")) if name.startswith("@") else None


def dated_name(time_ns: int, version: str) -> str:
    """How a version is called among all of its artifact: `2026-01-28T101500Z_8a3b21cc`, in the order of time.

    `version` may be a prefix; a time of 0 is one that nobody knows. Names hold no `:`, which some programs take for a
    drive or a protocol (design.md §2).
    """
    moment = (_EPOCH + timedelta(microseconds=time_ns // 1000)).replace(tzinfo=None, microsecond=0)
    stamp = f"{moment.isoformat().replace(':', '')}Z" if time_ns else "undated"
    return f"{stamp}_{check_sha(version)}"


def parse_dated_name(name: str) -> str | None:
    """The version prefix in such a name, or None."""
    found = _DATED_NAME.fullmatch(name)
    return found[2] if found else None


def xattr_name(field: str) -> str:
    """The extended attribute that tells a field: `user.datom.verified`."""
    return f"{XATTR_NAMESPACE}datom.{field}"


def parse_xattr_name(name: str) -> str | None:
    """The field that an extended attribute tells, or None for an attribute of somebody else's."""
    field = name.removeprefix(xattr_name(""))
    return field if field != name else None


def short_version(version: str, others: frozenset[str] | set[str]) -> str:
    """The first 8 digits of `version`, or as many as tell it from every other version in `others`."""
    for digits in range(SHORT_VERSION_DIGITS, len(version)):
        prefix = version[:digits]
        if not any(other != version and other.startswith(prefix) for other in others):
            return prefix
    return version


class When(NamedTuple):
    """A moment as it was written, and its last nanosecond since 1970: the end of a UTC day, or of a second.

    It is over, and shows the same for good, once the clock is past `time_ns`; callers refuse one that is not.
    """

    text: str
    time_ns: int


def parse_when(text: str) -> When | None:
    """The moment that `2026-03-31` (the end of that UTC day) or `20260331T235959Z` stands for, or None.

    Without dashes or `T` there is no date: `20260331` is the prefix of a version (design.md §2).
    """
    try:
        if _DAY.fullmatch(text):
            end = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1, microseconds=-1)
        elif _SECOND.fullmatch(text):
            end = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC, microsecond=999_999)
        else:
            return None
    except ValueError:
        return None
    return When(text, (end - _EPOCH) // timedelta(microseconds=1) * 1000 + 999)


# -- targets on the command line -----------------------------------------------------------------------------------


class Target(NamedTuple):
    """PROJECT/TABLE[@VERSION] as it was typed; `version` is a checked prefix or None for the current one."""

    project: str
    table: str
    version: str | None


def parse_target(text: str) -> Target:
    """The parts of PROJECT/TABLE[@VERSION]. Raises InvalidTarget, InvalidName, InvalidSha."""
    name, at, version = text.partition("@")
    project, slash, table = name.partition("/")
    if not slash or "/" in table:
        raise InvalidTarget(text, "PROJECT/TABLE[@VERSION]")
    return Target(check_name(project), check_name(table), check_sha(version) if at else None)


class Selection(NamedTuple):
    """PROJECT[/TABLE][@VERSION|@DATE] as it was typed: one version, or what was current at a moment.

    Without `table` it is every table of the project. `version` is a checked prefix and needs a table; `when` is the
    moment; at most one of the two is there, and with neither the current versions are meant.
    """

    project: str
    table: str | None = None
    version: str | None = None
    when: When | None = None

    def __str__(self) -> str:
        """The same as it is typed."""
        at = self.version or (self.when.text if self.when else "")
        return self.project + (f"/{self.table}" if self.table else "") + (f"@{at}" if at else "")


_SELECTION_FORM = "PROJECT[/TABLE][@DATE] or PROJECT/TABLE@VERSION"
_DATE_FORM = "PROJECT[/TABLE]@DATE, where DATE is a day that exists, YYYY-MM-DD, or YYYYMMDDTHHMMSSZ"


def parse_selection(text: str) -> Selection:
    """The parts of PROJECT[/TABLE][@VERSION|@DATE]. Raises InvalidTarget, InvalidName, InvalidSha."""
    name, at, pin = text.partition("@")
    project, slash, table = name.partition("/")
    if "/" in table:
        raise InvalidTarget(text, _SELECTION_FORM)
    when = parse_when(pin)
    if at and when is None and re.search("[-TZ]", pin):
        raise InvalidTarget(text, _DATE_FORM)
    if at and when is None and not slash:
        raise InvalidTarget(text, _SELECTION_FORM)
    version = check_sha(pin) if at and when is None else None
    return Selection(check_name(project), check_name(table) if slash else None, version, when)
