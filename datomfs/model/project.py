"""The configuration of a project in its data repository: .datom/project.yaml (format.md §4.1).

People edit this file by hand, so unknown keys are tolerated. It is written once, at `init`, in the spelling of R's yaml
package: `~` for nothing, `yes` and `no` for booleans.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import yaml

from datomfs.errors import DocumentInvalid
from datomfs.model.fields import check_schema
from datomfs.model.location import Backend, Location
from datomfs.model.metadata import COMPATIBLE_RELEASE
from datomfs.model.names import is_name

_SUPPORTED_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Project:
    """A project's name, where its objects lie, its git remote, and the oldest release that may write it, if named."""

    name: str
    location: Location
    remote_url: str | None
    min_writer_version: str | None


def parse_project(data: bytes, where: str) -> Project:
    """The project in a project.yaml. Raises DocumentInvalid, SchemaUnsupported, SchemaInvalid."""
    try:
        document = yaml.safe_load(data.decode("utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DocumentInvalid(where, f"it is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise DocumentInvalid(where, "it is not a YAML mapping")
    check_schema(document, where, _SUPPORTED_SCHEMA)
    name = document.get("project_name")
    if not isinstance(name, str) or not is_name(name):
        raise DocumentInvalid(where, "project_name is not a legal name")
    repos = document.get("repos")
    remote = repos.get("data") if isinstance(repos, dict) else None
    remote_url = remote.get("remote_url") if isinstance(remote, dict) else None
    floor = document.get("min_writer_version")
    return Project(
        name=name,
        location=_parse_location(document, where),
        remote_url=remote_url if isinstance(remote_url, str) else None,
        min_writer_version=None if floor is None else str(floor),
    )


def render_project(project: Project, created: date) -> str:
    """The project.yaml of a new project; `created` is the local date."""
    data: dict[str, Any] = {
        "type": project.location.backend,
        "root": project.location.root,
        "prefix": project.location.prefix,
    }
    if project.location.region is not None:
        data["region"] = project.location.region
    document = {
        "project_name": project.name,
        "project_description": "",
        "created_at": created.isoformat(),
        "datom_version": COMPATIBLE_RELEASE,
        "schema_version": _SUPPORTED_SCHEMA,
        "storage": {"data": data, "max_file_size_gb": 1000.0},
        "repos": {"data": {"remote_url": project.remote_url}},
        "sync": {"continue_on_error": True, "parallel_uploads": 4},
        "renv": False,
    }
    return yaml.dump(
        document, Dumper=_RDumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10_000
    )


def _parse_location(document: Mapping[str, Any], where: str) -> Location:
    storage = document.get("storage")
    data = storage.get("data") if isinstance(storage, dict) else None
    if not isinstance(data, dict):
        raise DocumentInvalid(where, "it has no storage.data")
    backend, root = data.get("type"), data.get("root")
    if backend not in ("s3", "local") or not isinstance(root, str) or not root:
        raise DocumentInvalid(where, "storage.data needs a type (s3 or local) and a root")
    return Location(
        backend=cast("Backend", backend),
        root=root,
        prefix=_find_text(data, "prefix", where),
        region=_find_text(data, "region", where),
    )


def _find_text(data: Mapping[str, Any], key: str, where: str) -> str | None:
    """A text, or None. What YAML took for a number is refused: another prefix would be another place."""
    value = data.get(key)
    if value in (None, "", {}, []):
        return None
    if not isinstance(value, str):
        raise DocumentInvalid(where, f"storage.data.{key} is not a text; put it in quotes")
    return value


class _RDumper(yaml.SafeDumper):
    """YAML in the spelling of R's yaml package."""


# YAML 1.1, and R, take a single y or n for a boolean as well; as a name it has to stand in quotes.
_RDumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("[yYnN]$"), list("yYnN"))
_RDumper.add_representer(type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "~"))
_RDumper.add_representer(
    bool, lambda dumper, flag: dumper.represent_scalar("tag:yaml.org,2002:bool", "yes" if flag else "no")
)
