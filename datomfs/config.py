"""Settings: what the configuration file, the environment and the command line say, in this order of weight.

Built once, by `cli.wiring`, and frozen; nothing below the composition root sees it. Credentials are never in it.
`_SETTINGS` is the whole list: a key of the file, which is also its variable `DATOMFS_SECTION_KEY`, its default, and how
its text is read.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from datomfs.errors import ConfigInvalid, FileMissing, UsageError
from datomfs.model.location import Location, parse_store_url
from datomfs.model.names import check_name
from datomfs.model.s3 import S3Settings
from datomfs.model.sizes import Size, parse_size

_LEAST_MEMORY = 8 << 20
"""Pieces of 1 MiB, and several to a read: with less, those of two readers could push each other out for good."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One effective value and where it came from: `default`, a variable, or the file."""

    section: str
    key: str
    value: Any
    origin: str

    @property
    def name(self) -> str:
        """How people name it: `cache.path`."""
        return f"{self.section}.{self.key}"


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """One project: where it lies (None: governance tells), its data repository, and what differs for its bucket."""

    location: Location | None
    repo: str | None
    s3: S3Settings


@dataclass(frozen=True, slots=True)
class Config:
    """The effective settings. Sizes are bytes, times seconds."""

    path: Path
    settings: Mapping[str, Setting]
    s3: S3Settings
    gov_s3: S3Settings
    projects: Mapping[str, ProjectSettings] = field(default_factory=dict)

    @property
    def gov_repo(self) -> str | None:
        """The URL of the governance repository, if projects come from one."""
        return self._find_text("gov.repo")

    @property
    def gov_store(self) -> str | None:
        """Gov storage as a store URL, if projects come from there."""
        return self._find_text("gov.store")

    @property
    def allow_roots(self) -> tuple[Path, ...]:
        """The folders of this machine below which a ref may point."""
        return tuple(self.settings["gov.allow_roots"].value)

    @property
    def cache_path(self) -> Path:
        """The folder of the cache."""
        return Path(self.settings["cache.path"].value)

    @property
    def cache_size(self) -> int:
        """How many bytes the cache may hold on its disk."""
        return int(self.settings["cache.size"].value)

    @property
    def cache_min_free(self) -> int:
        """How many bytes of the cache's disk the cache leaves free, whatever its size."""
        return int(self.settings["cache.min_free"].value)

    @property
    def cache_memory(self) -> int:
        """How many bytes may be in flight between stores and the cache, in memory."""
        return int(self.settings["cache.memory"].value)

    @property
    def cache_group_readable(self) -> bool:
        """Whether the group of the cache's folder may read what is cached."""
        return bool(self.settings["cache.group_readable"].value)

    @property
    def refresh_s(self) -> float:
        """After how many seconds documents are read again."""
        return float(self.settings["mount.refresh_s"].value)

    @property
    def stall_s(self) -> float:
        """After how many seconds without an answer a request of the kernel fails."""
        return float(self.settings["mount.stall_s"].value)

    @property
    def list_versions(self) -> bool:
        """Whether table directories list all versions instead of the current one."""
        return bool(self.settings["mount.list_versions"].value)

    @property
    def allow_other(self) -> bool:
        """Whether other users than the one who mounts may read the mount."""
        return bool(self.settings["mount.allow_other"].value)

    @property
    def log_file(self) -> Path | None:
        """Where daemons log to, if not to the place that each has of its own."""
        return self._find_path("log.file")

    @property
    def log_level(self) -> str:
        """From which level on daemons log: `debug`, `info` or `warning`."""
        return str(self.settings["log.level"].value)

    @property
    def metrics_file(self) -> Path | None:
        """Where the metrics of a mount go, if anywhere."""
        return self._find_path("metrics.file")

    @property
    def verify(self) -> str:
        """When bytes are served: `strict`, after their proof; `deferred`, before it (design.md §3)."""
        return str(self.settings["mount.verify"].value)

    def _find_path(self, name: str) -> Path | None:
        text = self._find_text(name)
        return None if text is None else Path(text)

    def _find_text(self, name: str) -> str | None:
        value = self.settings[name].value
        return None if value is None else str(value)


