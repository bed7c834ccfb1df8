"""Which commit first made a version: found in git, where no document could say so of itself (format.md §7.4)."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from datomfs.errors import DocumentError
from datomfs.identity.metadata import metadata_sha
from datomfs.model.metadata import parse_metadata

log = logging.getLogger(__name__)


def first_commits(states: Iterable[tuple[str, bytes]], path: str) -> dict[str, str]:
    """Version → commit, out of the states of a metadata document, oldest first, each with its commit.

    A revert does not repoint a version: the first commit stays. A state that cannot be read hides no other.
    """
    commits: dict[str, str] = {}
    for commit, data in states:
        try:
            document = parse_metadata(data, f"{path} at {commit[:8]}").document
        except DocumentError as error:
            log.debug("passed over: %s", error.what)
            continue
        commits.setdefault(metadata_sha(document), commit)
    return commits
