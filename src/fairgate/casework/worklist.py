"""What waits as a plan sees it, who takes part in one, and what of it somebody may be given."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from fairgate.casework.plan import NEVER, Reviewer, Work
from fairgate.casework.rota import Duty
from fairgate.domain.appeal import Appeal
from fairgate.domain.case import Case
from fairgate.domain.shifts import Shifts
from fairgate.domain.windows import MINUTE
from fairgate.domain.worth import LEAST_MINUTES, value_per_minute

#: The skill of those who lead, for what was escalated. No skill in a pack has such a name.
LEADS: Final = "(lead)"


class Waits(StrEnum):
    """What it is that waits."""

    CASE = "case"
    APPEAL = "appeal"


class Item(NamedTuple):
    """A case or an appeal by its number, and the skill that it needs; empty for none."""

    kind: Waits
    number: int
    skill: str = ""


class Colleague(NamedTuple):
    """Somebody who works in a shift, by their name, and whether they lead."""

    name: str
    shifts: Shifts
    leads: bool = False


class Terms(NamedTuple):
    """What a plan goes by: the skill that a reason needs, by its code, and the minutes that an appeal takes."""

    needs: Mapping[str, str] = MappingProxyType({})
    appeal_minutes: float = 10.0


class Fit(NamedTuple):
    """What somebody may be given: what they have the skill for, and nothing about accounts that they are kept `apart`.

    Of whom no skills are known (None) everything is expected. What was escalated is for all who lead.
    """

    needs: Mapping[str, str] = MappingProxyType({})
    skills: frozenset[str] | None = None
    apart: frozenset[str] = frozenset()

    def suits(self, case: Case) -> bool:
        """Whether they may be given a case."""
        if not self.apart.isdisjoint(case.accounts):
            return False
        return case.escalated or self.skills is None or skill_of(case, self.needs) in {"", *self.skills}


def skill_of(case: Case, needs: Mapping[str, str]) -> str:
    """The skill that a case needs: that of its newest reason which needs one; empty where none does."""
    return next((needs[code] for code in case.facts.reasons if code in needs), "")


def reviewers_of(duty: Duty, team: Mapping[str, Colleague]) -> list[Reviewer]:
    """Those of a team, by their ids, who are in a shift, and the minutes that they have in it."""
    found = []
    for shifts, until in duty.people:
        name, _, leads = team[shifts.person]
        skills = frozenset(shifts.skills) | ({LEADS} if leads else set())
        found.append(Reviewer(name, (until - duty.begins) / MINUTE, skills))
    return found


def works_of(
    cases: Sequence[Case], appeals: Sequence[Appeal], team: Sequence[Colleague], duty: Duty, terms: Terms
) -> tuple[list[Work], list[Item]]:
    """What waits for a shift, and what each piece of work is: a work's number is its place.

    An appeal that is due before anybody works again is due at the end of this shift.
    """
    known = defaultdict[str, set[str]](set)
    for each in team:
        for account in each.shifts.apart:
            known[account].add(each.name)
    works, items = list[Work](), list[Item]()
    for case in cases:
        stake, need = case.facts.stake.faded(duty.begins), skill_of(case, terms.needs)
        items.append(Item(Waits.CASE, case.number, LEADS if case.escalated else need))
        works.append(
            Work(
                case=len(works),
                minutes=max(stake.minutes, LEAST_MINUTES),
                value=value_per_minute(stake),
                skill=items[-1].skill,
                barred=frozenset(case.barred).union(*(known.get(each, ()) for each in case.accounts)),
                kept=case.drawn,
            )
        )
    for appeal in appeals:
        items.append(Item(Waits.APPEAL, appeal.number))
        last_shift = appeal.due < duty.again + terms.appeal_minutes * MINUTE
        works.append(
            Work(
                case=len(works),
                minutes=terms.appeal_minutes,
                value=0.0,
                due=min(appeal.due, duty.ends) if last_shift else min(appeal.due, NEVER),
                barred=frozenset({appeal.taken_by, appeal.filed_by, *known.get(appeal.subject.value, ())}),
            )
        )
    return works, items
