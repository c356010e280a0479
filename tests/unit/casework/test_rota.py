"""Who works when: by their own clocks, through breaks, midnights, days off and changes of the clocks."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.casework.rota import AHEAD, Duty, OnDuty, Span, duty, spans, staffed
from fairgate.domain.shifts import Hours, Shifts
from fairgate.domain.windows import DAY, HOUR, MINUTE

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(text: str) -> int:
    """A time in UTC."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


MONDAY = at("2026-11-30T00:00")
ANN = Shifts("ann", "UTC", (Hours(0, 540, 720), Hours(0, 780, 1_020), Hours(2, 540, 720)))
NIGHT = Shifts("bob", "UTC", (Hours(0, 1_320, 1_440), Hours(1, 0, 360)))
PARIS = Shifts("cléo", "Europe/Paris", (Hours(6, 60, 300),))


def hours(*pairs: tuple[float, float]) -> list[Span]:
    return [Span(MONDAY + int(begins * HOUR), MONDAY + int(ends * HOUR)) for begins, ends in pairs]


def test_a_week_has_what_it_says_less_days_off() -> None:
    assert spans(ANN, MONDAY, MONDAY + 7 * DAY) == hours((9, 12), (13, 17), (57, 60))
    assert spans(ANN, MONDAY + 10 * HOUR, MONDAY + 14 * HOUR) == hours((10, 12), (13, 14))
    assert spans(ANN, MONDAY + 12 * HOUR, MONDAY + 13 * HOUR) == []
    off = replace(ANN, off=(date(2026, 11, 30),))
    assert spans(off, MONDAY, MONDAY + 7 * DAY) == hours((57, 60))


def test_who_works_over_midnight_has_no_break_there() -> None:
    assert spans(NIGHT, MONDAY, MONDAY + 3 * DAY) == hours((22, 30))
    assert spans(NIGHT, MONDAY + 25 * HOUR, MONDAY + 3 * DAY) == hours((25, 30))  # it began the day before


@pytest.mark.parametrize(
    ("begins", "shown", "length"),
    [
        ("2026-11-29T00:00", "2026-11-29T00:00", 4),
        ("2026-03-29T00:00", "2026-03-29T00:00", 3),  # 01:00 to 05:00 on the day without the hour from 2 to 3
        ("2026-10-24T20:00", "2026-10-24T23:00", 5),  # and on the day that has it twice
    ],
)
def test_hours_are_those_of_their_own_clock(begins: str, shown: str, length: int) -> None:
    begin = at(begins)
    assert spans(PARIS, begin, begin + DAY) == [Span(at(shown), at(shown) + length * HOUR)]


def test_a_shift_begins_in_the_hour_that_is_skipped() -> None:
    early = replace(PARIS, hours=(Hours(6, 150, 240),))  # 02:30 to 04:00: half past two is half past three then
    begin = at("2026-03-29T00:00")
    assert spans(early, begin, begin + DAY) == [Span(at("2026-03-29T01:30"), at("2026-03-29T02:00"))]
    gone = replace(PARIS, hours=(Hours(6, 150, 180),))
    assert spans(gone, begin, begin + DAY) == []


def test_the_shift_that_is_on_has_who_works_now() -> None:
    other = Shifts("dan", "UTC", (Hours(0, 600, 900),))
    begin, noon = MONDAY + 10 * HOUR, MONDAY + 12 * HOUR
    assert duty([ANN, NIGHT], begin) == Duty(begin, (OnDuty(ANN, noon),), MONDAY + 13 * HOUR)
    both = duty([ANN, NIGHT, other], begin + 1)
    assert both == Duty(begin + 1, (OnDuty(ANN, noon), OnDuty(other, MONDAY + 15 * HOUR)), MONDAY + 15 * HOUR)
    assert both.ends == MONDAY + 15 * HOUR


def test_else_it_is_the_next_and_has_who_begins_it() -> None:
    later = Shifts("dan", "UTC", (Hours(0, 541, 900),))
    assert duty([NIGHT, later, ANN], MONDAY) == Duty(
        MONDAY + 9 * HOUR, (OnDuty(ANN, MONDAY + 12 * HOUR),), MONDAY + 12 * HOUR
    )
    assert duty([], MONDAY) is None
    assert duty([Shifts("eve", "UTC")], MONDAY) is None
    once = Shifts("eve", "UTC", (Hours(0, 0, 60),), off=tuple(date(2026, 12, 7) + timedelta(7 * at) for at in range(4)))
    assert duty([once], MONDAY + HOUR) is None
    assert duty([once], MONDAY) == Duty(MONDAY, (OnDuty(once, MONDAY + HOUR),), MONDAY + AHEAD)


def test_minutes_are_staffed_in_the_hours_of_the_clock() -> None:
    found = staffed([ANN, NIGHT], MONDAY + 570 * MINUTE, 24)
    assert found[:9] == (30, 60, 60, 0, 60, 60, 60, 60, 0)
    assert (found[12:16], found[19:22]) == ((0, 60, 60, 60), (60, 60, 0))


everybody = st.lists(
    st.builds(
        Shifts,
        person=st.just("x"),
        zone=st.sampled_from(["UTC", "Europe/Paris", "Asia/Kathmandu", "America/St_Johns"]),
        hours=st.lists(
            st.tuples(st.integers(0, 6), st.integers(0, 1_439), st.integers(1, 1_440)).map(
                lambda each: Hours(each[0], min(each[1], each[2] - 1), each[2])
            ),
            max_size=4,
        ).map(tuple),
    ),
    max_size=3,
)


@given(everybody=everybody, now=st.integers(MONDAY, MONDAY + 400 * DAY), count=st.integers(1, 200))
def test_all_minutes_are_counted_once(everybody: list[Shifts], now: int, count: int) -> None:
    found = staffed(everybody, now, count)
    alone = [spans(each, now, now - now % HOUR + count * HOUR) for each in everybody]
    assert sum(found) == pytest.approx(sum(each.ends - each.begins for own in alone for each in own) / MINUTE)
    assert all(0 <= each <= 60 * len(everybody) for each in found)
    for own in alone:
        assert all(one.ends < two.begins for one, two in pairwise(own))
