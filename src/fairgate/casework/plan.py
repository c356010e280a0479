"""Who looks at what in the next shift: what a plan is made of, and what none may break.

Two make plans: `casework.greedy`, and `casework.solver` where OR-Tools is installed.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from fairgate.domain.windows import MINUTE

#: The deadline of what has none.
NEVER: Final = 1 << 62


class Work(msgspec.Struct, frozen=True, gc=False):
    """A case or an appeal that waits. `value` is what a minute of it saves, in dollars (`domain.worth`).

    It is for somebody who has the skill and reads the language, where it names one, and is not `barred`: who decided
    something, or knows the customer, never decides the appeal. It is to be decided by `due`, microseconds since 1970.
    `kept`: it was drawn for the kept part of the time (`casework.reserve`), and is looked at whatever it is worth.
    """

    case: int
    minutes: float
    value: float
    skill: str = ""
    language: str = ""
    due: int = NEVER
    barred: frozenset[str] = frozenset()
    kept: bool = False


class Reviewer(msgspec.Struct, frozen=True, gc=False):
    """Somebody who reviews, and how many minutes they have in this shift, from its beginning and without a break."""

    name: str
    minutes: float
    skills: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()


class Plan(msgspec.Struct, frozen=True):
    """What each reviewer does, in this order; and what is left for another shift.

    `late` are the cases, planned or left, that nobody could finish by when they are due.
    """

    lists: dict[str, tuple[int, ...]]
    left: tuple[int, ...]
    late: tuple[int, ...]


#: Makes a plan for a shift that begins at a time.
Planner = Callable[[Sequence[Work], Sequence[Reviewer], int], Plan]


def may(reviewer: Reviewer, work: Work) -> bool:
    """Whether somebody may do a piece of work at all: skill, language, no conflict of interest."""
    return (
        reviewer.name not in work.barred
        and (not work.skill or work.skill in reviewer.skills)
        and (not work.language or work.language in reviewer.languages)
    )


def minutes_until(work: Work, now: int) -> float:
    """How many minutes are left before it is due; below zero where it is overdue."""
    return (work.due - now) / MINUTE


def pressing(work: Work, reviewers: Sequence[Reviewer], now: int) -> bool:
    """Whether it is due before this shift is over, or was."""
    return minutes_until(work, now) <= max((each.minutes for each in reviewers), default=0.0)


def in_time(works: Iterable[Work], now: int) -> bool:
    """Whether one reviewer who does these, the most urgent first, finishes each by when it is due.

    What can't be finished in time by anybody is let go by: it is late, and done all the same.
    """
    spent = 0.0
    for work in sorted(works, key=lambda each: each.due):
        spent += work.minutes
        left = minutes_until(work, now)
        if spent > left >= work.minutes:
            return False
    return True


def order(works: Iterable[Work], reviewers: Sequence[Reviewer], now: int) -> list[Work]:
    """What is done first: what is due in this shift by its deadline; then what was drawn; then what is worth most."""
    return sorted(works, key=lambda each: _place(each, reviewers, now))


def plan_of(given: dict[str, list[Work]], works: Sequence[Work], reviewers: Sequence[Reviewer], now: int) -> Plan:
    """The plan in which everybody does what they were given."""
    lists, done, late = dict[str, tuple[int, ...]](), set[int](), set[int]()
    for reviewer in reviewers:
        spent, own = 0.0, order(given.get(reviewer.name, ()), reviewers, now)
        for work in own:
            spent += work.minutes
            if spent > minutes_until(work, now):
                late.add(work.case)
        lists[reviewer.name] = tuple(each.case for each in own)
        done |= {each.case for each in own}
    left = [each for each in order(works, reviewers, now) if each.case not in done]
    late |= {each.case for each in left if pressing(each, reviewers, now)}
    return Plan(lists, tuple(each.case for each in left), tuple(sorted(late)))


def _place(work: Work, reviewers: Sequence[Reviewer], now: int) -> tuple[int, int, float, int]:
    if pressing(work, reviewers, now):
        return 0, work.due, -work.value, work.case
    return (1 if work.kept else 2), 0, -work.value, work.case
