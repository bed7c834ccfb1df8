"""The composition root: from options and settings to stores, clones and portfolios.

The only place that knows both the configuration and the things it configures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from datomfs.errors import ConfigInvalid
from datomfs.model.location import Location, parse_store_url
from datomfs.model.names import check_name

if TYPE_CHECKING:
    from datomfs.cache.folder import CacheFolder
    from datomfs.cache.reader import PayloadReader
    from datomfs.catalog.portfolio import Portfolio
    from datomfs.config import Config
    from datomfs.model.s3 import S3Settings
    from datomfs.repo.data_repo import DataRepo
    from datomfs.store.base import Store

_DEFAULT_REGION = "us-east-1"  # what R datom takes where none is named (format.md §11)


@dataclass
class Session:
    """What the global options say; settings are read when a command first needs them."""

    clone_dir: Path
    config_path: Path | None

    @cached_property
    def config(self) -> Config:
        """The effective settings. Raises ConfigInvalid, FileMissing."""
        from datomfs.config import load_config

        return load_config(self.config_path)

    def open_store(self, project: str, location: Location) -> Store:
        """The store of a project at a location, under the project's own settings where it has some."""
        if location.backend == "local":
            from datomfs.store.local import LocalStore

            return LocalStore(location)
        from datomfs.credentials import aws_session
        from datomfs.store.s3 import S3Store
        from datomfs.store.s3_stream import STALL_S

        settings = self._s3_settings(project)
        # Whoever waits for a silent answer no longer than `stall_s` is to see what a second and a third attempt bring.
        stall_s = min(STALL_S, self.config.stall_s / 3)
        return S3Store(location, settings, aws_session(settings), stall_s=stall_s)

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

    def portfolio(self, store_url: str | None, project: str | None) -> Portfolio:
        """The projects a reading command looks at: one named by options, else those of the configuration."""
        from datomfs.catalog.portfolio import Portfolio

        if (store_url is None) != (project is None):
            raise ConfigInvalid("--store and --project", "give both, or neither to use the configuration")
        if store_url is not None and project is not None:
            return Portfolio({check_name(project): parse_store_url(store_url)}, self.open_store)
        configured = self.config.projects
        if not configured:
            lack = "it names no project" if self.config.path.exists() else "there is no such configuration"
            raise ConfigInvalid(
                str(self.config.path), f"{lack}; add [project.NAME] with a store, or give --store and --project"
            )
        return Portfolio({name: settings.location for name, settings in configured.items()}, self.open_store)

    def cache_folder(self, path: Path | None = None, size: int | None = None) -> CacheFolder:
        """The folder of the cache, under the limits of the settings where options name no other."""
        from datomfs.cache.folder import CacheFolder, Limits

        config = self.config
        limits = Limits(size or config.cache_size, config.cache_min_free, group_readable=config.cache_group_readable)
        return CacheFolder((path or config.cache_path).absolute(), limits)

    def payload_reader(
        self, *, cache_dir: Path | None = None, cache_size: int | None = None, verify: str | None = None
    ) -> PayloadReader:
        """What opens payloads, in place or through the cache."""
        from datomfs.cache.proving import Verify
        from datomfs.cache.reader import PayloadReader

        return PayloadReader(
            self.cache_folder(cache_dir, cache_size),
            memory=self.config.cache_memory,
            verify=Verify(verify or self.config.verify),
            stall_s=self.config.stall_s,
        )

    def _s3_settings(self, project: str) -> S3Settings:
        own = self.config.projects.get(project)
        return own.s3 if own else self.config.s3
