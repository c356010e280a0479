"""What simulated days at the desk come to, in figures: on how many dollars triage saves, and how often it is wrong."""

from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

from fairgate.casework.agreement import alpha
from fairgate.domain.worth import Errors
from fairgate.simulate.review.caseload import Case, cases
from fairgate.simulate.review.costs import really_costs
from fairgate.simulate.review.desk import Days, Decided, Desk, Ranking
from fairgate.simulate.review.reviewers import TEAM, errors_on_gold

#: Days of a run: two working weeks without a weekend, so that a queue which falls behind shows it.
DAYS: Final = 10.0
#: As many cases as come in within so many days were gold before: some hundreds.
GOLD_DAYS: Final = 1.0


class Figures(NamedTuple):
    """One ranking in one simulated world."""

    cost: float
    averted: float
    hours: float
    came: int
    reviewed: int
    #: Of suspensions and bans that followed from a review: the share that was on honest customers.
    wrong: float
    #: How far two who looked at the same case agreed.
    agreement: float | None

    @property
    def averted_per_hour(self) -> float:
        """Dollars less than without any review, by the hour worked."""
        return self.averted / self.hours


def measured_errors(seed: int) -> Errors:
    """How the team errs in this world, as its gold cases say."""
    return errors_on_gold(TEAM, cases(Random(f"{seed}/gold"), GOLD_DAYS), Random(f"{seed}/errors"))


def compare(seed: int, days: float = DAYS, load: float = 1.0) -> dict[Ranking, Figures]:
    """Every ranking on the same cases with the same people; `load` is how much comes in, against the usual."""
    world, errors = cases(Random(f"{seed}/cases"), days, load), measured_errors(seed)
    nothing = sum(really_costs(each) for each in world)
    return {
        ranking: _figures(world, Desk(world, TEAM, ranking, seed, days, errors).run(), nothing) for ranking in Ranking
    }


def _figures(world: Sequence[Case], days: Days, nothing: float) -> Figures:
    done = {number: each for number, each in days.decided.items() if each.action is not None}
    cost = sum(_cost(each, done.get(each.number)) for each in world)
    actions = [each for each in done.values() if each.action is not None and each.action.grave]
    said = [[str(answer) for answer in list(each.said.values())[:2]] for each in days.decided.values()]
    return Figures(
        cost=cost,
        averted=nothing - cost,
        hours=days.hours,
        came=len(world),
        reviewed=len(done),
        wrong=sum(not each.case.bad for each in actions) / len(actions) if actions else 0.0,
        agreement=alpha(said),
    )


def _cost(case: Case, decided: Decided | None) -> float:
    return really_costs(case) if decided is None else really_costs(case, decided.action, decided.at)
