"""Which case is next: mostly the one of which a minute is worth the most, and sometimes one that is drawn by lot.

A queue ranked by worth shows nobody what it ranks low. So about every tenth case is drawn: half of these among all that
are ready, half among the uncertain. How likely that was is recorded, so that shares of all cases can be estimated
from those that were drawn, without bias.
"""

from random import Random
from typing import Final, NamedTuple

from fairgate.domain.case import Case
from fairgate.domain.windows import MINUTE
from fairgate.ports.cases import CaseQueue

#: The shares of cases that are drawn among all that are ready, and among the uncertain.
AMONG_ALL: Final = 0.05
AMONG_UNCERTAIN: Final = 0.05
#: What was valued so long ago is valued anew before it is given out; so many at a time, and so often.
_STALE: Final = MINUTE
_RANKED: Final = 100
_ROUNDS: Final = 2
_PAGE: Final = 20


class Next(NamedTuple):
    """A case to look at. `propensity` is with which probability it was drawn by lot, 1 where it was not."""

    case: Case
    propensity: float = 1.0


def next_case(queue: CaseQueue, now: int, by: str, draw: Random, *, lead: bool) -> Next | None:
    """The next case for somebody who may judge it; None where none is ready. Leads get what was escalated first."""
    for _ in range(_ROUNDS):
        if queue.rank(now, now - _STALE, _RANKED) < _RANKED:
            break
    escalated = _best(queue, now, by, escalated=True) if lead else None
    if escalated is not None:
        return Next(escalated)
    drawn = _drawn(queue, now, draw)
    if drawn is not None and by not in drawn.case.barred:
        return drawn
    best = _best(queue, now, by, escalated=False)
    return None if best is None else Next(best)


def _drawn(queue: CaseQueue, now: int, draw: Random) -> Next | None:
    """A case by lot, where the lot falls on one."""
    lot = draw.random()
    if lot >= AMONG_ALL + AMONG_UNCERTAIN:
        return None
    uncertain = lot >= AMONG_ALL
    ready, doubtful = queue.counted(now, uncertain=False), queue.counted(now, uncertain=True)
    among = doubtful if uncertain else ready
    case = queue.nth(now, draw.randrange(among), uncertain=uncertain) if among else None
    if case is None:  # or it was the last, and somebody has taken it
        return None
    return Next(case, AMONG_ALL / ready + (AMONG_UNCERTAIN / doubtful if case.facts.stake.uncertain else 0.0))


def _best(queue: CaseQueue, now: int, by: str, *, escalated: bool) -> Case | None:
    after: Case | None = None
    while page := queue.best(now, escalated=escalated, after=after, limit=_PAGE):
        for case in page:
            if by not in case.barred:
                return case
        after = page[-1]
    return None
