"""`datomfs config`: what is in force, and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from datomfs.cli.output import Record, emit_rows, json_option
from datomfs.cli.wiring import Session

if TYPE_CHECKING:
    from datomfs.config import Config


@click.group()
def config() -> None:
    """Look at the settings.

    \b
    Example: datomfs config show
    """


@config.command("show")
@json_option
@click.pass_obj
def show_config(session: Session, as_json: bool) -> None:
    """Print the settings in force and where each came from.

    \b
    Example: datomfs config show
    """
    loaded = session.config
    origin = "--config" if session.config_path else "default" if loaded.path.exists() else "default, not there"
    rows: list[Record] = [
        {"setting": "config", "value": str(loaded.path), "origin": origin},
        *(
            {"setting": setting.name, "value": _plain(setting.value), "origin": setting.origin}
            for setting in loaded.settings.values()
        ),
        *_project_rows(loaded),
    ]
    emit_rows(rows, ("setting", "value", "origin"), as_json=as_json)


def _project_rows(loaded: Config) -> list[Record]:
    """The places of each project, and what it and gov storage set otherwise than the defaults of all buckets."""
    defaults, origin = asdict(loaded.s3), str(loaded.path)
    rows: list[Record] = [
        {"setting": f"gov.s3.{key}", "value": value, "origin": origin}
        for key, value in asdict(loaded.gov_s3).items()
        if value != defaults[key]
    ]
    for name, project in loaded.projects.items():
        named = {"store": project.location.url if project.location else None, "repo": project.repo}
        rows += [
            {"setting": f"project.{name}.{key}", "value": value, "origin": origin}
            for key, value in named.items()
            if value is not None
        ]
        rows += [
            {"setting": f"project.{name}.s3.{key}", "value": value, "origin": origin}
            for key, value in asdict(project.s3).items()
            if value != defaults[key]
        ]
    return rows


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or None
    return value if value is None or isinstance(value, bool | int | float) else str(value)
