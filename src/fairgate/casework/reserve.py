"""The part of reviewers' time that is kept for cases which triage would not choose, and what can be learnt from them.

A queue ranked by worth shows nobody what it ranks low. So about a tenth of the time goes to cases that are drawn: half
of it among all, half among those that are uncertain or new. Each case takes part in one draw, the first after it came
in. How likely it was to be drawn is known for each and recorded, so that estimates by inverse propensity have no bias.
"""

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple

#: The share of reviewers' time that is kept.
KEPT_SHARE: Final = 0.1
#: Of that, the part for which all cases are alike.
RANDOM_PART: Final = 0.5
#: No case is so sure that it can't be drawn as uncertain.
_LEAST_DOUBT: Final = 0.01
_ROUNDING: Final = 1e-9


class Candidate(NamedTuple):
    """A case that came in since the last draw. `new`: like nothing that was decided on before."""

    case: int
    minutes: float
    probability: float
    new: bool = False


class Why(StrEnum):
    """What a case was drawn as."""

    RANDOM = "random"
    UNCERTAIN = "uncertain"


class Kept(NamedTuple):
    """A case that was drawn, and how likely that was, in either half. It has to be looked at whatever it is worth."""

    case: int
    why: Why
    propensity: float


class Estimate(NamedTuple):
    """A share estimated from a sample, and its standard error."""

    share: float
    error: float


def keep(candidates: Sequence[Candidate], minutes: float, draw: Random) -> list[Kept]:
    """Draw cases for so many kept minutes, which they are expected to take: together about that, never twice as much.

    Every case has a propensity above 0 if there are minutes at all, and the one recorded is exact.
    """
    random = _spread([1.0] * len(candidates), candidates, minutes * RANDOM_PART)
    doubt = [1.0 if each.new else max(_doubt(each.probability), _LEAST_DOUBT) for each in candidates]
    uncertain = _spread(doubt, candidates, minutes * (1.0 - RANDOM_PART))
    by_chance, by_doubt = _systematic(random, draw), _systematic(uncertain, draw)
    return [
        Kept(
            candidates[at].case,
            Why.RANDOM if at in by_chance else Why.UNCERTAIN,
            1.0 - (1.0 - random[at]) * (1.0 - uncertain[at]),
        )
        for at in sorted(by_chance | by_doubt)
    ]


def share_of(found: Iterable[tuple[bool, float]], cases: int) -> Estimate:
    """The share of all cases of which something is true, from those that were drawn (whether it is, propensity).

    Without bias (Horvitz and Thompson), whatever the propensities; so it may be a little over 1. The standard error
    takes the draws as independent, which for the draws made here errs on the safe side.
    """
    total, variance = 0.0, 0.0
    for true, propensity in found:
        if true:
            total += 1.0 / propensity
            variance += (1.0 - propensity) / propensity**2
    return Estimate(total / cases, math.sqrt(variance) / cases) if cases else Estimate(0.0, 0.0)


def _doubt(probability: float) -> float:
    """1 where nothing is known, 0 where all is."""
    return 4.0 * probability * (1.0 - probability)


def _spread(weights: Sequence[float], candidates: Sequence[Candidate], minutes: float) -> list[float]:
    """Propensities in proportion to weights, none over 1, expected to take so many minutes, or all there are."""
    found, free = [0.0] * len(weights), list(range(len(weights)))
    left = minutes
    while free:
        whole = sum(weights[at] * candidates[at].minutes for at in free)
        factor = left / whole if whole > 0 else math.inf
        certain = [at for at in free if factor * weights[at] >= 1.0]
        if not certain:
            for at in free:
                found[at] = max(factor * weights[at], 0.0)
            break
        for at in certain:
            found[at] = 1.0
            left -= candidates[at].minutes
        free = [at for at in free if found[at] < 1.0]
    return found


def _systematic(propensities: Sequence[float], draw: Random) -> set[int]:
    """A draw in which each is taken with exactly its propensity, and the number taken is their sum, to one.

    They are laid end to end, in random order, along a rule with a mark at each whole number behind a random start: one
    with a mark on it is taken.
    """
    order = draw.sample(range(len(propensities)), len(propensities))
    taken, at, mark = set[int](), 0.0, draw.random()
    for each in order:
        at += propensities[each]
        if propensities[each] > 0 and at > mark - (_ROUNDING if propensities[each] >= 1.0 else 0.0):
            taken.add(each)
            mark += 1.0
    return taken
