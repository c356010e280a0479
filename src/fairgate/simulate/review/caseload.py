"""The cases that a simulated review team is asked to look at. All of it is made up; every figure of it stands here.

The figures are believable for an AI API of middle size, not measured at one. What matters for the comparison is that
they are heavy-tailed (a few cases make up most of the money) and that more comes in than can be looked at.
"""

import math
from dataclasses import dataclass
from random import Random
from typing import Final

from fairgate.casework.purity import USUAL_BAR
from fairgate.domain.action import MOST_UNGRAVE, Action
from fairgate.domain.worth import USUAL, Stake, cost_of

#: Times here are minutes since the beginning.
HOUR: Final = 60.0


@dataclass(frozen=True, slots=True)
class Kind:
    """What cases under one reason code are like."""

    reason: str
    #: Its part of all cases: farms are found often, stolen keys seldom.
    share: float
    #: Accounts in a case (median, spread of the logarithm): farms are large, a stolen key is one account.
    size: tuple[float, float]
    #: Dollars of compute an hour and account (median, spread): a stolen key burns what its owner's limit allows.
    burn: tuple[float, float]
    #: Hours until it would be caught otherwise, on average: a bill bounces after weeks, credits are gone within days.
    hours: float
    #: Dollars lost once beside, per account (median, spread): credits, a charge taken back with its fee.
    at_risk: tuple[float, float]
    #: Dollars that an honest customer is worth, per account (median, spread): companies own the keys.
    worth: tuple[float, float]


#: Five reason codes of the pack `ai_api` that differ in what makes a case costly.
KINDS: Final = (
    Kind("credit_farm", 0.35, (12, 1.1), (0.02, 1.0), 72, (5, 0.5), (25, 0.8)),
    Kind("resale", 0.20, (6, 1.0), (0.25, 1.2), 120, (10, 0.8), (120, 1.0)),
    Kind("stolen_card", 0.20, (2, 0.6), (0.4, 1.1), 240, (80, 0.8), (200, 1.0)),
    Kind("stolen_key", 0.10, (1, 0.0), (4.0, 1.4), 36, (0, 0.0), (1500, 1.2)),
    Kind("seat_sharing", 0.15, (3, 0.6), (0.05, 0.8), 400, (0, 0.0), (250, 0.8)),
)
#: Cases that come in an hour, at the busiest: one look at each would take 2.2 times the team's minutes, and with second
#: looks about three in ten are decided. Security teams report that two thirds of their alerts are never looked at.
ARRIVALS: Final = 46.0
#: At night it is a third of that: attackers keep other hours than reviewers, and customers sleep.
QUIETEST: Final = 1 / 3
#: The probability that is shown follows Beta(0.9, 1.3) before noise: cases are opened in the uncertain middle too.
SHOWN: Final = (0.9, 1.3)
#: What is shown is off by this in log-odds (one standard deviation): calibrated on the whole, not for a single case.
NOISE: Final = 0.5
#: Part of the cases whose burn rate changes while they wait, and by how much (spread): the queue has to notice.
CHANGES: Final = (0.3, 1.2)
#: Minutes of a review beside looks at members, and of each look; and how they vary: reading evidence is most of it.
MINUTES: Final = (4.0, 0.5, 0.4)
#: Looks at a cluster's members that a review is expected to need at most.
MOST_LOOKS: Final = min(USUAL_BAR.most, 25)
#: How plain the evidence is, as a factor (spread): what is hard for one reviewer is hard for the others too.
PLAINNESS: Final = 0.12


@dataclass(frozen=True, slots=True)
class Case:
    """A simulated case: what is shown of it, and what is true. `burn` is before and after `turns`."""

    number: int
    kind: Kind
    arrives: float
    ends: float
    turns: float
    size: int
    bad: bool
    plain: float
    probability: float
    burn: tuple[float, float]
    at_risk: float
    worth: float
    expected: float
    minutes: float

    def stake(self, now: float) -> Stake:
        """What is at stake, as far as anybody can know, with what the automatic decision makes of it."""
        burn = self.burn[now >= self.turns]
        bare = Stake(self.probability, burn, self.kind.hours, self.at_risk, self.worth, Action.ALLOW, self.expected)
        return Stake(self.probability, burn, self.kind.hours, self.at_risk, self.worth, automatic(bare), self.expected)


def automatic(stake: Stake) -> Action:
    """The cheapest action that needs nobody: what stands while a case waits."""
    return min(list(Action)[: MOST_UNGRAVE + 1], key=lambda action: cost_of(stake, action, USUAL))


def cases(draw: Random, days: float, load: float = 1.0) -> list[Case]:
    """The cases of so many days, in the order in which they come in; `load` times as many as usual."""
    found, now = list[Case](), 0.0
    while True:
        now += draw.expovariate(load * ARRIVALS / HOUR)
        if now >= days * 24 * HOUR:
            return found
        if draw.random() < _busy(now):
            found.append(_case(draw, len(found), now))


def _busy(now: float) -> float:
    swing = 0.5 + 0.5 * math.cos(2 * math.pi * (now / HOUR - 14) / 24)
    return QUIETEST + (1 - QUIETEST) * swing


def _case(draw: Random, number: int, now: float) -> Case:
    kind = draw.choices(KINDS, [each.share for each in KINDS])[0]
    size = max(1, round(_about(draw, kind.size)))
    believed = min(max(draw.betavariate(*SHOWN), 0.002), 0.998)
    shown = 1 / (1 + math.exp(-math.log(believed / (1 - believed)) - draw.gauss(0, NOISE)))
    burn = size * _about(draw, kind.burn)
    after = burn * math.exp(draw.gauss(0, CHANGES[1])) if draw.random() < CHANGES[0] else burn
    ends = now + draw.expovariate(1 / (kind.hours * HOUR))
    fixed, per_look, spread = MINUTES
    expected = fixed + per_look * min(size, MOST_LOOKS)
    return Case(
        number=number,
        kind=kind,
        arrives=now,
        ends=ends,
        turns=draw.uniform(now, ends),
        size=size,
        bad=draw.random() < believed,
        plain=math.exp(draw.gauss(0, PLAINNESS)),
        probability=shown,
        burn=(burn, after),
        at_risk=size * _about(draw, kind.at_risk),
        worth=size * _about(draw, kind.worth),
        expected=expected,
        minutes=expected * math.exp(draw.gauss(-spread * spread / 2, spread)),
    )


def _about(draw: Random, law: tuple[float, float]) -> float:
    median, spread = law
    return median * math.exp(draw.gauss(0, spread))
