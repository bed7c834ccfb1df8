"""Where a command's projects come from: the options that say so, and what they make together with the settings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Sources:
    """What was typed of a portfolio: one project by its store, or what governs it; None is left to the settings.

    `allow_roots` come on top of the settings' own.
    """

    store_url: str | None = None
    project: str | None = None
    repo_url: str | None = None
    gov_repo: str | None = None
    gov_store: str | None = None
    allow_roots: tuple[Path, ...] = ()


_OPTIONS = (
    click.option("--store", "store_url", metavar="URL", help="Read this store: a folder, or s3://bucket/prefix."),
    click.option("--project", "project_name", metavar="NAME", help="The name of the project in --store."),
    click.option("--repo", "repo_url", metavar="GITURL", help="Read its documents from this data repository."),
    click.option("--gov-repo", metavar="GITURL", help="Find projects through this governance repository."),
    click.option("--gov-store", metavar="URL", help="Find projects through this gov storage, or while git is away."),
    click.option(
        "--allow-root",
        "allow_roots",
        metavar="DIR",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Let refs point into folders below this one; may be repeated.",
    ),
    click.option(
        "--config", "config_path", metavar="FILE", type=click.Path(path_type=Path), help="Read settings from this file."
    ),
)


lock_option = click.option(
    "--lock",
    "lock_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Exactly the versions that `datomfs lock` wrote into this file.",
)


def _note_cache_dir(context: click.Context, _: click.Parameter, cache_dir: Path | None) -> None:
    context.obj.cache_dir = cache_dir


cache_dir_option = click.option(
    "--cache-dir",
    type=click.Path(path_type=Path),
    expose_value=False,
    callback=_note_cache_dir,
    help="The folder that keeps what was fetched.",
)


def source_options(command: F) -> F:
    """The options that say which projects are meant; the command gets them as `sources`."""

    @functools.wraps(command)
    def gathered(
        *args: Any,
        store_url: str | None,
        project_name: str | None,
        repo_url: str | None,
        gov_repo: str | None,
        gov_store: str | None,
        allow_roots: tuple[Path, ...],
        config_path: Path | None,
        **others: Any,
    ) -> Any:
        if config_path is not None:
            click.get_current_context().obj.config_path = config_path
        roots = tuple(root.expanduser().absolute() for root in allow_roots)
        sources = Sources(store_url, project_name, repo_url, gov_repo, gov_store, roots)
        return command(*args, sources=sources, **others)

    decorated: Any = gathered
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]
