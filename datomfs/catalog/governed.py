"""What governs a portfolio: where refs come from, and which folders of this machine they may point into.

Refs come from a repository that many may write to. A bucket in one is read with the user's own rights; a folder is
followed only below a root that the user named, so that no ref makes a workstation read what nobody meant.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from datomfs.catalog.governance import Governance
from datomfs.errors import AccessError, ObjectMissing, RefForbidden, RefMissing
from datomfs.layout import REF_FILE
from datomfs.model.location import Location
from datomfs.model.ref import Ref, parse_ref


@dataclass(frozen=True, slots=True)
class _Asked:
    """When governance was asked, on the clock, until when that took, and what went wrong."""

    began_s: float
    ended_s: float
    error: AccessError | None


class Governed:
    """Governance, and the folders below which a ref may point. Safe to use from several threads."""

    def __init__(
        self, governance: Governance, allow_roots: Sequence[Path] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.governance = governance
        self._allow_roots = tuple(allow_roots)
        self._clock = clock
        self._lock = Lock()
        self._asked: _Asked | None = None

    def refresh(self) -> None:
        """Have governance be no older than this call. Raises AccessError.

        Many who come at once share an answer. Who comes while governance is being asked in vain shares that, too: a
        remote that hangs is waited for once.
        """
        since_s = self._clock()
        with self._lock:
            asked = self._asked
            if asked is None or (asked.ended_s if asked.error else asked.began_s) < since_s:
                asked = self._asked = self._ask()
        if asked.error is not None:
            raise asked.error

    def read_ref(self, project: str) -> Ref:
        """Where a project lies, as governance says. Raises RefMissing, RefForbidden, DocumentInvalid, AccessError."""
        where = self.governance.where(project, REF_FILE)
        try:
            content = self.governance.get(project, REF_FILE)
        except ObjectMissing as error:
            raise RefMissing(project, where) from error
        return self._check(project, content, where)

    def recall_ref(self, project: str) -> Ref | None:
        """Where a project lay as far as was kept. Asks nobody, and is followed no further than one that is read now.

        Raises RefForbidden, DocumentInvalid.
        """
        content = self.governance.recall(project, REF_FILE)
        return None if content is None else self._check(project, content, self.governance.where(project, REF_FILE))

    def _check(self, project: str, content: bytes, where: str) -> Ref:
        ref = parse_ref(content, where)
        if ref.current.backend == "local":
            check_folder(project, ref.current, where, self._allow_roots)
        return ref

    def _ask(self) -> _Asked:
        began_s = self._clock()
        try:
            self.governance.refresh()
        except AccessError as error:
            return _Asked(began_s, self._clock(), error)
        return _Asked(began_s, self._clock(), None)


def check_folder(project: str, location: Location, where: str, allow_roots: Sequence[Path]) -> None:
    """Raise RefForbidden for a folder of this machine that is below no allowed root; `where` is who named it."""
    # What the place really is: a link or `..` in it must not lead out of what the user named.
    place = Path(os.path.realpath(Path(location.root, location.namespace)))
    is_allowed = any(place.is_relative_to(os.path.realpath(root)) for root in allow_roots)
    if not Path(location.root).is_absolute() or not is_allowed:
        raise RefForbidden(project, location.url, where)
