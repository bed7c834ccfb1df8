"""JSON text as R's jsonlite 2.0.0 reads and writes it (format.md §2 and §3.6).

Every datom document comes in and goes out here: R and datomfs share repositories, so a document must mean the same to
both, hash to the same version, and leave no noise in a diff. Python's own reader does the scanning; what R's reader
(yajl) takes differently is put right around it. Called by the documents of this package and by `identity.metadata`.
Knows text only: no document, no field name, no file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Never, TypeAlias

from datomfs.errors import DocumentInvalid, DocumentTooLarge

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

# -- reading -------------------------------------------------------------------------------------------------------

# A string comes first, and is left alone: it may hold what looks like a comment. One that does not end reaches to the
# end: were it looked for again behind each escaped quote in it, 40 kB of those would hold up the process for 10 s.
# Nothing is tried twice (`+` behind a quantifier): the places to come back to would take 60 bytes for each.
_OUTSIDE_STRINGS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|//[^\n]*|/\*.*?(?:\*/|\Z)|[\v\f]', re.DOTALL)
MOST_BYTES = 16 << 20
"""The longest document that is read: a history of 30,000 versions, or a manifest of 40,000 tables.

In memory a document takes some ten times its length, and whoever can write to a store could name any length.
"""
_DEEPEST = 100
"""Far beyond any document that is meant, and far from where a function that calls itself fails."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_json(data: bytes, where: str) -> Json:
    """The value a document holds, as R's reader understands it; `where` names the document in errors.

    As there, a byte-order mark and comments are accepted, the first of duplicate keys counts, a lone surrogate is
    `?`, a string ends at its first NUL, `-0` is the integer 0, and a number beyond a double is infinite. Integers are
    `int`, rounded to a double beyond 2^53; what has a point or an exponent is `float`. Raises DocumentInvalid for
    everything R's reader refuses, and for bytes that are not UTF-8, and DocumentTooLarge.
    """
    check_length(len(data), where)
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
        value = _decode(text)
        _check_depth(value, where)
        return _as_r_holds(value) if "\\u" in text else value
    except UnicodeDecodeError as error:
        raise DocumentInvalid(where, f"byte {error.start} is not UTF-8") from error
    except ValueError as error:
        raise DocumentInvalid(where, f"it is not JSON: {error}") from error
    except RecursionError as error:
        raise DocumentInvalid(where, "it is nested too deeply") from error


def check_length(length: int, where: str) -> None:
    """Raise DocumentTooLarge for a document of more than MOST_BYTES bytes: who knows that need not fetch it."""
    if length > MOST_BYTES:
        raise DocumentTooLarge(where, length, MOST_BYTES)


def _check_depth(value: Json, where: str) -> None:
    """Raise DocumentInvalid for what is nested so deeply that who walks through it might not come to its end."""
    level = [value]
    for _ in range(_DEEPEST):
        inner = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
        if not level:
            return
    raise DocumentInvalid(where, "it is nested too deeply")


def _decode(text: str) -> Json:
    """The value of a text. Comments are blanked only when the first try failed: they are rare, the pass is slow."""
    try:
        return _loads(text)
    except json.JSONDecodeError:
        plain = _OUTSIDE_STRINGS.sub(_blank, text)
        if plain == text:
            raise
        return _loads(plain)


def _loads(text: str) -> Json:
    value: Json = _DECODER.decode(text)
    return value


def _blank(found: re.Match[str]) -> str:
    """A string unchanged; for anything else as many blanks, so that positions in errors stay true."""
    return found[0] if found[0].startswith('"') else re.sub(r"[^\n]", " ", found[0])


