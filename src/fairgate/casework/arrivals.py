"""How many cases are expected in each coming hour, from how they came in before."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from fairgate.domain.windows import DAY, HOUR

_WEEK: Final = 7 * 24
#: Weeks that are looked back over, and after how long something can be said at all.
WEEKS: Final = 4
_LEAST: Final = DAY


class Expected(NamedTuple):
    """How many cases are expected in each hour, and in words from what: from too little where it is not `known`."""

    cases: tuple[float, ...]
    known: bool
    words: str


def expected(first: int, by_hour: Mapping[int, int], now: int, hours: int) -> Expected:
    """What comes in each hour of the clock, from the one that is now on: of that, in its rest.

    `first` is when the first case came, 0 for never, and `by_hour` how many did in each hour of the past weeks, counted
    from 1970. An hour is like that hour of the week in the whole weeks that are known; without one all are alike.
    """
    this = now // HOUR  # it is not over, so it counts for nothing
    since = first // HOUR + 1 if first else this
    weeks = min(max(this - since, 0) // _WEEK, WEEKS)
    if weeks:
        cases = [
            sum(by_hour.get(this + ahead % _WEEK - _WEEK * back, 0) for back in range(1, weeks + 1)) / weeks
            for ahead in range(hours)
        ]
        words = f"from each hour of the week in the last {_counted(weeks, 'week')}"
        return Expected(_rest(cases, now), known=True, words=words)
    if now - first < _LEAST or not first:
        words = "there is less than a day of history, too little to expect anything: what will come is left out"
        return Expected((0.0,) * hours, known=False, words=words)
    came = sum(count for hour, count in by_hour.items() if since <= hour < this)
    words = f"there is only {_counted((this - since) // 24, 'day')} of history, too little to tell hours apart"
    return Expected(_rest([came / (this - since)] * hours, now), known=False, words=words)


def _rest(cases: list[float], now: int) -> tuple[float, ...]:
    """Of the first hour only what is left of it."""
    return (cases[0] * (1 - now % HOUR / HOUR), *cases[1:])


def _counted(count: int, what: str) -> str:
    return what if count == 1 and what == "week" else f"{count} {what}{'' if count == 1 else 's'}"
