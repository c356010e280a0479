"""Which case is next: the one that a plan has for somebody, or of which a minute is worth the most; or one by lot.

A queue ranked by worth shows nobody what it ranks low. So about every tenth case is drawn: half of these among all that
are ready, half among the uncertain. How likely that was is recorded, so that shares of all cases can be estimated
from those that were drawn, without bias.
"""

from collections.abc import Callable, Iterable
from random import Random
from typing import Final, NamedTuple

from fairgate.domain.case import Case, CaseState
from fairgate.domain.windows import MINUTE
from fairgate.ports.cases import CaseQueue

#: The shares of cases that are drawn among all that are ready, and among the uncertain.
AMONG_ALL: Final = 0.05
AMONG_UNCERTAIN: Final = 0.05
#: What was valued so long ago is valued anew before it is given out; so many at a time, and so often.
_STALE: Final = MINUTE
_RANKED: Final = 100
_ROUNDS: Final = 2
#: The first page of the best, each further one being twice as long, and the longest: few look past the first.
_PAGE: Final = 20
_LONGEST_PAGE: Final = 640


class Next(NamedTuple):
    """A case to look at. `propensity` is with which probability it was drawn by lot, 1 where it was not."""

    case: Case
    propensity: float = 1.0


def _whatever(_: Case) -> bool:
    return True


class Taker(NamedTuple):
    """Who is to get a case. `fits` says which they may be given, of those that they are not barred from.

    `planned` are cases that a plan has for them, in order, as they are now.
    """

    by: str
    lead: bool = False
    fits: Callable[[Case], bool] = _whatever
    planned: Iterable[Case] = ()

    def may(self, case: Case) -> bool:
        """Whether they may be given a case."""
        return self.by not in case.barred and (self.lead or not case.escalated) and self.fits(case)


def next_case(queue: CaseQueue, now: int, taker: Taker, draw: Random) -> Next | None:
    """The next case for somebody who may judge it; None where none is ready.

    Leads get what was escalated first; then whoever asks may get one by lot, or else what a plan has for them, or else
    the best.
    """
    for _ in range(_ROUNDS):
        if queue.rank(now, now - _STALE, _RANKED) < _RANKED:
            break
    escalated = _best(queue, now, taker, escalated=True) if taker.lead else None
    if escalated is not None:
        return Next(escalated)
    drawn = _drawn(queue, now, draw)
    if drawn is not None and taker.may(drawn.case):
        return drawn
    for case in taker.planned:
        if case.state == CaseState.OPEN and case.ready_at <= now and taker.may(case):
            return Next(case, case.propensity)  # one that was drawn before is still one that was drawn
    best = _best(queue, now, taker, escalated=False)
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


def _best(queue: CaseQueue, now: int, taker: Taker, *, escalated: bool) -> Case | None:
    after: Case | None = None
    limit = _PAGE
    while page := queue.best(now, escalated=escalated, after=after, limit=limit):
        for case in page:
            if taker.may(case):
                return case
        after, limit = page[-1], min(2 * limit, _LONGEST_PAGE)
    return None
