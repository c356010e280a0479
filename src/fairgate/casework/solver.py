"""A plan made by OR-Tools' CP-SAT: the most worth that fits into a shift. Needs the extra `casework`.

Deadlines count before what was drawn, and that before worth, however much. It begins with the greedy plan, and stops at
a limit of its own steps, so that the same work gives the same plan.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from ortools.sat.python.cp_model import FEASIBLE, OPTIMAL, CpModel, CpSolver, IntVar

from fairgate.casework.greedy import greedy_plan
from fairgate.casework.plan import Plan, Reviewer, Work, may, minutes_until, order, plan_of, pressing

#: What a shift can't get to is left to a later plan: work, in the order of rank, beyond so many pieces and beyond so
#: many times the minutes that there are.
MOST_WORKS: Final = 400
MOST_MINUTES: Final = 1.5
#: Steps of the solver, about as many seconds of a core; and seconds of the clock, should the machine be busy.
MOST_STEPS: Final = 1.0
MOST_SECONDS: Final = 30.0
_PARTS = 10  # of a minute
_MOST_WORTH = 1_000_000
_MOST_MINUTES: Final = 100_000.0
_Chosen = dict[tuple[int, int], IntVar]


def solved_plan(works: Sequence[Work], reviewers: Sequence[Reviewer], now: int) -> Plan:
    """A plan for a shift that begins now. Never breaks a conflict of interest, a skill or language, or anybody's hours.

    Where no better one is found in time it is the greedy one.
    """
    looked_at = _within_reach(order(works, reviewers, now), reviewers)
    model, chosen = CpModel(), _Chosen()
    for at, work in enumerate(looked_at):
        for by, reviewer in enumerate(reviewers):
            if may(reviewer, work):
                chosen[at, by] = model.new_bool_var(f"{at}_{by}")
        model.add_at_most_one(chosen[at, by] for by in range(len(reviewers)) if (at, by) in chosen)
    for by, reviewer in enumerate(reviewers):
        _keep_hours(model, chosen, looked_at, by, reviewer)
        _keep_deadlines(
            model, chosen, [each if pressing(each, reviewers, now) else None for each in looked_at], by, now
        )
    weights = _weights(looked_at, reviewers, now)
    model.maximize(sum(weights[at] * each for (at, _), each in chosen.items()))
    begin = greedy_plan(looked_at, reviewers, now)
    for (at, by), each in chosen.items():
        model.add_hint(each, looked_at[at].case in begin.lists[reviewers[by].name])
    given = _solve(model, chosen, looked_at, reviewers)
    return plan_of(given, works, reviewers, now) if given is not None else greedy_plan(works, reviewers, now)


def _within_reach(ranked: Sequence[Work], reviewers: Sequence[Reviewer]) -> Sequence[Work]:
    most = MOST_MINUTES * sum(each.minutes for each in reviewers)
    before = sum(minutes <= most for minutes in accumulate(each.minutes for each in ranked))
    return ranked[: max(before + 1, MOST_WORKS)]


def _solve(
    model: CpModel, chosen: _Chosen, works: Sequence[Work], reviewers: Sequence[Reviewer]
) -> dict[str, list[Work]] | None:
    solver = CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = MOST_STEPS
    solver.parameters.max_time_in_seconds = MOST_SECONDS
    if solver.solve(model) not in (OPTIMAL, FEASIBLE):
        return None
    given: dict[str, list[Work]] = {each.name: [] for each in reviewers}
    for (at, by), each in chosen.items():
        if solver.boolean_value(each):
            given[reviewers[by].name].append(works[at])
    return given


def _keep_hours(model: CpModel, chosen: _Chosen, works: Sequence[Work], by: int, reviewer: Reviewer) -> None:
    taken = sum(_parts(work) * chosen[at, by] for at, work in enumerate(works) if (at, by) in chosen)
    model.add(taken <= math.floor(min(reviewer.minutes, _MOST_MINUTES) * _PARTS))


def _keep_deadlines(model: CpModel, chosen: _Chosen, works: Sequence[Work | None], by: int, now: int) -> None:
    """What one reviewer does up to each deadline fits in before it, unless it is late whoever does it."""
    urgent = [(work, at) for at, work in enumerate(works) if work is not None and (at, by) in chosen]
    urgent.sort(key=lambda each: each[0].due)
    so_far = accumulate(((work, [(_parts(work), at)]) for work, at in urgent), lambda a, b: (b[0], a[1] + b[1]))
    for work, taken in so_far:
        left = math.floor(minutes_until(work, now) * _PARTS)
        if left >= _parts(work):
            model.add(sum(parts * chosen[at, by] for parts, at in taken) <= left).only_enforce_if(
                chosen[taken[-1][1], by]
            )


def _weights(works: Sequence[Work], reviewers: Sequence[Reviewer], now: int) -> list[int]:
    """Whole numbers in the order of what matters: one deadline outweighs all draws, and one draw all worth."""
    most = max((each.value * each.minutes for each in works), default=0.0) or 1.0
    worth = [round(_MOST_WORTH * max(each.value * each.minutes, 0.0) / most) for each in works]
    drawn = sum(worth) + 1
    due = (len(works) + 1) * drawn
    tiers = [due if pressing(each, reviewers, now) else drawn * each.kept for each in works]
    return [tier + own for tier, own in zip(tiers, worth, strict=True)]


def _parts(work: Work) -> int:
    return math.ceil(min(work.minutes, _MOST_MINUTES) * _PARTS - 1e-9)
