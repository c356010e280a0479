"""How far the queue will be behind, hour by hour and in words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.casework.forecast import forecast, minutes_arriving
from fairgate.domain.windows import DAY, HOUR

#: Monday, 30 November 2026, 8:00 UTC.
MONDAY = 20_787 * DAY + 8 * HOUR
AMOUNTS = st.floats(0, 1_000)


def hours(*runs: tuple[int, float]) -> list[float]:
    return [value for times, value in runs for _ in range(times)]


def test_in_plain_words() -> None:
    # 240 minutes an hour for eight hours a day; 1,980 come in a day, 60 more than are done; 1,300 wait now.
    day = hours((8, 240.0), (16, 0.0))
    came = hours((24, 1_980 / 24))
    found = forecast(1_300, 4 * came, 4 * day, MONDAY)
    assert found.words == "At today's staffing the queue is 6 h behind by Friday."
    assert found.waiting[-1] == pytest.approx(1_300 + 4 * 60)
    assert found.hours_behind == pytest.approx(1_540 / 240)
    assert (
        forecast(0, hours((24, 80.0 / 24)), day, MONDAY).words
        == "At today's staffing the queue keeps up until Tuesday."
    )
    half = forecast(180, [0.0] * 2, hours((1, 0.0), (1, 0.001)), MONDAY)
    assert half.words.endswith("h behind by Monday.")
    short = forecast(280, [0.0, 0.0], [60.0, 60.0], MONDAY)
    assert short.words == "At today's staffing the queue is 3 h behind by Monday."
    assert forecast(165, [0.0, 0.0], [60.0, 60.0], MONDAY).words == (
        "At today's staffing the queue is 45 min behind by Monday."
    )


def test_a_queue_that_is_worked_off() -> None:
    found = forecast(300, [10.0] * 48, hours((20, 20.0), (28, 40.0)), MONDAY)
    assert found.words == "At today's staffing the queue is worked off by Tuesday."
    assert found.hours_behind == 0
    again = forecast(30, [10.0, 10.0, 100.0], [40.0, 40.0, 40.0], MONDAY)
    assert again.words == "At today's staffing the queue is 2 h behind by Monday.", (
        "empty for a while is not worked off"
    )


def test_nobody_is_there() -> None:
    found = forecast(10, [5.0], [0.0], MONDAY)
    assert (found.waiting, found.hours_behind) == ((15.0,), math.inf)
    assert found.words == "Nobody is staffed until Monday: what waits now waits on."
    assert forecast(0, [0.0], [0.0], MONDAY).hours_behind == 0
    assert forecast(5, [], [], MONDAY).waiting == ()


@given(AMOUNTS, st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=30))
def test_nothing_is_lost_and_nothing_below_zero(waiting: float, each_hour: list[tuple[float, float]]) -> None:
    arriving, staffed = [more for more, _ in each_hour], [done for _, done in each_hour]
    found = forecast(waiting, arriving, staffed, MONDAY)
    left = waiting
    for at, (more, done) in enumerate(each_hour):
        left = max(left + more - done, 0)
        assert found.waiting[at] == pytest.approx(left)
    assert found.hours_behind >= 0


def test_minutes_of_the_cases_to_come() -> None:
    assert minutes_arriving([2.0, 0.5], 8.0) == (16.0, 4.0)
