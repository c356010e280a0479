"""What an operator owns wears out, and is dropped by the skilled once an account on it was lost."""

from dataclasses import replace
from itertools import count
from random import Random

from fairgate.simulate.operator import Stock
from fairgate.simulate.places import COUNTRIES, Seat, household


def stock(skill: float, most: int = 9) -> Stock[Seat]:
    """Lines, each in a place of its own, of which one serves so often."""
    home, number = household(Random(1), COUNTRIES[0]), count()
    return Stock(lambda _: replace(home, ip=f"203.0.113.{next(number)}"), most, Random(2), skill)


def test_a_thing_serves_so_often_and_then_there_is_a_new_one() -> None:
    mine = stock(skill=1.0, most=3)
    assert [mine.take(0).ip[-1] for _ in range(7)] == ["0", "0", "0", "1", "1", "1", "2"]


def test_the_skilled_drop_what_is_burnt_though_they_say_so_of_an_equal_copy() -> None:
    mine = stock(skill=1.0)
    used = mine.take(0)
    mine.burnt(replace(used, ip="198.51.100.1"))
    assert mine.take(0) == used
    copy = replace(used)
    assert copy is not used
    mine.burnt(copy)
    assert mine.take(0) != used


def test_the_careless_go_on_with_what_is_burnt() -> None:
    mine = stock(skill=0.0)
    used = mine.take(0)
    mine.burnt(used)
    assert mine.take(0) == used
