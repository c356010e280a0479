"""Triage: what a simulated review team saves at the same capacity, by the order in which it takes cases.

Everything here is simulated (`fairgate.simulate.review` says how): cases, money, people and their mistakes. Its figures
compare ways of ranking on the same cases with the same people; they are no forecast for anybody's own team. The world
and the rules were settled on seeds from 101 on; these are judged on others.
"""

import statistics
import time
from collections.abc import Iterable
from random import Random

from fairgate.casework.greedy import greedy_plan
from fairgate.casework.plan import Planner, Reviewer, Work
from fairgate.casework.solver import solved_plan
from fairgate.domain.windows import HOUR
from fairgate.simulate.review.clusters import Tally, by_cluster
from fairgate.simulate.review.desk import Ranking
from fairgate.simulate.review.figures import Figures, compare, measured_errors
from tests.benchmarks.rows import Row

SEEDS = range(21, 30)
#: How much comes in, against the first row's: where a team can do nearly everything, the order matters less.
LOADS = (0.5, 0.75)
_PLANS, _WORKS, _SHIFT = 5, 150, 6
_SKILLS, _LANGUAGES = ("", "", "payments", "keys"), ("", "", "", "de", "ja")


def run() -> list[Row]:
    """The figures of triage."""
    worlds = [compare(seed) for seed in SEEDS]
    triage = [each[Ranking.TRIAGE] for each in worlds]
    together = [by_cluster(seed, measured_errors(seed)) for seed in SEEDS]
    return [
        *_rows("simulated: harm averted an hour, triage against first in, first out", _against_fifo(worlds), "x", 2),
        *(row for load in LOADS for row in _at(load)),
        *_rows("simulated: total cost below score-sorted", _below_score(worlds), "%", 15),
        Row("simulated: cases decided of those that came, triage", _mean(_decided(triage)), "%"),
        *_rows("simulated: accounts for one decision, by clusters", _accounts(together), "accounts", 5),
        Row("the same: bad among accounts acted on", _mean(each.purity for each in together), "share", target=0.98),
        *_rows("simulated: agreement of two who looked, alpha", _agreement(triage), "alpha", 0.8),
        Row(
            "simulated: suspensions and bans on the honest, after second looks",
            100 * _mean(each.wrong for each in triage),
            "%",
            op="<=",
            target=0.5,
        ),
        *_plans(),
    ]


def _rows(name: str, values: list[float], unit: str, target: float | None) -> list[Row]:
    """The mean over seeds, and how far they spread."""
    return [
        Row(f"{name}, mean of {len(values)} seeds", _mean(values), unit, target=target),
        Row("the same, the lowest seed", min(values), unit),
        Row("the same, standard deviation over seeds", statistics.stdev(values), unit),
    ]


def _mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def _at(load: float) -> list[Row]:
    worlds = [compare(seed, load=load) for seed in SEEDS]
    name = f"the same where {100 * load:.0f} % as many come in"
    return [
        Row(f"{name}: harm averted an hour", _mean(_against_fifo(worlds)), "x"),
        Row(f"{name}: total cost below score-sorted", _mean(_below_score(worlds)), "%"),
    ]


def _against_fifo(worlds: list[dict[Ranking, Figures]]) -> list[float]:
    return [each[Ranking.TRIAGE].averted_per_hour / each[Ranking.FIFO].averted_per_hour for each in worlds]


def _below_score(worlds: list[dict[Ranking, Figures]]) -> list[float]:
    return [100 * (1 - each[Ranking.TRIAGE].cost / each[Ranking.SCORE].cost) for each in worlds]


def _decided(figures: list[Figures]) -> list[float]:
    return [100 * each.reviewed / each.came for each in figures]


def _accounts(tallies: list[Tally]) -> list[float]:
    return [each.accounts_per_decision for each in tallies]


def _agreement(figures: list[Figures]) -> list[float]:
    return [each.agreement or 0.0 for each in figures]


def _plans() -> list[Row]:
    """What a plan of a shift is worth, and how long it takes to make, by either planner."""
    draw = Random("plans")
    shifts = [(_works(draw), _team(draw)) for _ in range(_PLANS)]
    (greedy, _), (solved, took) = (_planned(each, shifts) for each in (greedy_plan, solved_plan))
    name = f"plan of a shift: {_WORKS} cases, {_SHIFT} people"
    return [
        Row(f"{name}: worth by CP-SAT against greedy", solved / greedy, "x", target=1),
        Row(f"{name}: time by CP-SAT", took / _PLANS, "s"),
    ]


def _planned(planner: Planner, shifts: list[tuple[list[Work], list[Reviewer]]]) -> tuple[float, float]:
    worth, began = 0.0, time.perf_counter()
    for works, team in shifts:
        value = {each.case: each.value * each.minutes for each in works}
        worth += sum(value[case] for done in planner(works, team, 0).lists.values() for case in done)
    return worth, time.perf_counter() - began


def _works(draw: Random) -> list[Work]:
    return [
        Work(
            case=number,
            minutes=draw.uniform(5, 60),
            value=draw.lognormvariate(0, 1.5),
            skill=draw.choice(_SKILLS),
            language=draw.choice(_LANGUAGES),
            due=draw.randrange(1, 8) * HOUR if draw.random() < 0.1 else 1 << 62,
        )
        for number in range(_WORKS)
    ]


def _team(draw: Random) -> list[Reviewer]:
    return [
        Reviewer(f"r{at}", draw.uniform(120, 420), _some(draw, _SKILLS[2:]), _some(draw, _LANGUAGES[3:]))
        for at in range(_SHIFT)
    ]


def _some(draw: Random, names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(each for each in names if draw.random() < 0.6)
