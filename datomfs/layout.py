"""Every storage key, git path and mount name: built here, parsed here, checked here.

Rules are those of format.md §1 (keys) and design.md §2 (names in a mount); those of names and shas stand in
`model.names`. Keys are relative to the namespace root of a store; only stores add the root. Nothing here does I/O.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from datomfs.errors import InvalidKey, InvalidTarget
from datomfs.model.names import check_name, check_sha, is_name, is_sha

NAMESPACE = "datom"
MANIFEST_KEY = ".metadata/manifest.json"

PROJECT_CONFIG_PATH = ".datom/project.yaml"
MANIFEST_PATH = ".datom/manifest.json"
GOVERNANCE_PATH = ".datom/governance.json"

VERSION_SUFFIX = ".parquet"
SHORT_VERSION_DIGITS = 8

_METADATA_KEY = re.compile(r"([^/]+)/\.metadata/metadata\.json")


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


def parse_metadata_key(key: str) -> str | None:
    """The artifact whose current metadata `key` is, or None."""
    found = _METADATA_KEY.fullmatch(key)
    return found[1] if found else None


# -- paths in a clone ----------------------------------------------------------------------------------------------


def metadata_path(name: str) -> str:
    """The metadata document of an artifact in the clone."""
    return f"{check_name(name)}/metadata.json"


def history_path(name: str) -> str:
    """The history of an artifact in the clone."""
    return f"{check_name(name)}/version_history.json"


# -- names in a mount ----------------------------------------------------------------------------------------------


def version_file_name(version: str) -> str:
    """The name of a pinned version in its table's directory; `version` may be a prefix."""
    return f"@{check_sha(version)}{VERSION_SUFFIX}"


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


def short_version(version: str, others: frozenset[str] | set[str]) -> str:
    """The first 8 digits of `version`, or as many as tell it from every other version in `others`."""
    for digits in range(SHORT_VERSION_DIGITS, len(version)):
        prefix = version[:digits]
        if not any(other != version and other.startswith(prefix) for other in others):
            return prefix
    return version


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
