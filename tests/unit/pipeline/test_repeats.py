"""Repeats by source and id: recognised for thirty days, forgotten by the day, whatever the bundling and the hashes."""

from dataclasses import dataclass

import pytest

from fairgate.domain.windows import DAY, HOUR
from fairgate.pipeline import repeats as module
from fairgate.pipeline.repeats import Repeats

START = 20_000 * DAY + 7 * HOUR


@dataclass(frozen=True, slots=True)
class Sent:
    """An event by its name."""

    id: str
    received: int = START
    source: str = "s"


def days(*each: int) -> list[Sent]:
    """One event on each of these days, named after it."""
    return [Sent(f"day{day}", START + day * DAY) for day in each]


def test_a_name_is_source_and_id() -> None:
    known = Repeats(1)
    assert known.met([Sent("1"), Sent("2"), Sent("1")], 10) == [-1, -1, 10]
    assert known.met([Sent("2"), Sent("2", source="t"), Sent("s\0 2", source="")], 12) == [11, -1, -1]


def test_it_is_known_for_thirty_days_at_least_and_forgotten_after_thirty_two() -> None:
    for age in range(31):
        known = Repeats(1)
        known.met([Sent("old")], 0)
        assert known.met([Sent("new", START + age * DAY), Sent("old", START + age * DAY)], 1) == [-1, 0]
    known = Repeats(1)
    known.met([Sent("old")], 0)
    assert known.met([Sent("new", START + 32 * DAY)], 1) == [-1]
    assert known.met([Sent("old", START + 32 * DAY)], 2) == [-1]
    assert known.met([Sent("old", START + 33 * DAY)], 3) == [2]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_bundling_makes_no_difference(size: int) -> None:
    events = days(*range(0, 90, 2))
    one, other = Repeats(1), Repeats(1)
    for at in range(0, len(events), size):
        assert one.met(events[at : at + size], at) == [-1] * len(events[at : at + size])
    other.recall(events, 0)
    assert sorted(map(tuple, one.state()[0].tolist())) == sorted(map(tuple, other.state()[0].tolist()))
    assert one.state()[1] == other.state()[1]
    assert len(one.state()[0]) < 20


def test_a_clock_that_goes_back_forgets_nothing() -> None:
    known = Repeats(1)
    known.met(days(40, 10), 0)
    assert known.met(days(10, 40), 2) == [1, 0]


def test_what_was_kept_is_taken_over() -> None:
    known, again = Repeats(1), Repeats(1)
    known.met(days(0, 1, 2), 0)
    known.keep_other(Sent("other"), 7)
    again.load(*known.state())
    assert again.met([*days(2, 1, 0), Sent("new")], 8) == [2, 1, 0, -1]
    assert again.other(Sent("other")) == 7


class TestEqualHashes:
    """As if two names in a trillion had met; here all of them do."""

    @pytest.fixture(autouse=True)
    def _all_alike(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "xxh3_64_intdigest", lambda _text, _secret: 5)

    def test_the_caller_is_told_of_the_first_and_may_note_the_second(self) -> None:
        known = Repeats(1)
        assert known.met(days(0, 1), 0) == [-1, 0]
        assert known.other(Sent("day1")) is None
        known.keep_other(Sent("day1"), 1)
        assert known.met(days(1), 2) == [0]
        assert known.other(Sent("day1")) == 1
        assert known.other(Sent("day0")) is None

    def test_the_second_takes_the_place_of_the_first_when_that_is_forgotten(self) -> None:
        known = Repeats(1)
        known.met(days(0, 10), 0)
        known.keep_other(Sent("day10"), 1)
        assert known.met([Sent("day10", START + 35 * DAY)], 2) == [1]
        assert known.other(Sent("day10")) is None
        assert known.met([Sent("day10", START + 80 * DAY)], 3) == [-1]

    def test_both_may_be_forgotten(self) -> None:
        known = Repeats(1)
        known.met(days(0, 1), 0)
        known.keep_other(Sent("day1"), 1)
        assert known.met([Sent("new", START + 80 * DAY)], 2) == [-1]
        assert known.other(Sent("day1")) is None


def test_numbers_stay_right_where_some_hashes_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "xxh3_64_intdigest", lambda text, _secret: 1 + int(text.split(b"day")[1]) % 3)
    events, known = days(*range(6), 7), Repeats(1)
    known.recall(events, 10)
    assert known.met(events, 17) == [10, 11, 12, 10, 11, 12, 11]
    assert [known.other(each) for each in events] == [None, None, None, 13, 14, 15, 16]
