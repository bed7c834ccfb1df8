"""Who opens one table after another gets the next ones ahead; who does not, nothing."""

from __future__ import annotations

from datomfs.mount.siblings import Siblings

TABLES = [f"t{number:03}" for number in range(200)]


def test_one_after_another_names_the_next_ones_each_once() -> None:
    siblings = Siblings()
    named = [table for opened in TABLES for table in siblings.opened("P", opened, TABLES)]
    assert TABLES[3:] == named


def test_what_is_named_is_always_ahead_of_who_walks() -> None:
    siblings, named = Siblings(), set(TABLES[:3])
    for place, opened in enumerate(TABLES):
        named.update(siblings.opened("P", opened, TABLES))
        assert place < 3 or opened in named
        assert len(named) <= place + 1 + 64


def test_opening_the_same_table_again_and_again_is_no_walk() -> None:
    siblings = Siblings()
    assert [] == [table for _ in range(9) for table in siblings.opened("P", "t005", TABLES)]


def test_jumping_about_is_no_walk() -> None:
    siblings = Siblings()
    assert [] == [table for place in (5, 6, 90, 7, 8, 3, 4, 1) for table in siblings.opened("P", TABLES[place], TABLES)]


def test_walks_of_projects_do_not_mix() -> None:
    siblings = Siblings()
    for opened in TABLES[:2]:
        assert not siblings.opened("P", opened, TABLES)
        assert not siblings.opened("Q", opened, TABLES)
    assert "t003" == siblings.opened("P", "t002", TABLES)[0]


def test_a_table_that_came_since_does_not_end_a_walk() -> None:
    siblings = Siblings()
    for opened in TABLES[:2]:
        siblings.opened("P", opened, TABLES)
    assert "t003" == siblings.opened("P", "t002", [*TABLES, "z"])[0]
