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
    """The store of each project, and what it sets otherwise than the defaults of all buckets."""
    defaults, origin = asdict(loaded.s3), str(loaded.path)
    rows: list[Record] = []
    for name, project in loaded.projects.items():
        rows.append({"setting": f"project.{name}.store", "value": project.location.url, "origin": origin})
        rows += [
            {"setting": f"project.{name}.s3.{key}", "value": value, "origin": origin}
            for key, value in asdict(project.s3).items()
            if value != defaults[key]
        ]
    return rows


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float) else str(value)
