"""How many members of a cluster have to be looked at before all of them can be decided on.

They are looked at one after the other in a random order. What is asked is the purity of this cluster, the share of its
members that are bad, of which those seen are known: so a small cluster needs fewer looks than an endless one, and one
seen whole is certain. A Beta prior and what was seen give it (a beta-binomial law over the members not seen yet, which
becomes the Beta posterior as clusters grow).
"""

import math
import statistics
from collections.abc import Sequence
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple, TypeVar

_Member = TypeVar("_Member")
#: A prior is learnt from this many clusters at least, and counts as this many members seen at most.
FEWEST_DECIDED: Final = 30
MOST_LEARNT: Final = 4.0
_LEAST_LEARNT: Final = 0.1
#: More members than this make no difference to the posterior that a decision could hang on.
_ENDLESS: Final = 2_000


class Step(StrEnum):
    """What follows from the members that were looked at so far."""

    #: Look at one more.
    MORE = "more"
    #: Act on all members together.
    PURE = "pure"
    #: Not one actor's: act on no member because of the others.
    IMPURE = "impure"
    #: Neither, after as many looks as are worth it: split it, and go on with the parts.
    SPLIT = "split"


class Prior(NamedTuple):
    """What is thought of a cluster before the first look, as if so many bad and honest members had been seen."""

    bad: float
    honest: float


#: Most clusters are nearly all of one kind: this prior favours neither, and thinks halves unlikely.
USUAL_PRIOR: Final = Prior(0.5, 0.5)


class Bar(NamedTuple):
    """When to stop: purity at least `pure`, or at most `impure`, each with confidence `sure`; or with neither in sight.

    That is when either is less likely than `hopeless`, or after `most` looks. Nothing is decided before `least` looks.
    """

    pure: float = 0.95
    impure: float = 0.5
    sure: float = 0.9
    hopeless: float = 0.05
    least: int = 5
    most: int = 60


USUAL_BAR: Final = Bar()


def step(members: int, bad: int, honest: int, prior: Prior = USUAL_PRIOR, bar: Bar = USUAL_BAR) -> Step:
    """What to do with a cluster of so many members, of which so many were seen to be bad and to be honest.

    A cluster of which all members were seen is pure or impure where it is, and else to be split: never `MORE`.
    """
    seen = bad + honest
    if seen < min(members, bar.least):
        return Step.MORE
    pure = purer_than(bar.pure, members, bad, honest, prior)
    # Bad members at half or less is honest ones at half or more.
    impure = purer_than(1.0 - bar.impure, members, honest, bad, Prior(prior.honest, prior.bad))
    if pure >= bar.sure:
        return Step.PURE
    if impure >= bar.sure:
        return Step.IMPURE
    hopeless = max(pure, impure) < bar.hopeless
    return Step.SPLIT if hopeless or seen >= min(members, bar.most) else Step.MORE


def purer_than(purity: float, members: int, bad: int, honest: int, prior: Prior = USUAL_PRIOR) -> float:
    """How likely it is that at least this share of all members is bad; 0 or 1 where all were seen."""
    unseen = members - bad - honest
    allowed = math.floor(members * (1.0 - purity) + 1e-9) - honest
    if allowed < 0:
        return 0.0
    if allowed >= unseen:
        return 1.0
    if unseen > _ENDLESS:
        unseen, allowed = _ENDLESS, allowed * _ENDLESS // unseen
    return min(_tail(unseen, allowed, prior.honest + honest, prior.bad + bad), 1.0)


def learnt_prior(decided: Sequence[tuple[int, int]]) -> Prior:
    """The prior that clusters decided earlier suggest, from their (bad, honest) members: same mean, same spread.

    Of clusters that were seen in part, those seen. Never stronger than `MOST_LEARNT` members, nor so sure of either
    kind that looks can't overrule it soon; the usual prior where fewer than `FEWEST_DECIDED` were decided.
    """
    shares = [bad / (bad + honest) for bad, honest in decided if bad + honest]
    if len(shares) < FEWEST_DECIDED:
        return USUAL_PRIOR
    mean, spread = statistics.fmean(shares), statistics.pvariance(shares)
    strength = MOST_LEARNT if spread <= 0 else min(max(mean * (1.0 - mean) / spread - 1.0, 0.0), MOST_LEARNT)
    return Prior(max(mean * strength, _LEAST_LEARNT), max((1.0 - mean) * strength, _LEAST_LEARNT))


def in_random_order(members: Sequence[_Member], draw: Random) -> list[_Member]:
    """The members in the order in which to look at them: each order is equally likely."""
    return draw.sample(members, len(members))


def _tail(unseen: int, allowed: int, honest: float, bad: float) -> float:
    """That at most `allowed` of those not seen are honest, where Beta(honest, bad) is thought of each."""
    whole = math.lgamma(honest + bad) - math.lgamma(honest) - math.lgamma(bad)
    whole += math.lgamma(unseen + 1) - math.lgamma(unseen + honest + bad)
    return math.fsum(
        math.exp(
            whole
            - math.lgamma(each + 1)
            - math.lgamma(unseen - each + 1)
            + math.lgamma(each + honest)
            + math.lgamma(unseen - each + bad)
        )
        for each in range(allowed + 1)
    )