def _first_of_each(pairs: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def _integer(digits: str) -> int | float:
    """R holds a double where 32 bits do not suffice, so an integer is as exact as a double is."""
    number = float(digits)
    return number if math.isinf(number) else int(number)


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not a JSON value")


_DECODER = json.JSONDecoder(object_pairs_hook=_first_of_each, parse_int=_integer, parse_constant=_refuse_constant)


def _as_r_holds(value: Json) -> Json:
    """The value with its strings and keys as R can hold them."""
    if isinstance(value, str):
        return _SURROGATE.sub("?", value.partition("\0")[0])
    if isinstance(value, list):
        return [_as_r_holds(item) for item in value]
    if isinstance(value, dict):
        return _first_of_each((str(_as_r_holds(key)), _as_r_holds(item)) for key, item in value.items())
    return value


# -- writing -------------------------------------------------------------------------------------------------------

_ESCAPES = {code: f"\\u{code:04x}" for code in range(32)} | {
    ord(char): escape
    for char, escape in {
        '"': '\\"',
        "\\": "\\\\",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
    }.items()
}
_VECTOR_KIND = {str: "character", bool: "logical", int: "numeric", float: "numeric"}


def render_compact(value: Json) -> str:
    """The text without any blanks, as it is hashed (format.md §3.3). Key order is kept; None is `{}`."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{render_compact(item)}" for key, item in _members(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(render_compact, value)) + "]"
    return _scalar(value)


def render_pretty(value: Json, *, inline_vectors: bool) -> str:
    """The text as it is stored (format.md §2): two blanks an indent, no final newline. Key order is kept.

    With `inline_vectors` an array of texts, of numbers or of logicals stands on one line, as R prints a vector it has
    just made; without, it has one element a line, as R prints the list it gets from reading such an array.
    """
    return _pretty(value, "\n", inline_vectors)


def _pretty(value: Json, line: str, inline_vectors: bool) -> str:
    """`line` is the newline and the indent of the line that the value starts on."""
    inner = line + "  "
    if isinstance(value, dict) and value:
        members = (f"{inner}{key}: {_pretty(item, inner, inline_vectors)}" for key, item in _members(value))
        return "{" + ",".join(members) + line + "}"
    if isinstance(value, list) and inline_vectors and _is_vector(value):
        return "[" + ", ".join(map(render_compact, value)) + "]"
    if isinstance(value, list) and value:
        return "[" + ",".join(inner + _pretty(item, inner, inline_vectors) for item in value) + line + "]"
    return render_compact(value)


def _members(document: dict[str, Json]) -> Iterable[tuple[str, Json]]:
    """Keys as JSON text, and their values. jsonlite names a nameless element by its place, counted from 1."""
    for place, (key, value) in enumerate(document.items(), start=1):
        yield _quoted(key or str(place)), value


def _is_vector(items: list[Json]) -> bool:
    """Whether R would hold these as one vector: scalars of one kind."""
    kinds = {_VECTOR_KIND.get(type(item)) for item in items}
    return len(kinds) == 1 and None not in kinds


def _scalar(value: str | float | bool | None) -> str:
    if value is None:
        return "{}"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return number_text(value)


def _quoted(text: str) -> str:
    return '"' + text.translate(_ESCAPES).replace("</", "<\\/") + '"'


def number_text(x: int | float) -> str:
    """A number at jsonlite's default of four decimals (format.md §3.6); what is not finite is a quoted word."""
    value = float(x)
    if not math.isfinite(value):
        return '"NaN"' if math.isnan(value) else '"Inf"' if value > 0 else '"-Inf"'
    size = abs(value)
    if not 1e-5 < size < 2147483647:
        exponent = math.log10(size) if size else 0
        return f"{value:.{math.ceil(min(17, max(1, exponent) + 4))}g}"
    whole = int(size)
    scaled = (size - whole) * 10_000
    decimals = int(scaled)
    rest = scaled - decimals
    if rest > 0.5 or (rest == 0.5 and decimals % 2):
        decimals += 1
    if decimals == 10_000:
        whole, decimals = whole + 1, 0
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{decimals:04}".rstrip("0").rstrip(".")
