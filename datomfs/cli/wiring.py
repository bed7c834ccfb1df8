"""The composition root: from options and settings to stores, clones and portfolios.

The only place that knows both the configuration and the things it configures.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from datomfs.errors import ConfigInvalid, FileMissing, UnreadableFile
from datomfs.model.location import Location, parse_store_url
from datomfs.model.names import check_name
from datomfs.store.counted import CountedStore, Traffic

if TYPE_CHECKING:
    from datomfs.cache.folder import CacheFolder
    from datomfs.cache.reader import PayloadReader
    from datomfs.catalog.documents import Documents
    from datomfs.catalog.governed import Governed
    from datomfs.catalog.kept import Kept
    from datomfs.catalog.portfolio import Portfolio
    from datomfs.cli.sources import Sources
    from datomfs.config import Config
    from datomfs.credentials import AwsSessions
    from datomfs.model.lock import Lock
    from datomfs.model.s3 import S3Settings
    from datomfs.repo.data_repo import DataRepo
    from datomfs.repo.mirror import Mirror
    from datomfs.store.base import ReadableStore, Store

_DEFAULT_REGION = "us-east-1"  # what R datom takes where none is named (format.md §11)


@dataclass
class Session:
    """What options say that concern all commands; settings are read when a command first needs them."""

    clone_dir: Path
    config_path: Path | None
    cache_dir: Path | None = None
    traffic: Traffic = field(default_factory=Traffic)

    @cached_property
    def config(self) -> Config:
        """The effective settings. Raises ConfigInvalid, FileMissing."""
        from datomfs.config import load_config

        return load_config(self.config_path)

    def open_store(self, project: str, location: Location) -> Store:
        """The store of a project at a location, under the project's own settings where it has some."""
        return self._open_store(location, self._s3_settings(project))

    def _open_counted(self, project: str, location: Location) -> ReadableStore:
        return CountedStore(self.open_store(project, location), self.traffic)

    def _open_store(self, location: Location, settings: S3Settings) -> Store:
        if location.backend == "local":
            from datomfs.store.local import LocalStore

            return LocalStore(location)
        from datomfs.store.s3 import S3Store
        from datomfs.store.s3_stream import STALL_S

        # Whoever waits for a silent answer no longer than `stall_s` is to see what a second and a third attempt bring.
        stall_s = min(STALL_S, self.config.stall_s / 3)
        return S3Store(location, settings, self._aws_sessions.get(settings), stall_s=stall_s)

    @cached_property
    def _aws_sessions(self) -> AwsSessions:
        from datomfs.credentials import AwsSessions

        return AwsSessions()

    def open_clone(self) -> DataRepo:
        """The clone the command works in. Raises NotAClone."""
        from datomfs.repo.data_repo import DataRepo

        return DataRepo.open(self.clone_dir.absolute())

    def new_location(self, project: str, url: str) -> Location:
        """The location of a new project; a bucket's region is written down with it (format.md §4.1)."""
        location = parse_store_url(url)
        if location.backend == "local":
            return location
        return parse_store_url(url, self._s3_settings(project).region or _DEFAULT_REGION)

    def portfolio(self, sources: Sources, *, keeps: bool = False) -> Portfolio:
        """The projects a reading command looks at: one named by options, else what governs, and the configuration's.

        What it asks of stores is counted in `traffic`. With `keeps`, what is read is kept for the time when nobody
        answers.
        """
        from datomfs.catalog.portfolio import Portfolio

        kept = self.kept if keeps else None
        _check_sources(sources)

        def open_documents(project: str, store: ReadableStore) -> Documents:
            return self._open_documents(project, store, sources.repo_url)

        solo, governed = self._solo(sources), self._governed(sources, kept)
        if governed is None and not solo:
            lack = "it names no project" if self.config.path.exists() else "there is no such configuration"
            raise ConfigInvalid(
                str(self.config.path),
                f"{lack}; add [gov] with a repo or a store, or [project.NAME] with a store; or give --gov-repo, "
                "--gov-store, or --store and --project",
            )
        return Portfolio(solo, self._open_counted, governed=governed, open_documents=open_documents, kept=kept)

    @cached_property
    def kept(self) -> Kept:
        """What this user's mounts and comparisons have seen, below the cache."""
        from datomfs.catalog.kept import Kept

        return Kept(self._cache_path / f"documents-{os.getuid()}")

    def locked_portfolio(self, path: Path, sources: Sources) -> Portfolio:
        """The projects of a lock, at the versions it has, read from where options, settings or the lock place them.

        A folder that the lock alone names must lie below an allowed root. Raises FileMissing, UnreadableFile,
        RefForbidden, and what parsing the lock raises.
        """
        from datomfs.catalog.following import FollowingStore
        from datomfs.catalog.governed import check_folder
        from datomfs.catalog.locked import LockedDocuments, LockedStore
        from datomfs.catalog.portfolio import Portfolio

        projects = {project.name: project for project in _read_lock(path).projects}
        _check_sources(sources)
        own, governed = self._solo(sources), self._governed(sources, None)
        for name, project in projects.items():
            if name not in own and project.location.backend == "local":
                check_folder(name, project.location, str(path), (*self.config.allow_roots, *sources.allow_roots))

        def open_store(name: str, location: Location) -> ReadableStore:
            if name in own or governed is None:
                store = self._open_counted(name, location)
            else:
                store = FollowingStore(
                    lambda: governed.read_ref(name).current,
                    lambda place: self._open_counted(name, place),
                    ask_anew=governed.refresh,
                    location=location,
                )
            return LockedStore(store, projects[name])

        def open_documents(name: str, store: ReadableStore) -> Documents:
            return LockedDocuments(projects[name], str(path))

        places = {name: own.get(name, project.location) for name, project in projects.items()}
        return Portfolio(places, open_store, open_documents=open_documents)

    def _solo(self, sources: Sources) -> dict[str, Location]:
        """The places of projects that options give, else those that the settings do."""
        if sources.store_url is not None and sources.project is not None:
            return {check_name(sources.project): parse_store_url(sources.store_url)}
        return {name: own.location for name, own in self.config.projects.items() if own.location is not None}

    def _governed(self, sources: Sources, kept: Kept | None) -> Governed | None:
        """What governs the portfolio, unless it is one project by its store.

        An option stands for all the settings say of governance.
        """
        from datomfs.catalog.governance import EitherGovernance, Governance, GovRepo, GovStore
        from datomfs.catalog.governed import Governed
        from datomfs.catalog.keeping import KeepingGovernance

        if sources.project is not None:
            return None
        config = self.config
        is_typed = sources.gov_repo is not None or sources.gov_store is not None
        repo_url = sources.gov_repo if is_typed else config.gov_repo
        store_url = sources.gov_store if is_typed else config.gov_store
        if repo_url is None and store_url is None:
            return None
        roads: list[Governance] = []
        if repo_url is not None:
            roads.append(GovRepo(self._mirror(repo_url)))
        if store_url is not None:
            location = parse_store_url(store_url, config.gov_s3.region)
            storage = GovStore(CountedStore(self._open_store(location, config.gov_s3), self.traffic))
            roads.append(KeepingGovernance(storage, kept.shelf("governance", storage.url)) if kept else storage)
        governance = EitherGovernance(*roads) if len(roads) == 2 else roads[0]
        return Governed(governance, (*config.allow_roots, *sources.allow_roots))

    def _open_documents(self, project: str, store: ReadableStore, repo_url: str | None) -> Documents:
        """The road to a project's documents: its data repository where one is named, else its store."""
        from datomfs.catalog.documents import StoreDocuments
        from datomfs.catalog.git_documents import GitDocuments

        own = self.config.projects.get(project)
        url = repo_url or (own.repo if own else None)
        return GitDocuments(self._mirror(url)) if url is not None else StoreDocuments(store)

    def _mirror(self, url: str) -> Mirror:
        from datomfs.repo.mirror import Mirror

        return Mirror(url, self._cache_path / "git")

    @property
    def _cache_path(self) -> Path:
        """The folder that everything that is kept lies in: payloads, documents, copies of repositories."""
        return (self.cache_dir or self.config.cache_path).absolute()

    def cache_folder(self, size: int | None = None) -> CacheFolder:
        """The folder of the cache, under the limits of the settings where options name no other."""
        from datomfs.cache.folder import CacheFolder, Limits

        config = self.config
        limits = Limits(size or config.cache_size, config.cache_min_free, group_readable=config.cache_group_readable)
        return CacheFolder(self._cache_path, limits)

    def payload_reader(self, *, cache_size: int | None = None, verify: str | None = None) -> PayloadReader:
        """What opens payloads, in place or through the cache."""
        from datomfs.cache.proving import Verify
        from datomfs.cache.reader import PayloadReader

        return PayloadReader(
            self.cache_folder(cache_size),
            memory=self.config.cache_memory,
            verify=Verify(verify or self.config.verify),
            stall_s=self.config.stall_s,
        )

    def _s3_settings(self, project: str) -> S3Settings:
        own = self.config.projects.get(project)
        return own.s3 if own else self.config.s3


def _check_sources(sources: Sources) -> None:
    """Raise ConfigInvalid for options that do not go together."""
    if (sources.store_url is None) != (sources.project is None):
        raise ConfigInvalid("--store and --project", "give both, or neither to use the configuration")
    if sources.repo_url is not None and sources.project is None:
        raise ConfigInvalid("--repo", "it is the data repository of one project: give --store and --project too")
    if sources.project is not None and (sources.gov_repo or sources.gov_store):
        raise ConfigInvalid("--store", "one project by its store, or many through --gov-repo and --gov-store")


def _read_lock(path: Path) -> Lock:
    from datomfs.model.lock import parse_lock

    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise FileMissing(str(path)) from error
    except OSError as error:
        raise UnreadableFile(str(path), str(error.strerror)) from error
    return parse_lock(data, str(path))
