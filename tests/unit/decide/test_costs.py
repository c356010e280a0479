"""The action of least expected cost, against looking at all of them; and mutants that this must notice."""

import math

import pytest
from hypothesis import strategies as st

from fairgate.decide import costs as module
from fairgate.decide.costs import CostTable, log_odds_of, probability_of
from fairgate.domain.action import Action
from tests.contracts.planting import Edit
from tests.unit.decide.checks import Check, is_noticed

COSTS = st.integers(0, 4) | st.sampled_from([0.1, 0.2, 0.3, 0.7]) | st.floats(0, 1000)
TABLES = st.dictionaries(st.sampled_from(list(Action)), st.tuples(COSTS, COSTS), min_size=1)
PROBABILITIES = st.floats(0.001, 0.999) | st.sampled_from([0.25, 0.5, 0.75])
Table = dict[Action, tuple[float, float]]


def expected(costs: Table, action: Action, probability: float) -> float:
    bad, good = costs[action]
    return probability * bad + (1 - probability) * good


def the_cheapest_is_taken(costs: Table, probability: float) -> None:
    table = module.cost_table(costs)
    least = min(expected(costs, action, probability) for action in costs)
    assert expected(costs, table.cheapest(log_odds_of(probability)), probability) <= least + 1e-9
    assert list(table.thresholds) == sorted(table.thresholds)
    for threshold in table.thresholds:
        if math.isfinite(threshold):
            at = probability_of(threshold)
            least = min(expected(costs, action, at) for action in costs)
            assert expected(costs, table.cheapest(threshold), at) <= least + 1e-9


def lines_through_one_point_lose_none() -> None:
    """As floats, they cross a little before and behind each other."""
    costs = {
        Action.ALLOW: (62.47663069177615, 23.30874705720286),
        Action.WATCH: (58.95553600115527, 30.841424055076136),
        Action.CHALLENGE: (39.36344063805063, 72.75478880351885),
        Action.HOLD: (37.52520807734886, 76.6873192644643),
    }
    table = module.cost_table(costs)
    assert table.cheapest(log_odds_of(0.5)) is Action.ALLOW
    assert table.cheapest(log_odds_of(0.9)) is Action.HOLD


def the_mildest_of_equals_and_the_later_at_a_threshold() -> None:
    even = module.cost_table({Action.BAN: (1, 1), Action.WATCH: (1, 1), Action.HOLD: (1, 1)})
    assert even == CostTable((), (Action.WATCH,))
    two = module.cost_table({Action.ALLOW: (10, 0), Action.HOLD: (0, 10)})
    assert two == CostTable((0.0,), (Action.ALLOW, Action.HOLD))
    assert two.cheapest(0.0) is Action.HOLD
    assert two.cheapest(-1e-9) is Action.ALLOW
    never = module.cost_table({Action.ALLOW: (10, 5), Action.WATCH: (10, 0), Action.HOLD: (20, 0)})
    assert never == CostTable((), (Action.WATCH,))
    at_once = module.cost_table({Action.ALLOW: (5, 1), Action.WATCH: (2, 1)})
    assert at_once.cheapest(-700.0) is Action.WATCH


def log_odds_lead_back(log_odds: float) -> None:
    probability = probability_of(log_odds)
    assert 0 <= probability <= 1
    assert probability_of(-log_odds) == pytest.approx(1 - probability)
    if abs(log_odds) < 15:
        assert module.log_odds_of(probability) == pytest.approx(log_odds, abs=1e-6)


CHECKS = [
    Check(the_cheapest_is_taken, TABLES, PROBABILITIES),
    Check(lines_through_one_point_lose_none),
    Check(the_mildest_of_equals_and_the_later_at_a_threshold),
    Check(log_odds_lead_back, st.floats(-700, 700)),
]


@pytest.mark.parametrize("check", CHECKS, ids=repr)
def test_costs(check: Check) -> None:
    check.run()


def test_the_ends_of_the_scale() -> None:
    assert (log_odds_of(0.0), log_odds_of(1.0), log_odds_of(0.5)) == (-math.inf, math.inf, 0.0)
    assert (probability_of(-1e6), probability_of(1e6)) == (0.0, 1.0)


MUTANTS = {
    "starts at the abusive end": Edit(
        module, "cost_table", "(costs[action][1], costs[action][0]", "(costs[action][0], costs[action][1]"
    ),
    "loses what crosses a rounding earlier": Edit(
        module,
        "cost_table",
        "following = [(max(_crossing(costs[current], costs[action]), at), action) for action in costs]",
        "ways = [(_crossing(costs[current], costs[action]), action) for action in costs]\n"
        "        following = [way for way in ways if way[0] >= at] or [(1.0, current)]",
    ),
    "lets a line cross that falls more slowly": Edit(module, "_crossing", "if bad <= 0:", "if bad < -5:"),
    "takes the wrong share": Edit(module, "_crossing", "return max(good, 0.0) /", "return bad /"),
    "takes the earlier action at a threshold": Edit(
        CostTable, "cheapest", "bisect_right(self", "__import__('bisect').bisect_left(self"
    ),
    "takes odds for log-odds": Edit(module, "log_odds_of", "math.log(", "("),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_that(name: str) -> None:
    assert is_noticed(MUTANTS[name], CHECKS)
