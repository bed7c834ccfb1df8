"""`datomfs info`: what a mount tells of one of its paths, and the pinned path that goes into a script."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from datomfs.cli.output import emit_record, json_option
from datomfs.errors import FileMissing, NotInAMount, PathUnreadable
from datomfs.layout import parse_as_of_name, parse_xattr_name, table_link_name, xattr_name

_NUMBERS = frozenset({"nrow", "ncol", "cached", "table_count", "set_count"})
_TAGS = "tags"
_MEMBER = "member."


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def info(path: Path, as_json: bool) -> None:
    """Print all that a mount tells of PATH, a file or a folder in it.

    `pinned` is the path that always leads to what PATH is now: put that into a script.

    \b
    Example: datomfs info /mnt/datom/STUDY_001/dm.parquet
             datomfs info /mnt/datom/STUDY_001 --json
    """
    from datomfs.mount.mountpoint import find_mountpoint

    place = Path(os.path.realpath(path))
    if find_mountpoint(place) is None:
        raise NotInAMount(str(path)) if os.path.lexists(path) else FileMissing(str(path))
    try:
        pinned = _find_pin(place)
        told = dict(_read_attributes(place))
    except FileNotFoundError as error:
        raise FileMissing(str(path)) from error
    except OSError as error:
        raise PathUnreadable(str(path), str(error.strerror)) from error
    values = {name: _value(name, text) for name, text in told.items()} if as_json else told
    emit_record({"path": os.path.abspath(path), "pinned": pinned, **values}, as_json=as_json)


def _find_pin(place: Path) -> str | None:
    """The path that stays what `place` is; None for what has none: a project, a document. Links have been followed.

    Of a folder of versions that is the current one, where its project has a link to that.
    """
    names = _names(place)
    if xattr_name("version") in names or parse_as_of_name(place.name):
        return str(place)
    current = place.with_name(table_link_name(place.name))
    return os.path.realpath(current) if place.is_dir() and current.is_symlink() else None


def _names(place: Path) -> list[str]:
    place.lstat()  # what is not there has no attributes either, and is to be told apart
    return os.listxattr(place)


def _read_attributes(place: Path) -> Iterator[tuple[str, str]]:
    """Every attribute without what all names begin with; those that were not recorded are left out.

    A list of names has its limit, so members of a set are asked for one by one.
    """
    names = [field for field in map(parse_xattr_name, _names(place)) if field and not field.startswith(_MEMBER)]
    members = [_MEMBER + name for name in os.listdir(place)] if _TAGS in names else []
    for field in [*names, *members]:
        try:
            yield field, os.getxattr(place, xattr_name(field)).decode("utf-8", "replace")
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.E2BIG, errno.ERANGE):
                raise


def _value(name: str, text: str) -> Any:
    """An attribute as JSON has it: numbers as numbers, labels as objects."""
    if name == _TAGS or name.startswith(_MEMBER):
        return json.loads(text)
    return int(text) if name in _NUMBERS else text
