"""Policies made by hand, and a naive model of what they must decide."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypedDict, Unpack

from fairgate.decide.policy import Brakes, Finding, Policy, Weight
from fairgate.domain.action import Action
from fairgate.domain.pack import Stage
from fairgate.language.checked import CheckedPack, CheckedSegment
from tests.support import checked

CHECKED = checked()
#: The pack's acting lists and what each does.
EFFECTS = {"friends": Action.ALLOW, "banned": Action.BAN, "bad_mail": Action.HOLD}
NOON = 20_000 * 86_400_000_000 + 43_200_000_000
Costs = Mapping[Action, tuple[float, float]]


def with_costs(costs: Costs, prior: float = 0.01) -> CheckedPack:
    """The test pack with one segment of these costs."""
    segment = replace(CHECKED.segments[-1].segment, costs=costs)
    pack = replace(CHECKED.pack, prior=prior)
    return replace(CHECKED, pack=pack, segments=(CheckedSegment(segment, None),))


class Changes(TypedDict, total=False):
    """What a rule may have otherwise."""

    score: float
    floor: Action
    group: str
    stage: Stage
    fraction: float
    daily_cap: int | None


def weight(name: str = "rule", **changes: Unpack[Changes]) -> Weight:
    """A live rule that weighs nothing, changed so."""
    return replace(Weight(name, 0.0, Action.ALLOW, "network", Stage.LIVE, 1.0, None), **changes)


def finding(
    *fired: Weight, listed: Sequence[str] = (), entity: str | None = "someone", degraded: tuple[str, ...] = ()
) -> Finding:
    """A finding in the first segment; every canary is drawn on `entity`."""
    return Finding(fired, 0, listed, degraded, lambda _rule: entity)


def policy(costs: Costs, *, prior: float = 0.01, secret: int = 7, brakes: Brakes | None = None) -> Policy:
    """A policy of one segment."""
    return Policy(with_costs(costs, prior), secret, brakes or Brakes())


def naive_action(prior: float, costs: Costs, counted: Iterable[Weight], listed: Iterable[str]) -> set[Action]:
    """The action by the words of the design; several where their costs are the same, but for rounding."""
    counted, effects = list(counted), [EFFECTS[name] for name in listed]
    log_odds = math.log(prior / (1 - prior)) + sum(each.score for each in counted)
    probability = 1 / (1 + math.exp(-log_odds))
    expected = {action: probability * bad + (1 - probability) * good for action, (bad, good) in costs.items()}
    least = min(expected.values())
    found = set()
    for cheapest in (action for action, cost in expected.items() if cost <= least + 1e-9):
        action = max([cheapest, *(each.floor for each in counted)])
        if action in (Action.SUSPEND, Action.BAN):
            kinds = {each.group for each in counted if each.score > 0 or each.floor != Action.ALLOW}
            action = action if len(kinds) >= 2 else Action.HOLD
        found.add(Action.ALLOW if Action.ALLOW in effects else max([action, *effects]))
    return found
