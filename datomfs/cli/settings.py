"""`datomfs config`: what is in force, and why."""

from __future__ import annotations

import click

from datomfs.cli.output import Record, emit_rows, json_option
from datomfs.cli.wiring import Session


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command("show")
@json_option
@click.pass_obj
def show_config(session: Session, as_json: bool) -> None:
    """Print the settings in force and where each came from.

    \b
    Example: datomfs config show
    """
    loaded = session.config
    rows: list[Record] = [
        {"setting": setting.name, "value": _plain(setting.value), "origin": setting.origin}
        for setting in loaded.settings.values()
    ]
    rows += [
        {"setting": f"project.{name}.store", "value": project.location.url, "origin": str(loaded.path)}
        for name, project in loaded.projects.items()
    ]
    emit_rows(rows, ("setting", "value", "origin"), as_json=as_json)


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float) else str(value)
