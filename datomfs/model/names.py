"""The two rules that stand before every key: what a name is, and what a sha is (format.md §1).

Both are checked before a name or a sha becomes part of a storage key, a path or a file name; `layout` builds those.
"""

from __future__ import annotations

import re

from datomfs.errors import InvalidName, InvalidSha

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_ ()-]*")
_NAME_LIMIT = 128
_RESERVED_NAMES = frozenset({".metadata", ".datom", "input_files", "datom", ".git", ".gitignore", "renv"})
_SHA = re.compile(r"[0-9a-f]{6,64}")


def is_name(text: str) -> bool:
    """Whether `text` obeys the name rule of format.md §1."""
    return _NAME.fullmatch(text) is not None and len(text) <= _NAME_LIMIT and text.lower() not in _RESERVED_NAMES


def check_name(text: str) -> str:
    """`text` itself, if it is a legal project or artifact name. Raises InvalidName."""
    if is_name(text):
        return text
    if text.lower() in _RESERVED_NAMES:
        raise InvalidName(text, "it is reserved")
    if not text:
        raise InvalidName(text, "it is empty")
    if len(text) > _NAME_LIMIT:
        raise InvalidName(text, f"it has {len(text)} characters")
    if not re.match("[a-zA-Z]", text):
        raise InvalidName(text, "it does not start with a letter")
    raise InvalidName(text, "it holds a character that is not allowed")


def check_sha(text: str) -> str:
    """`text` itself, if it is 6 to 64 lowercase hex digits. Raises InvalidSha."""
    if _SHA.fullmatch(text) is None:
        raise InvalidSha(text)
    return text


def is_sha(text: object) -> bool:
    """Whether `text` is a string of 6 to 64 lowercase hex digits."""
    return isinstance(text, str) and _SHA.fullmatch(text) is not None
