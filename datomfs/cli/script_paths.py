"""What a script will open under a mount, as far as its text tells: for fetching ahead of a run.

Paths are found by the name of a known project in them, wherever the mount is: `/mnt/datom/STUDY_001/dm.parquet` as well
as `&root/STUDY_001/dm.parquet`. Where a name cannot be known (a glob, a variable) everything it could be is meant.
Rather too much is found than too little: whoever fetches passes over tables that do not exist. Pure; nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from datomfs.cli.script_text import blank_comments, join_pieces
from datomfs.layout import Selection, parse_table_link_name, parse_version_file_name, parse_when
from datomfs.model.names import is_name

_QUOTES = "\"'`"
_UNKNOWN = frozenset("*?[{$%&`")
"""Marks of a name that is made when the script runs: globs, formats, variables of shells, Stata and SAS."""
_PATH_LIMIT = 4096  # what Linux takes
_WORD_END = frozenset(",;()<>|")
_PARQUET = re.compile(r"(.*?\.parquet)(?![\w.-])")
_URL = re.compile(r"(?<!file)://[^\s\"']*$")


def find_selections(script: str, projects: Collection[str]) -> tuple[Selection, ...]:
    """What the script names of these projects: each once, in the order of first appearance. Takes any text.

    A project's folder, and a glob in it, mean the whole project; a table's folder means its current version.
    """
    if not projects:
        return ()
    text = join_pieces(blank_comments(script))
    longest_first = sorted(projects, key=len, reverse=True)
    # A name may begin inside of a longer one that turns out to be none, so every place is looked at.
    names = re.compile(rf"(?=({'|'.join(map(_spelling, longest_first))}))")
    return tuple(dict.fromkeys(selection for found in names.finditer(text) for selection in _read(text, found)))


def _spelling(name: str) -> str:
    """A pattern for a name, as it is or with backslashes before what a shell would take for its own."""
    return "".join(re.escape(letter) if letter.isalnum() else rf"\\?{re.escape(letter)}" for letter in name)


def _read(text: str, found: re.Match[str]) -> Iterator[Selection]:
    """What the path that has a project's name at this place stands for."""
    project = found[1].replace("\\", "")
    start, end = found.span(1)
    line_start = text.rfind("\n", 0, start) + 1
    before, after = text[line_start:start], text[end : end + _PATH_LIMIT].partition("\n")[0]
    closing = re.search(f"[{_QUOTES}]", after)
    quote = closing[0] if closing and before.count(closing[0]) % 2 else ""
    if not _is_segment(before, after, quote) or _URL.search(before[-_PATH_LIMIT:]):
        return
    word = _parse_rest(project, _word(after, quote))
    if word is not None:
        yield word
    if closing and not quote:
        # An apostrophe further left may have made a quoted path look bare, and cut it at its first blank.
        quoted = after[: closing.start()]
        whole = _parse_rest(project, quoted)
        if whole is not None and (word is None or _PARQUET.search(quoted)):
            yield whole


def _is_segment(before: str, after: str, quote: str) -> bool:
    """Whether a name is a part of a path: behind a slash (or one and a quote), or the first part of a relative one."""
    if before.endswith("/") or (before[-2:-1] == "/" and before[-1] in _QUOTES):
        return True
    begins = not before or before[-1] in f"{_QUOTES}=(" or (before[-1].isspace() and not quote)
    return begins and after.startswith("/")


def _word(after: str, quote: str) -> str:
    """The rest of a path as a shell reads it: to a blank outside of quotes, quotes and backslashes taken away."""
    letters: list[str] = []
    escaped = False
    for letter in after:
        if escaped or (quote and letter != quote):
            letters.append(letter)
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter in _QUOTES:
            quote = "" if quote else letter
        elif letter.isspace() or letter in _WORD_END:
            break
        else:
            letters.append(letter)
    return "".join(letters)


def _parse_rest(project: str, rest: str) -> Selection | None:
    """What `rest` names behind a project's folder, or None where it is no such path (design.md §2)."""
    if rest[:1] in _UNKNOWN:
        return Selection(project)
    if rest and not rest.startswith("/"):
        return None
    first, _, more = rest.lstrip("/").partition("/")
    if not first.startswith("@"):
        return _parse_names(project, first, more.lstrip("/"))
    when = parse_when(first[1:])
    if when is None:
        return None
    found = _parse_names(project, more.lstrip("/"), "")
    return found._replace(when=when) if found else None


def _parse_names(project: str, first: str, second: str) -> Selection | None:
    """A project's folder, a table's link, a table's folder, or a version in it."""
    if not first:
        return Selection(project)
    table = parse_table_link_name(_file_name(first))
    if table is not None:
        return Selection(project, table)
    if not _UNKNOWN.isdisjoint(first):
        return Selection(project)
    if not is_name(first):
        return None
    version = parse_version_file_name(first, _file_name(second))
    if version is not None or not second or not _UNKNOWN.isdisjoint(second):
        return Selection(project, first, version)
    return None


def _file_name(segment: str) -> str:
    """The segment up to its `.parquet`, without what a language put directly behind the path."""
    found = _PARQUET.match(segment)
    return found[1] if found else segment
