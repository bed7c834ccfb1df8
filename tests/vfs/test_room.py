"""The listings that rooms keep: one for each view of a directory, and not more names than fit."""

from __future__ import annotations

from datomfs.vfs.nodes import ProjectDir
from datomfs.vfs.room import Entries, Listings

MANY = 15_000


class Counted:
    """Listings that note for which directories one is made."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self._listings: Listings[ProjectDir] = Listings()

    def ask(self, project: str, view: object, length: int) -> Entries:
        """The listing of a directory that has so many names."""

        def make() -> Entries:
            self.made.append(project)
            return [(f"{number}", ProjectDir(f"{number}")) for number in range(length)]

        return self._listings.of(ProjectDir(project), view, make)


def test_a_listing_is_made_once_for_a_view() -> None:
    counted, view = Counted(), object()
    assert counted.ask("P", view, 3) is counted.ask("P", view, 3)
    counted.ask("P", object(), 3)
    assert ["P", "P"] == counted.made


def test_long_listings_are_kept_until_others_need_their_place() -> None:
    counted, view = Counted(), object()
    for project in ("P", "P", "Q", "Q", "P"):
        assert MANY == len(counted.ask(project, view, MANY))
    assert ["P", "Q", "P"] == counted.made


def test_a_listing_that_is_longer_than_all_together_may_be_is_kept_too() -> None:
    counted, view = Counted(), object()
    for _ in range(2):
        assert 30_000 == len(counted.ask("P", view, 30_000))
    assert ["P"] == counted.made
