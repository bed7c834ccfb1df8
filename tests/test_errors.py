"""The error tree: drawn as it is, each leaf with a text of its own, and a way out where one is owed."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from typing import Any

import pytest

from datomfs import errors
from datomfs.errors import (
    CloneDirty,
    DatomfsError,
    InvalidName,
    UnhashableColumns,
    VersionAmbiguous,
    VocabularyUnknown,
)


def classes() -> list[type[DatomfsError]]:
    found = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, DatomfsError)]
    return sorted(found, key=lambda kind: kind.__name__)


def parents() -> set[type]:
    return {base for kind in classes() for base in kind.__bases__}


LEAVES = [kind for kind in classes() if kind not in parents()]
BRANCHES = [kind for kind in classes() if kind in parents()]

VALUES: dict[str, Any] = {
    "matches": ("aa" * 32, "ab" * 32),
    "columns": (("col_a", "reason a"), ("col_b", "reason b")),
    "names": ("field_a", "field_b"),
    "files": ("file_a", "file_b"),
    "formats": ("format_a", "format_b"),
    "losses": ("loss_a", "loss_b"),
}
HINTLESS = {
    "ConfigInvalid",  # the reason says what would be right
    "InvalidKey",  # a key is ours, never typed
    "FileMissing",
    "UnreadableFile",
    "ObjectMissing",  # commands say RecordedMissing or TableNotFound instead
    "ObjectExists",
    "AttributeNotFound",  # an errno in a mount, never read by people
    "AttributeForeign",
    "CloneMismatch",  # two places disagree; the reason names them
    "NotMounted",
}
"""Errors whose message alone is enough."""


def make(kind: type[DatomfsError]) -> tuple[DatomfsError, dict[str, Any]]:
    values = {
        field.name: VALUES.get(field.name, 7 if field.type in ("int", int) else f"<{field.name}>")
        for field in fields(kind)
    }
    return kind(**values), values


def drawn() -> list[tuple[int, list[str], int | None]]:
    """The lines of the drawing: depth, names, and the exit code where one stands."""
    assert errors.__doc__ is not None
    lines = []
    for line in errors.__doc__.splitlines():
        names = re.findall(r"\b[A-Z]\w+", line)
        if ("─" in line or line.strip().startswith("DatomfsError ")) and names:
            place = line.index(names[0])
            code = re.search(r" {2,}(\d+) {2,}", line)
            lines.append((place // 4, names, int(code[1]) if code else None))
    return lines


def test_the_drawing_names_exactly_the_classes_there_are() -> None:
    named = [name for _, names, _ in drawn() for name in names]
    assert sorted(kind.__name__ for kind in classes()) == sorted(named)


def test_the_drawing_hangs_every_class_under_its_branch() -> None:
    above: list[str] = []
    for depth, names, _ in drawn():
        above = above[: depth - 1]
        for name in names:
            bases = [base.__name__ for base in getattr(errors, name).__bases__]
            assert (name, above[-1:] or ["Exception"]) == (name, bases)
        above.append(names[0])


def test_the_drawing_tells_the_exit_code_of_every_branch() -> None:
    codes = {names[0]: code for _, names, code in drawn() if code is not None}
    family = {kind.__name__: kind.exit_code for kind in BRANCHES if kind.__bases__ == (DatomfsError,)}
    assert family == codes
    assert len(family) == len(set(family.values()))


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_leaf_tells_all_its_fields(kind: type[DatomfsError]) -> None:
    error, values = make(kind)
    text = str(error)
    assert "something went wrong" not in text
    assert "{" not in text
    for name, value in values.items():
        if kind is VersionAmbiguous and name == "matches":
            assert all(match[:16] in text for match in value)
        elif name == "key" and kind.__name__ in ("StoreMissing", "StoreUnreachable"):
            assert values["store"] in text
        elif isinstance(value, tuple):
            assert all(part in text for item in value for part in ([item] if isinstance(item, str) else item))
        else:
            assert str(value) in text


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_leaf_says_what_is_wrong_and_the_way_out(kind: type[DatomfsError]) -> None:
    error, _ = make(kind)
    assert (kind.__name__ in HINTLESS) == (error.way_out == "")
    assert str(error) == "\n".join(filter(None, (error.what, error.way_out)))
    assert error.way_out == "" or error.way_out[-1] in ".`" or error.way_out.split()[-1].startswith(("<", "'"))


@pytest.mark.parametrize("kind", BRANCHES, ids=lambda kind: kind.__name__)
def test_a_branch_is_never_raised_and_says_what_it_gathers(kind: type[DatomfsError]) -> None:
    assert kind.__doc__
    assert "message" not in vars(kind) or kind is DatomfsError


def test_a_leaf_has_the_exit_code_of_its_branch() -> None:
    for kind in LEAVES:
        assert "exit_code" not in vars(kind)
        assert 2 <= kind.exit_code <= 9


def test_braces_in_a_field_are_text() -> None:
    assert "'{name}' is not a legal name: {reason}" == InvalidName("{name}", "{reason}").what
    assert "{x}: a{0}" == CloneDirty("{x}", ("a{0}",)).what.removeprefix("the clone ").replace(
        " has uncommitted changes", ""
    )


def test_one_version_with_two_contents_is_not_answered_by_more_digits() -> None:
    twice = VersionAmbiguous("P", "dm", "aaaaaa", ("aa" * 32, "aa" * 32))
    assert "digits" in VersionAmbiguous("P", "dm", "a", ("aa" * 32, "ab" * 32)).way_out
    assert "digits" not in twice.way_out


def test_lists_read_like_lists() -> None:
    assert "a, b" in VocabularyUnknown("m.json", ("a", "b")).what
    told = UnhashableColumns((("raw", "bytes"), ("nested", "a list"))).what.splitlines()
    assert ["2 columns cannot be hashed:", "  'raw': bytes", "  'nested': a list"] == told
    assert "1 column cannot be hashed:" == UnhashableColumns((("raw", "bytes"),)).what.splitlines()[0]