def default_config_path() -> Path:
    """`config.toml` in the user's configuration folder."""
    return platformdirs.user_config_path("datomfs") / "config.toml"


def load_config(path: Path | None, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration in `path` (None: the default place, which may be absent) under the environment's variables.

    Raises FileMissing for a named file that is not there, ConfigInvalid for anything in it that cannot be meant.
    """
    where = path or default_config_path()
    document = _read(where, required=path is not None)
    unknown = set(document) - {"project", *(section for section, _ in _SETTINGS)}
    if unknown:
        raise ConfigInvalid(str(where), f"unknown section [{min(unknown)}]")
    settings = {}
    for (section, key), (default, read) in _SETTINGS.items():
        settings[f"{section}.{key}"] = _effective(where, document, environment, section, key, default, read)
    for section in dict.fromkeys(section for section, _ in _SETTINGS):
        known = {key for at, key in _SETTINGS if at == section} | ({"s3"} if section == "gov" else set())
        _check_keys(where, section, _table(where, document, section), known)
    s3 = _s3_settings({key: settings[f"s3.{key}"].value for at, key in _SETTINGS if at == "s3"})
    gov_s3 = _own_s3(where, "gov", _table(where, document, "gov"), s3)
    return Config(where, settings, s3, gov_s3, _projects(where, document, s3))


def _read(where: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(where.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if required:
            raise FileMissing(str(where)) from error
        return {}
    except OSError as error:
        raise ConfigInvalid(str(where), f"it cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(str(where), f"it is not TOML: {error}") from error


def _effective(
    where: Path,
    document: Mapping[str, Any],
    environment: Mapping[str, str],
    section: str,
    key: str,
    default: Any,
    read: Callable[[Any], Any],
) -> Setting:
    variable = f"DATOMFS_{section}_{key}".upper()
    table = _table(where, document, section)
    if variable in environment:
        value, origin = environment[variable], variable
    elif key in table:
        value, origin = table[key], str(where)
    else:
        value, origin = default() if callable(default) else default, "default"
    try:
        return Setting(section, key, None if value is None else read(value), origin)
    except ValueError as error:
        raise ConfigInvalid(f"{section}.{key} ({origin})", str(error)) from error


def _table(where: Path, document: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    table = document.get(section, {})
    if not isinstance(table, dict):
        raise ConfigInvalid(str(where), f"[{section}] is not a section")
    return table


def _check_keys(where: Path, section: str, table: Mapping[str, Any], known: set[str]) -> None:
    unknown = set(table) - known
    if unknown:
        raise ConfigInvalid(
            str(where), f"unknown key {min(unknown)!r} in [{section}]; known are {', '.join(sorted(known))}"
        )


def _projects(where: Path, document: Mapping[str, Any], defaults: S3Settings) -> dict[str, ProjectSettings]:
    return {name: _project(where, name, table, defaults) for name, table in _table(where, document, "project").items()}


def _project(where: Path, name: str, table: Any, defaults: S3Settings) -> ProjectSettings:
    section = f"project.{name}"
    if not isinstance(table, dict) or not table:
        raise ConfigInvalid(str(where), f"[{section}] needs a store (a folder or s3://bucket/prefix), a repo, or s3")
    _check_keys(where, section, table, {"store", "repo", "s3"})
    s3 = _own_s3(where, section, table, defaults)
    try:
        check_name(name)
        store, repo = (_parse_text(table[key]) if key in table else None for key in ("store", "repo"))
        location = parse_store_url(_anchored(store), s3.region) if store is not None else None
        return ProjectSettings(location, _anchored_url(repo) if repo is not None else None, s3)
    except ValueError as error:
        raise ConfigInvalid(f"{where}, [{section}]", str(error)) from error
    except UsageError as error:
        raise ConfigInvalid(f"{where}, [{section}]", error.what) from error


def _own_s3(where: Path, section: str, table: Mapping[str, Any], defaults: S3Settings) -> S3Settings:
    """The defaults for all buckets, under what `[SECTION.s3]` says otherwise."""
    own = table.get("s3", {})
    if not isinstance(own, dict):
        raise ConfigInvalid(str(where), f"[{section}.s3] is not a section")
    known = {key for at, key in _SETTINGS if at == "s3"}
    _check_keys(where, f"{section}.s3", own, known)
    try:
        values = {key: _SETTINGS["s3", key][1](value) for key, value in own.items()}
    except ValueError as error:
        raise ConfigInvalid(f"{where}, [{section}.s3]", str(error)) from error
    return _s3_settings({**{key: getattr(defaults, key) for key in known}, **values})


def _s3_settings(values: Mapping[str, Any]) -> S3Settings:
    return S3Settings(**{key: value for key, value in values.items() if value is not None})


# -- how texts become values ---------------------------------------------------------------------------------------


def _parse_seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if isinstance(value, bool) or not 0 < seconds < 1e9:
        raise ValueError(f"{value!r} is not a number of seconds above 0")
    return seconds


def _parse_flag(value: Any) -> bool:
    flag = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(str(value).lower())
    if flag is None:
        raise ValueError(f"{value!r} is neither true nor false")
    return flag


def _parse_text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is not a text")
    return value


def _parse_capacity(value: Any) -> Size:
    size = parse_size(value)
    if size == 0:
        raise ValueError(f"{value!r} is no room at all; it must be above 0")
    return size


def _parse_memory(value: Any) -> Size:
    size = parse_size(value)
    if size < _LEAST_MEMORY:
        raise ValueError(f"{value!r} is too little: a single read may need {_LEAST_MEMORY >> 20} MiB in flight")
    return size


def _parse_path(value: Any) -> Path:
    return Path(_anchored(_parse_text(value))).expanduser()


def _anchored(place: str) -> str:
    """The place itself, unless it is a folder that would be another one for whoever starts us from somewhere else."""
    if "://" not in place and not place.startswith(("/", "~")):
        raise ValueError(f"the folder {place!r} is relative; write its whole path")
    return place


def _anchored_url(url: str) -> str:
    """A git URL itself, unless it is a relative folder; `host:path` is ssh's."""
    return url if ":" in url.partition("/")[0] else _anchored(url)


def _parse_git_url(value: Any) -> str:
    return _anchored_url(_parse_text(value))


def _parse_store(value: Any) -> str:
    return _anchored(_parse_text(value))


def _parse_folders(value: Any) -> tuple[Path, ...]:
    """A list of folders; in a variable they are separated as in PATH."""
    folders = value.split(os.pathsep) if isinstance(value, str) else value
    if not isinstance(folders, list | tuple):
        raise ValueError(f"{value!r} is not a list of folders")  # noqa: TRY004 - told as all other values that cannot be meant
    return tuple(_parse_path(folder) for folder in folders)


def _parse_choice(*choices: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"{value!r} is none of {', '.join(choices)}")
        return str(value)

    return parse


_SETTINGS: Mapping[tuple[str, str], tuple[Any, Callable[[Any], Any]]] = {
    ("gov", "repo"): (None, _parse_git_url),
    ("gov", "store"): (None, _parse_store),
    ("gov", "allow_roots"): ((), _parse_folders),
    ("s3", "endpoint"): (None, _parse_text),
    ("s3", "region"): (None, _parse_text),
    ("s3", "profile"): (None, _parse_text),
    ("s3", "addressing"): ("auto", _parse_choice("auto", "path", "virtual")),
    ("s3", "ca_bundle"): (None, _parse_text),
    ("s3", "requester_pays"): (False, _parse_flag),
    ("cache", "path"): (lambda: str(platformdirs.user_cache_path("datomfs")), _parse_path),
    ("cache", "size"): ("50GiB", _parse_capacity),
    ("cache", "min_free"): ("1GiB", parse_size),
    ("cache", "memory"): ("128MiB", _parse_memory),
    ("cache", "group_readable"): (False, _parse_flag),
    ("mount", "refresh_s"): (60, _parse_seconds),
    ("mount", "stall_s"): (30, _parse_seconds),
    ("mount", "list_versions"): (False, _parse_flag),
    ("mount", "allow_other"): (False, _parse_flag),
    ("mount", "verify"): ("strict", _parse_choice("strict", "deferred")),
    ("log", "file"): (None, _parse_path),
    ("log", "level"): ("info", _parse_choice("debug", "info", "warning")),
    ("metrics", "file"): (None, _parse_path),
}
