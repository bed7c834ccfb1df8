"""The code in a page of Markdown: its fenced blocks, and the paths of a mount that stand in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs" / "recipes"
MOUNTPOINT = "/mnt/datom"
"""The mountpoint of all pages."""
PIN = "8a3b21cc"
"""What stands in all pages for the version that was current on 2026-03-31."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(rf"{MOUNTPOINT}(?:/[^\s\"'`;,)(*]*)?")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its page, the line it begins at, its language, its code, and what the page says it prints.

    A block of `text` right behind another is what that one prints.
    """

    page: str
    line: int
    language: str
    code: str
    output: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> Sequence[Block]:
    """The blocks of code in a page, in order."""
    return tuple(_blocks(page.name, page.read_text(encoding="utf-8")))


def paths_in(text: str) -> Sequence[str]:
    """The paths below the mountpoint that a text names; of a glob what stands before it."""
    return [found.rstrip("/.:|") for found in _PATH.findall(text)]


def _blocks(name: str, text: str) -> Iterator[Block]:
    found = list(_FENCE.finditer(text))
    for block, behind in zip(found, [*found[1:], None], strict=True):
        if block[1] == "text":
            continue
        is_output = behind is not None and behind[1] == "text" and not text[block.end() : behind.start()].strip()
        output = behind[2] if behind is not None and is_output else None
        yield Block(name, text.count("\n", 0, block.start()) + 1, block[1], block[2], output)
