"""The plan of a shift at the size that the desk takes: how long it takes to gather, and to make by either planner."""

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from fairgate.casework.drawing import Taker, next_case
from fairgate.casework.greedy import greedy_plan
from fairgate.casework.plan import Plan, Work
from fairgate.casework.rota import duty
from fairgate.casework.solver import solved_plan
from fairgate.casework.worklist import Colleague, Fit, Terms, reviewers_of, works_of
from fairgate.domain.action import Action
from fairgate.domain.case import Case, Finding
from fairgate.domain.shifts import Hours, Shifts
from fairgate.domain.worth import Stake
from fairgate.wiring import Records, open_records
from tests.benchmarks.rows import Row
from tests.e2e.doors import ROOT

BUILD = ROOT / "build"
_CASES, _PEOPLE, _OPEN = 2_000, 20, 20_000
_NOW = 1_796_000_000_000_000
_T = TypeVar("_T")
_NEEDS = {"card": "payments", "key": "keys"}


def run() -> list[Row]:
    """The figures of plans."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name, open_records(Path(name)) as records:
        _fill(records)
        team = _team()
        shift = duty([each.shifts for each in team.values()], _NOW)
        assert shift is not None
        cases, read = _timed(lambda: records.case_queue.best(_NOW, escalated=False, after=None, limit=_CASES))
        (works, _), made = _timed(lambda: works_of(cases, [], list(team.values()), shift, Terms(_NEEDS)))
        passed, found = _unfit(records)
    reviewers = reviewers_of(shift, team)
    greedy, by_greed = _timed(lambda: greedy_plan(works, reviewers, _NOW))
    solved, by_solver = _timed(lambda: solved_plan(works, reviewers, _NOW))
    name = f"plan of a shift: {_CASES:,} cases, {_PEOPLE} people"
    return [
        Row(f"{name}: read from the records", 1e3 * read, "ms"),
        Row("the same: what each is worth and needs", 1e3 * made, "ms"),
        Row(f"{name}: made greedily", 1e3 * by_greed, "ms"),
        Row("the same: by CP-SAT, begun with the greedy one", by_solver, "s", op="<=", target=20),
        Row("the same: worth by CP-SAT against greedy", _worth(solved, works) / _worth(greedy, works), "x", target=1),
        Row(f"next case for who lacks the skill for {passed:,} better ones", 1e3 * found, "ms"),
    ]


def _timed(call: Callable[[], _T]) -> tuple[_T, float]:
    began = time.perf_counter()
    return call(), time.perf_counter() - began


def _fill(records: Records) -> None:
    draw = random.Random(7)
    for first in range(0, _OPEN, 5_000):
        findings = [_finding(number, draw) for number in range(first, first + 5_000)]
        records.case_feed.feed(first + 5_000, findings, {}, _NOW)


def _finding(number: int, draw: random.Random) -> Finding:
    minutes = draw.choice((5.0, 10.0, 20.0, 45.0))
    stake = Stake(draw.random(), draw.expovariate(0.1), 24.0, 100.0, 400.0, Action.HOLD, minutes, _NOW)
    reasons = (draw.choice(("card", "key", "farm", "farm")),)
    return Finding(f"acct_{number}", number, _NOW, Action.HOLD, stake, reasons, ("farm_network",))


def _team() -> dict[str, Colleague]:
    """Twenty people who work from midnight on, for three to eight hours."""
    draw, found = random.Random(8), {}
    for number in range(_PEOPLE):
        skills = tuple(each for each in _NEEDS.values() if draw.random() < 0.6)
        hours = tuple(Hours(day, 0, draw.randrange(180, 480)) for day in range(7))
        found[f"{number}"] = Colleague(f"reviewer {number}", Shifts(f"{number}", "UTC", hours, skills))
    return found


def _unfit(records: Records) -> tuple[int, float]:
    """How many are passed over, and the seconds, for somebody who is given nothing but the least valuable case."""
    queue, last, count = records.case_queue, None, 0
    while page := queue.best(_NOW, escalated=False, after=last, limit=5_000):
        last, count = page[-1], count + len(page)
    assert last is not None

    def suits(case: Case) -> bool:
        return case.number == last.number and Fit(_NEEDS).suits(case)

    taker = Taker("ann", fits=suits)
    found, took = _timed(lambda: next_case(queue, _NOW, taker, random.Random(3)))
    assert found is not None
    return count - 1, took


def _worth(plan: Plan, works: list[Work]) -> float:
    value = {each.case: each.value * each.minutes for each in works}
    return sum(value[case] for done in plan.lists.values() for case in done)
