"""Projects in a running mount: what was kept of one never takes the place of what its store says."""

from __future__ import annotations

import threading
from typing import Any

import trio

from datomfs.model.manifest import new_manifest
from datomfs.mount.live_projects import LiveProjects
from datomfs.mount.work import Work


class _Catalog:
    """A project that answers, and that was kept as well."""

    checked_ns = 7

    def refresh(self) -> None:
        pass

    def read_manifest(self) -> Any:
        return new_manifest("P", "2026-03-01T00:00:00Z")


class _Portfolio:
    """Its first look for what was kept takes until `found`, all others are done at once; notes what it is told."""

    def __init__(self) -> None:
        self.found = threading.Event()
        self.looking = threading.Event()
        self.told: list[str] = []

    def is_governed(self, project: str) -> bool:
        return False

    def live(self, project: str) -> _Catalog:
        return _Catalog()

    def find_kept(self, project: str) -> _Catalog | None:
        if self.looking.is_set():
            return None
        self.looking.set()
        self.found.wait(30)
        return _Catalog()

    def recall(self, project: str, recalled: _Catalog) -> None:
        self.told.append("recall")

    def believe(self, project: str) -> None:
        self.told.append("believe")


def test_what_was_kept_is_not_believed_once_the_store_has_answered() -> None:
    portfolio: Any = _Portfolio()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            projects = LiveProjects(
                portfolio,
                Work(nursery, stall_s=30.0),
                refresh_s=60.0,
                on_names=lambda *_: None,
                on_project=lambda *_: None,
            )
            late: list[Any] = []

            async def ask_slowly() -> None:
                late.append(await projects.get("P"))

            nursery.start_soon(ask_slowly)
            await trio.to_thread.run_sync(portfolio.looking.wait, 30)
            view = await projects.get("P")
            portfolio.found.set()
            while not late:
                await trio.lowlevel.checkpoint()
            assert [view] == late
            assert ["believe"] == portfolio.told

    trio.run(main)
