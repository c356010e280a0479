"""What a minute of review is worth: what a case is expected to cost without it, less what it costs after it.

A case is about an actor, however many accounts it has. Without a review an action may become graver by itself, as far
as one may without a person, but nobody lifts it. After a review the action is the cheapest one in the light of what the
reviewer said, who may err.
"""

from collections.abc import Mapping
from math import exp
from typing import Final, NamedTuple

import msgspec

from fairgate.domain.action import MOST_UNGRAVE, Action
from fairgate.domain.windows import HOUR

#: A review takes at least this many minutes, whatever is expected of it: a minute's worth is never without bounds.
LEAST_MINUTES: Final = 0.25
#: Who is bad with a probability in between is uncertain.
UNCERTAIN: Final = (0.35, 0.65)
_LEAST_SHARE = 1e-9


class Stake(msgspec.Struct, frozen=True, gc=False):
    """What is at stake in a case, as of now. Money is dollars; nothing is negative."""

    #: That the actor is bad, from 0 to 1.
    probability: float
    #: What all its accounts together use up in an hour while nothing is done.
    burn: float
    #: How many hours that would go on if nobody looked, until it is caught some other way.
    hours: float
    #: What is lost beside that if nothing is done: unpaid bills, credits that can still be spent, stolen cards.
    at_risk: float
    #: What honest customers behind these accounts would be worth, all of which a wrong ban costs.
    worth: float
    #: The gravest action that stands about them.
    stands: Action
    #: How long a review is expected to take.
    minutes: float
    #: When it was so much that they burn, in microseconds since 1970 UTC.
    at: int = 0

    def faded(self, now: int) -> "Stake":
        """The stake at a later time: what was used before counts less, by a factor of e for each hour since."""
        burn = self.burn * exp(-max(0, now - self.at) / HOUR)
        return msgspec.structs.replace(self, burn=burn, at=max(now, self.at))

    def used(self, dollars: float, now: int) -> "Stake":
        """The stake after so much was used at a time."""
        faded = self.faded(now)
        return msgspec.structs.replace(faded, burn=faded.burn + dollars)

    @property
    def uncertain(self) -> bool:
        """Whether it can hardly be said if the actor is bad."""
        return UNCERTAIN[0] <= self.probability <= UNCERTAIN[1]

    @property
    def harm(self) -> float:
        """What a bad actor costs if nothing is done."""
        return self.burn * self.hours + self.at_risk


class Errors(NamedTuple):
    """How a reviewer errs: the shares of the bad whom they call honest, and of the honest whom they call bad."""

    missed: float
    wronged: float


#: A good reviewer who is awake; replaced by what is measured of one (`casework.confusion`).
USUAL_ERRORS: Final = Errors(missed=0.06, wronged=0.03)


class Effect(NamedTuple):
    """What an action does: the share of the harm that it leaves, and the share of an honest customer that it costs."""

    leaves: float
    hurts: float


Effects = tuple[Effect, ...]


def effects_of(costs: Mapping[Action, tuple[float, float]]) -> Effects:
    """The effects that a pack's table of costs (on an abusive event, on an honest one) comes down to, per action.

    Harm is counted against "allow", honest customers against what costs them most. An action that the table does not
    have does what the next milder one does, for it is not taken.
    """
    harm = max(costs.get(Action.ALLOW, (0.0, 0.0))[0], *(bad for bad, _ in costs.values()), _LEAST_SHARE)
    worth = max(*(good for _, good in costs.values()), _LEAST_SHARE, 0.0)
    found, last = [], Effect(1.0, 0.0)
    for action in Action:
        if action in costs:
            bad, good = costs[action]
            last = Effect(bad / harm, good / worth)
        found.append(last)
    return tuple(found)


#: What actions do by the default segment of the pack `ai_api`.
USUAL: Final[Effects] = effects_of({
    Action.ALLOW: (100, 0),
    Action.WATCH: (95, 0.25),
    Action.THROTTLE: (60, 2.5),
    Action.CHALLENGE: (25, 7),
    Action.HOLD: (8, 45),
    Action.SUSPEND: (3, 160),
    Action.BAN: (2, 400),
})  # fmt: skip


def cost_of(stake: Stake, action: Action, effects: Effects = USUAL) -> float:
    """What an action is expected to cost, in dollars."""
    leaves, hurts = effects[action]
    return stake.probability * stake.harm * leaves + (1.0 - stake.probability) * stake.worth * hurts


def cost_without(stake: Stake, effects: Effects = USUAL) -> float:
    """What the case is expected to cost if nobody looks, in dollars: by what stands, or what may follow by itself."""
    bad, good = stake.probability * stake.harm, (1.0 - stake.probability) * stake.worth
    return _least(bad, good, effects[stake.stands : max(MOST_UNGRAVE, stake.stands) + 1])


def cost_after(stake: Stake, errors: Errors = USUAL_ERRORS, effects: Effects = USUAL) -> float:
    """What it is expected to cost once somebody has looked, in dollars.

    For either answer the cheapest action of all is taken, knowing how often that answer is wrong: never more than
    `cost_without`, and never less for a reviewer who errs more.
    """
    bad, good = stake.probability * stake.harm, (1.0 - stake.probability) * stake.worth
    said_bad = _least(bad * (1.0 - errors.missed), good * errors.wronged, effects)
    said_honest = _least(bad * errors.missed, good * (1.0 - errors.wronged), effects)
    return said_bad + said_honest


def value_per_minute(stake: Stake, errors: Errors = USUAL_ERRORS, effects: Effects = USUAL) -> float:
    """What a minute of review saves, in dollars; never negative. The queue is ranked by it."""
    saved = cost_without(stake, effects) - cost_after(stake, errors, effects)
    return max(saved, 0.0) / max(stake.minutes, LEAST_MINUTES)


def _least(bad: float, good: float, effects: Effects) -> float:
    return min(bad * leaves + good * hurts for leaves, hurts in effects)
