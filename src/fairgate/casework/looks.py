"""Which cases are looked at twice, and how often what was decided turns out wrong.

Two kinds of case are for quality: a *gold* one, of which the truth is known, and a *double* one, which somebody else
has decided on. On both the score and what others said are hidden, so that the reviewer judges by the evidence alone.
"""

import statistics
from collections.abc import Iterable, Sequence
from random import Random
from typing import Final, NamedTuple

from fairgate.casework.reserve import Estimate, share_of
from fairgate.domain.look import Kind
from fairgate.domain.worth import Errors, Stake, value_per_minute

#: The share of ordinary decisions that is looked at a second time, and of a reviewer's cases that are gold.
DOUBLE_SHARE: Final = 0.05
GOLD_SHARE: Final = 0.03
#: What a minute of a reviewer costs, in dollars: a second look that saves more than this a minute is always taken.
MINUTE_COSTS: Final = 1.0
#: Nothing grave is done where it is likelier than this to be wrong: not before a second look, and not after it either.
MOST_WRONG: Final = 0.004


#: Fewer cases than this have no spread.
_FEWEST: Final = 2


class Look(NamedTuple):
    """What a case was drawn as, and how likely it was to be drawn as that: recorded, for estimates."""

    kind: Kind
    propensity: float

    @property
    def score_shown(self) -> bool:
        """Whether the reviewer may see the score and what others said."""
        return self.kind is Kind.ORDINARY


class Checked(NamedTuple):
    """A decision that was checked: whether it was wrong, and how likely it was to be checked."""

    wrong: bool
    propensity: float


class Handling(NamedTuple):
    """Minutes that cases took: half of them at most `median`, nine in ten at most `most`."""

    median: float
    most: float


def posterior(probability: float, errors: Errors, *, said_bad: bool) -> float:
    """That the actor is bad, now that a reviewer who errs like this has called them bad, or honest."""
    if said_bad:
        bad, honest = probability * (1.0 - errors.missed), (1.0 - probability) * errors.wronged
    else:
        bad, honest = probability * errors.missed, (1.0 - probability) * (1.0 - errors.wronged)
    return bad / (bad + honest) if bad + honest else probability


def look(stake: Stake, second: Errors, draw: Random) -> Look:
    """Whether somebody else looks as well at a case that was decided, before it is acted on.

    `stake` is what is at stake now: with the probability after the first look (`posterior`) and the action that would
    stand. A second look is always taken where it is worth its time, or what would be done is likely to be wrong; of the
    others some are drawn.
    """
    if too_doubtful(stake) or value_per_minute(stake, second) > MINUTE_COSTS:
        return Look(Kind.DOUBLE, 1.0)
    if draw.random() < DOUBLE_SHARE:
        return Look(Kind.DOUBLE, DOUBLE_SHARE)
    return Look(Kind.ORDINARY, 1.0 - DOUBLE_SHARE)


def too_doubtful(stake: Stake) -> bool:
    """Whether the grave action that would stand is too likely to be wrong: somebody else looks, or it is a hold."""
    return stake.stands.grave and 1.0 - stake.probability > MOST_WRONG


def gold_next(gold: Sequence[int], draw: Random) -> int | None:
    """A gold case to slip in before a reviewer's next one; None, as mostly. `gold` are those not seen by them."""
    return draw.choice(gold) if gold and draw.random() < GOLD_SHARE else None


def wrong_share(checked: Iterable[Checked], decisions: int) -> Estimate:
    """The share of all decisions that is wrong, from those that were checked: without bias, whatever was drawn."""
    return share_of(((each.wrong, each.propensity) for each in checked), decisions)


def handling(minutes: Sequence[float]) -> Handling | None:
    """How long cases took; None where fewer than two were done."""
    if len(minutes) < _FEWEST:
        return None
    return Handling(statistics.median(minutes), statistics.quantiles(minutes, n=10, method="inclusive")[8])
