"""What is expected to come in: like the same hour of past weeks, and plainly nothing where too little is known."""

import pytest

from fairgate.casework.arrivals import expected
from fairgate.domain.windows import DAY, HOUR

NOW = 496_000 * HOUR + HOUR // 3
THIS, WEEK = 496_000, 168


@pytest.mark.parametrize(
    ("weeks", "hours"), [(1, (4, 1, 0)), (2, (3, 0.5, 0)), (3, (2, 1 / 3, 0)), (5, (1.5, 0.25, 0))]
)
def test_an_hour_is_like_that_hour_of_past_weeks(weeks: int, hours: tuple[float, ...]) -> None:
    came = {THIS - WEEK: 4, THIS - 2 * WEEK: 2, THIS + 1 - WEEK: 1, THIS: 50, THIS - 5 * WEEK: 99}
    found = expected(NOW - weeks * 7 * DAY - HOUR, came, NOW, 170)
    assert found.cases[168:] + found.cases[2:3] == hours
    assert found.cases[0] == pytest.approx(hours[0] * 2 / 3)  # of this hour a third is over
    assert found.known
    last = {1: "week", 5: "4 weeks"}.get(weeks, f"{weeks} weeks")
    assert found.words == f"from each hour of the week in the last {last}"


@pytest.mark.parametrize(("first", "hours"), [(0, 3), (NOW - DAY + 1, 2), (NOW - 1, 1)])
def test_less_than_a_day_says_nothing(first: int, hours: int) -> None:
    found = expected(first, {THIS - 1: 9}, NOW, hours)
    assert (found.cases, found.known) == ((0.0,) * hours, False)
    assert "too little" in found.words


def test_less_than_a_week_tells_no_hours_apart() -> None:
    first = NOW - 2 * DAY - HOUR
    found = expected(first, {THIS - 49: 1, THIS - 48: 40, THIS - 1: 8, THIS: 70}, NOW, 3)
    assert (found.cases[1:], found.known) == ((1.0,) * 2, False)
    assert found.cases[0] == pytest.approx(2 / 3)
    assert found.words == "there is only 2 days of history, too little to tell hours apart"
