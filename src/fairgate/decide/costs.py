"""The action of least expected cost, as a function of the log-odds of abuse.

With p the probability of abuse, an action costs p * bad + (1 - p) * good: a line over p. The best action is the lower
envelope of those lines, so that each segment's table comes down to a few thresholds, found once.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from fairgate.domain.action import Action


@dataclass(frozen=True, slots=True)
class CostTable:
    """Actions from mild to grave, and the log-odds from which each is better than the one before."""

    thresholds: tuple[float, ...]
    actions: tuple[Action, ...]

    def cheapest(self, log_odds: float) -> Action:
        """The action of least expected cost; at a threshold the later one."""
        return self.actions[bisect_right(self.thresholds, log_odds)]


def cost_table(costs: Mapping[Action, tuple[float, float]]) -> CostTable:
    """The thresholds of a table of (cost on an abusive event, cost on an honest one). Of equals the mildest is taken.

    The envelope is followed from p = 0: each time the line that undercuts the present one first, as in Jarvis' march.
    """
    at = 0.0
    current = min(costs, key=lambda action: (costs[action][1], costs[action][0], action))
    thresholds: list[float] = []
    actions = [current]
    while True:
        following = [(max(_crossing(costs[current], costs[action]), at), action) for action in costs]
        at, current = min(following, key=lambda each: (each[0], costs[each[1]][0], each[1]))
        if at >= 1.0:
            return CostTable(tuple(thresholds), tuple(actions))
        thresholds.append(log_odds_of(at))
        actions.append(current)


def _crossing(now: tuple[float, float], other: tuple[float, float]) -> float:
    """The probability from which the other line is the lower one; 1 where it never is.

    No line lies below the present one at the place that the march has come to, so one that falls faster crosses it
    there or later. Rounding may put the crossing a little before that place.
    """
    bad, good = now[0] - other[0], other[1] - now[1]
    if bad <= 0:  # not falling faster than the line we are on
        return 1.0
    return max(good, 0.0) / (max(good, 0.0) + bad)


def log_odds_of(probability: float) -> float:
    """ln(p / (1 - p)); infinite at 0 and 1."""
    if probability <= 0.0:
        return -math.inf
    return math.inf if probability >= 1.0 else math.log(probability / (1.0 - probability))


def probability_of(log_odds: float) -> float:
    """The inverse, without overflow."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    return (small := math.exp(log_odds)) / (1.0 + small)
