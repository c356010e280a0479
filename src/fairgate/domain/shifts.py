"""When people review, and what they can do: what plans and forecasts are made of."""

import re
from datetime import date
from typing import Final

import msgspec

from fairgate.domain.audit import Doer, Doing, Kind, more_of
from fairgate.domain.ledger import Subject

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


def rostered(shifts: Shifts, doer: Doer) -> Doing:
    """That somebody wrote down a person's shifts, as the audit log has it. Whom the person knows is only counted."""
    more = more_of(
        zone=shifts.zone,
        hours=" ".join(f"{each.weekday}:{each.begins}-{each.ends}" for each in shifts.hours),
        skills=" ".join(shifts.skills),
        days_off=" ".join(each.isoformat() for each in shifts.off),
        apart=len(shifts.apart),
    )
    return Doing(doer.at, doer.by, doer.key, Kind.ROSTERED, Subject("person", shifts.person), more=more)
