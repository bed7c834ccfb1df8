"""What governance says: which projects there are, and the documents that tell where each of them lies.

Two roads lead to the same documents: the governance repository and its mirror in gov storage (format.md §11). git is
canonical. Nothing here opens a project.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from datomfs.errors import AccessError, ObjectMissing
from datomfs.layout import GOV_PROJECTS, gov_key, parse_gov_key
from datomfs.store.base import ReadableStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recalled:
    """The projects as they were last read, and when that was: nanoseconds since 1970."""

    projects: Sequence[str]
    checked_ns: int


class Governance(Protocol):
    """The projects of an organisation. Safe to use from several threads; methods raise AccessError."""

    def refresh(self) -> None:
        """See to it that what is read from now on is no older than now."""
        ...

    def projects(self) -> Sequence[str]:
        """The names of all registered projects, sorted; also of those whose documents are broken."""
        ...

    def get(self, project: str, file_name: str) -> bytes:
        """A document of a project, `ref.json` for example. Raises ObjectMissing."""
        ...

    def where(self, project: str, file_name: str) -> str:
        """A document as errors name it."""
        ...

    @property
    def url(self) -> str:
        """What tells this organisation from another, whichever road is taken at the moment."""
        ...

    def recall(self, project: str, file_name: str) -> bytes | None:
        """A document as it was last read. Asks nobody; None where nothing was kept."""
        ...

    def recall_projects(self) -> Recalled | None:
        """The projects as they were last read. Asks nobody."""
        ...


class GovStore:
    """Gov storage."""

    def __init__(self, store: ReadableStore) -> None:
        self._store = store

    def refresh(self) -> None:
        """Every read asks the store anew."""

    def projects(self) -> Sequence[str]:
        """One listing of `projects/`."""
        self._store.check()  # an empty listing and a wrong bucket look alike
        return _registered(info.key for info in self._store.list(GOV_PROJECTS))

    def get(self, project: str, file_name: str) -> bytes:
        """The object."""
        return self._store.get(gov_key(project, file_name))

    def where(self, project: str, file_name: str) -> str:
        """The key and the store."""
        return f"{gov_key(project, file_name)} in {self._store.url}"

    @property
    def url(self) -> str:
        """The store's."""
        return self._store.url

    def recall(self, project: str, file_name: str) -> None:
        """A store keeps nothing here (`catalog.keeping` does)."""

    def recall_projects(self) -> None:
        """A store keeps nothing here."""


class Repository(Protocol):
    """What is needed of a git repository; `repo.mirror` has it."""

    @property
    def url(self) -> str: ...

    @property
    def fetched_ns(self) -> int:
        """When it was last as its remote is, nanoseconds since 1970; 0 before the first time."""
        ...

    def fetch(self) -> None:
        """Bring what the remote has. Raises RemoteUnreachable, RemoteDenied."""
        ...

    def list(self, folder: str) -> Sequence[str]:
        """The paths of all files below a folder (`projects/`), at the newest commit known."""
        ...

    def read(self, path: str) -> bytes | None:
        """A file at the newest commit known, or None."""
        ...


class GovRepo:
    """The governance repository, in a mirror of it that is fetched by `refresh`."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def refresh(self) -> None:
        """Fetch."""
        self._repository.fetch()

    def projects(self) -> Sequence[str]:
        """The folders below `projects/`."""
        return _registered(self._repository.list(GOV_PROJECTS))

    def get(self, project: str, file_name: str) -> bytes:
        """The file. Raises ObjectMissing."""
        path = gov_key(project, file_name)
        content = self._repository.read(path)
        if content is None:
            raise ObjectMissing(self._repository.url, path)
        return content

    def where(self, project: str, file_name: str) -> str:
        """The path and the repository."""
        return f"{gov_key(project, file_name)} in {self._repository.url}"

    @property
    def url(self) -> str:
        """The repository's."""
        return self._repository.url

    def recall(self, project: str, file_name: str) -> bytes | None:
        """The file as it was fetched last."""
        return self._repository.read(gov_key(project, file_name))

    def recall_projects(self) -> Recalled | None:
        """The folders as they were fetched last."""
        fetched_ns = self._repository.fetched_ns
        return Recalled(self.projects(), fetched_ns) if fetched_ns else None


class EitherGovernance:
    """The repository, and while it is away its mirror in gov storage.

    What `refresh` finds decides for all that is read until the next one, so that a list of projects and their refs
    come from one place.
    """

    def __init__(self, repository: Governance, storage: Governance) -> None:
        self._repository = repository
        self._storage = storage
        self._chosen = repository

    def refresh(self) -> None:
        """Choose. Raises the repository's AccessError when the storage is away, too."""
        try:
            self._repository.refresh()
            self._chosen = self._repository
        except AccessError as error:
            try:
                self._storage.projects()
            except AccessError:
                raise error from None
            if self._chosen is not self._storage:
                log.warning("projects come from gov storage for now: %s", error.what)
            self._chosen = self._storage

    def projects(self) -> Sequence[str]:
        """Those of the chosen one."""
        return self._chosen.projects()

    def get(self, project: str, file_name: str) -> bytes:
        """That of the chosen one."""
        return self._chosen.get(project, file_name)

    def where(self, project: str, file_name: str) -> str:
        """That of the chosen one."""
        return self._chosen.where(project, file_name)

    @property
    def url(self) -> str:
        """The repository's."""
        return self._repository.url

    def recall(self, project: str, file_name: str) -> bytes | None:
        """As the repository was last, else the storage."""
        kept = self._repository.recall(project, file_name)
        return kept if kept is not None else self._storage.recall(project, file_name)

    def recall_projects(self) -> Recalled | None:
        """As the repository was last, else the storage."""
        return self._repository.recall_projects() or self._storage.recall_projects()


def _registered(keys: Iterable[str]) -> Sequence[str]:
    """The projects that have a folder, of the keys of all documents."""
    names = map(parse_gov_key, keys)
    return sorted({name for name in names if name is not None})
