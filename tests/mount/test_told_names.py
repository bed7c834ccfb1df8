"""Which names the kernel is made to forget: those it was told of longest ago, when there are too many."""

from __future__ import annotations

from datomfs.mount.told_names import Name, ToldNames


def names(*numbers: int) -> list[Name]:
    return [(7, b"%d" % number) for number in numbers]


def test_few_names_are_left_alone() -> None:
    told = ToldNames(8)
    assert [()] * 8 == [told.tell(name) for name in names(*range(8))]


def test_of_too_many_the_oldest_quarter_is_taken_back() -> None:
    told = ToldNames(8)
    for name in names(*range(8)):
        told.tell(name)
    assert names(0, 1, 2) == told.tell((7, b"8"))
    assert [()] * 2 == [told.tell(name) for name in names(9, 10)]
    assert names(3, 4, 5) == told.tell((7, b"11"))


def test_a_name_that_is_told_again_counts_once_and_is_young_again() -> None:
    told = ToldNames(8)
    for name in names(*range(8), *[0] * 20):
        assert () == told.tell(name)
    assert names(1, 2, 3) == told.tell((7, b"8"))


def test_a_name_that_was_taken_back_may_be_told_anew() -> None:
    told = ToldNames(4)
    for name in names(*range(5)):
        told.tell(name)
    assert () == told.tell((7, b"0"))


def test_the_same_name_in_two_directories_is_two() -> None:
    told = ToldNames(1)
    told.tell((7, b"a"))
    assert [(7, b"a")] == list(told.tell((8, b"a")))
