"""The values of `tests.fault_proxy`: a request, an answer, and the rule that says which requests get which fault."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fault_proxy import Exchange


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came: `key` is what stands behind the bucket, decoded; `span` the first and last byte asked."""

    method: str
    bucket: str
    key: str
    span: tuple[int, int] | None

    @property
    def kind(self) -> str:
        """GET, RANGE (a GET of a part), LIST, HEAD, PUT, ..."""
        if self.method != "GET":
            return self.method
        return "RANGE" if self.span else "GET" if self.key else "LIST"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def with_headers(self, **headers: str) -> Answer:
        """The same with other headers."""
        return replace(self, headers={**self.headers, **{name.replace("_", "-"): v for name, v in headers.items()}})


Fault = Callable[["Exchange"], None]
"""Answers one request, in its own way."""


@dataclass
class Rule:
    """Which requests get a fault: those that `when` picks, from the `first` of them, `times` in all, or by chance."""

    fault: Fault
    when: Callable[[Request], bool]
    first: int
    times: int | None
    probability: float
    seen: int = 0
    hits: int = 0
    struck: threading.Event = field(default_factory=threading.Event)
    """Set when it has hit."""

    def takes(self, request: Request, chance: random.Random) -> bool:
        """Whether this request is one of them; counts."""
        if not self.when(request):
            return False
        self.seen += 1
        if self.seen < self.first or (self.times is not None and self.hits >= self.times):
            return False
        if self.probability < 1 and chance.random() >= self.probability:
            return False
        self.hits += 1
        self.struck.set()
        return True
