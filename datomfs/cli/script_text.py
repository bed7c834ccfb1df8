"""A script made easier to search for paths: comments blanked, and paths that are put together written as one.

Knows R, Python, SAS, Stata, SQL and shell no better than their spellings, and never which of them it reads. Where a
spelling could mean something else nothing is changed: a path too many costs time, a path too few costs the reader's
patience. What paths mean is for `script_paths`. Pure; takes any text.
"""

from __future__ import annotations

import re

_LITERAL = r"""(?:"[^"\n]*"|'[^'\n]*')"""
_PREFIXED = rf"(?:\b[rRfFbBuU]{{1,2}})?{_LITERAL}"
_NAME = r"""[A-Za-z_][\w.]*(?![\w."'(])"""

_COMMENT = re.compile(
    rf"""
    {_LITERAL}                          # kept: what looks like a comment in a text is none
    | (?P<comment>
        (?:^|(?<=\s)) \# .*             # R, Python, shell; not ${{name#prefix}}
        | (?:^|(?<=[\s;)])) /\*[\s\S]*?(?:\*/|\Z)   # SAS, SQL, Stata; not the glob in STUDY_001/*.parquet
        | ^[ \t]* \*\s [^;\n]* ;?       # SAS, Stata; not Python's *names
        | ^[ \t]* --\s .*               # SQL; not the option --input
        | ^[ \t]* //\s .*               # Stata
    )
    """,
    re.VERBOSE | re.MULTILINE,
)
_LETTER = re.compile(r"[^\n]")

_PLAIN = r"""[^()"',]*"""
_ARGUMENT = rf"{_PLAIN}(?:{_LITERAL}{_PLAIN})*"
_CALL = re.compile(
    rf"(?:(?P<base>{_PREFIXED})\s*)?"
    rf"(?P<name>\bfile\.path|\bpaste0?|\bstr_c|\bpath|\bjoin|\.joinpath|\b(?:Pure|Posix|PurePosix)?Path)"
    rf"\(\s*(?P<arguments>{_ARGUMENT}(?:,{_ARGUMENT})*)\)"
)
_SPLIT = re.compile(rf"(?:{_LITERAL}|[^,\"'])+")
_SEPARATOR = re.compile(rf"f?sep\s*=\s*({_LITERAL})")

_TWO = re.compile(rf"(?P<left>{_PREFIXED})\s*(?P<operator>/|\+|\|\|)\s*(?P<right>{_PREFIXED})")
_NAME_AFTER = re.compile(rf"(?P<left>{_PREFIXED})(?P<operator>\s+/\s+|\s*\+\s*|\s*\|\|\s*){_NAME}")
_NAME_BEFORE = re.compile(rf"(?<=[\w)\]])\s+/\s+(?P<right>{_PREFIXED})")

_DEPTH = 20
"""How often parts are joined to larger parts: nobody nests deeper, and a hostile text ends too."""


def blank_comments(script: str) -> str:
    """The script with spaces for each letter of its comments, line by line as before."""
    return _COMMENT.sub(_blank, script)


def join_pieces(script: str) -> str:
    """The script with every path that is put together in one expression written as one literal.

    Read are `file.path`, `paste` and `paste0`, `os.path.join`, `Path` with its `/` and `joinpath`, and texts that are
    added. A piece that is no literal becomes `*`.
    """
    for _ in range(_DEPTH):
        joined = _CALL.sub(_join_call, script)
        joined = _TWO.sub(_join_two, joined)
        joined = _NAME_AFTER.sub(_join_name_after, joined)
        if joined == script:
            break
        script = joined
    return _NAME_BEFORE.sub(lambda found: f" {_literal('*/' + _content(found['right'])) or found[0]}", script)


def _blank(found: re.Match[str]) -> str:
    comment = found["comment"]
    if comment is None or (comment.startswith("/*") and not comment.endswith("*/")):
        return found[0]  # what never ends was no comment
    return _LETTER.sub(" ", comment)


def _join_call(found: re.Match[str]) -> str:
    pieces = [_content(found["base"])] if found["base"] else ["*"] if found["name"] == ".joinpath" else []
    separator = {"paste": None, "paste0": "", "str_c": ""}.get(found["name"], "/")
    for argument in map(str.strip, _SPLIT.findall(found["arguments"])):
        named = _SEPARATOR.fullmatch(argument)
        if named:
            separator = _content(named[1])
        elif re.fullmatch(_PREFIXED, argument):
            pieces.append(_content(argument))
        elif '"' in argument or "'" in argument:
            return found[0]  # a text inside of something larger, such as a list: it is read for itself
        elif argument and "=" not in argument:
            pieces.append("*")
    if separator is None:
        return found[0]  # paste puts blanks between words: that makes no path
    return _literal(_joined(pieces, separator)) or found[0]


def _join_two(found: re.Match[str]) -> str:
    separator = "/" if found["operator"] == "/" else ""
    return _literal(_joined([_content(found["left"]), _content(found["right"])], separator)) or found[0]


def _join_name_after(found: re.Match[str]) -> str:
    separator = "/" if "/" in found["operator"] else ""
    return _literal(_joined([_content(found["left"]), "*"], separator)) or found[0]


def _joined(pieces: list[str], separator: str) -> str:
    """The pieces as one path; as in Python, one that begins anew forgets those before it."""
    if separator != "/":
        return separator.join(pieces)
    start = max((index for index, piece in enumerate(pieces) if piece.startswith("/")), default=0)
    return "/".join(piece.removesuffix("/") for piece in pieces[start:])


def _content(literal: str) -> str:
    return literal.lstrip("rRfFbBuU")[1:-1]


def _literal(content: str) -> str | None:
    return None if '"' in content or "\n" in content else f'"{content}"'
