"""How far the queue will be behind, in plain words."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from fairgate.domain.windows import HOUR, SECOND

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: A queue that a team works off within this many hours is not called behind.
_NOT_BEHIND: Final = 0.5


class Forecast(NamedTuple):
    """The minutes of work that wait at the end of each coming hour, and how long the whole team needs for the last."""

    waiting: tuple[float, ...]
    hours_behind: float
    words: str


def forecast(waiting: float, arriving: Sequence[float], staffed: Sequence[float], now: int) -> Forecast:
    """What comes of minutes of work that wait now, and that arrive in each coming hour, with so many minutes staffed.

    `hours_behind` is counted in hours of the team as it is staffed on average while anybody is there. Times are told
    in UTC.
    """
    by_hour, left, empty = list[float](), waiting, None
    for hour, (more, done) in enumerate(zip(arriving, staffed, strict=True)):
        left = max(left + more - done, 0.0)
        empty = (hour if empty is None else empty) if left == 0 else None
        by_hour.append(left)
    there = [each for each in staffed if each > 0]
    behind = left * len(there) / sum(there) if there else (math.inf if left else 0.0)
    return Forecast(tuple(by_hour), behind, _words(waiting, behind, empty, _day(now + len(by_hour) * HOUR), now))


def minutes_arriving(cases: Sequence[float], minutes: float) -> tuple[float, ...]:
    """The minutes of work of the cases that are expected in each hour, at what one takes on average."""
    return tuple(each * minutes for each in cases)


def _words(waiting: float, behind: float, empty: int | None, day: str, now: int) -> str:
    if math.isinf(behind):
        return f"Nobody is staffed until {day}: what waits now waits on."
    if empty is not None and waiting > 0:
        return f"At today's staffing the queue is worked off by {_day(now + (empty + 1) * HOUR)}."
    if behind <= _NOT_BEHIND:
        return f"At today's staffing the queue keeps up until {day}."
    hours = f"{behind:.0f} h" if behind >= 1 else f"{60 * behind:.0f} min"
    return f"At today's staffing the queue is {hours} behind by {day}."


def _day(at: int) -> str:
    return _DAYS[datetime.fromtimestamp(at // SECOND, UTC).weekday()]
