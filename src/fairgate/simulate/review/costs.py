"""What a simulated case really cost, by what was done about it and when."""

from fairgate.domain.action import Action
from fairgate.domain.worth import USUAL
from fairgate.simulate.review.caseload import HOUR, Case


def really_costs(case: Case, action: Action | None = None, at: float = 0.0) -> float:
    """Dollars, where a review led to an action at a time; or where nobody looked until it was caught otherwise.

    Until then what the automatic decision chose leaves its share of the harm, or costs its share of an honest
    customer, the more the longer it stands; afterwards the new action does. What is lost once is lost when it ends.
    """
    until = case.ends if action is None else min(at, case.ends)
    cost = _while_waiting(case, until)
    if action is None or at >= case.ends:
        return cost + (_at_the_end(case, case.stake(case.ends).stands) if case.bad else 0.0)
    if case.bad:
        return cost + USUAL[action].leaves * _burnt(case, until, case.ends) + _at_the_end(case, action)
    return cost + USUAL[action].hurts * case.worth


def _while_waiting(case: Case, until: float) -> float:
    cost = 0.0
    for begins, ends in ((case.arrives, min(case.turns, until)), (case.turns, until)):
        if ends <= begins:
            continue
        effect = USUAL[case.stake(begins).stands]
        if case.bad:
            cost += effect.leaves * _burnt(case, begins, ends)
        else:
            cost += effect.hurts * case.worth * (ends - begins) / (case.kind.hours * HOUR)
    return cost


def _burnt(case: Case, begins: float, ends: float) -> float:
    """Dollars of compute between two times, were nothing done."""
    before, after = case.burn
    slow = max(min(case.turns, ends) - begins, 0.0)
    return (slow * before + (ends - begins - slow) * after) / HOUR


def _at_the_end(case: Case, action: Action) -> float:
    return USUAL[action].leaves * case.at_risk
