"""When people review, and what they can do: what plans and forecasts are made of."""

import re
from datetime import date
from typing import Final

import msgspec

#: Minutes of a day.
DAY_MINUTES: Final = 1_440
#: What a skill may be called.
SKILL: Final = "^[a-z0-9][a-z0-9_-]{0,63}$"
SKILL_HINT: Final = "small letters, digits, `_` and `-`, at most 64"


class Hours(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """A time of each week at which somebody works, by their own clock.

    `weekday` is 0 for Monday. It lasts from minute `begins` of that day to minute `ends`, and no further than its end.
    """

    weekday: int
    begins: int
    ends: int


class Shifts(msgspec.Struct, frozen=True, gc=False):
    """When somebody reviews, and what they can do.

    `zone` is the time zone of their clock by its IANA name. No two of their hours overlap. On the days `off` they do
    not work. `apart` are accounts that they must not judge, because they know whose they are.
    """

    person: str
    zone: str
    hours: tuple[Hours, ...] = ()
    skills: tuple[str, ...] = ()
    off: tuple[date, ...] = ()
    apart: tuple[str, ...] = ()


def is_skill(name: str) -> bool:
    """Whether a text can be the name of a skill."""
    return re.fullmatch(SKILL, name) is not None
