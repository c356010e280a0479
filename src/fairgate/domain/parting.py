"""How a case is divided in two: what of its money, and of what speaks for it, goes with some of its accounts."""

import msgspec

from fairgate.domain.case import Facts


class Part(msgspec.Struct, frozen=True, gc=False):
    """What one part of a case's accounts has of it: shares of what they burn, of what is at risk, and of their worth.

    `own` is what decisions on these accounts alone found. Without it nobody knows, and all that speaks for the case
    speaks for them.
    """

    burn: float
    at_risk: float
    worth: float
    own: Facts | None = None

    def of(self, whole: Facts, events: tuple[int, ...], now: int) -> Facts:
        """The part's facts, of the whole case's and with these events of it."""
        said, stake = self.own or whole, whole.stake.faded(now)
        stake = msgspec.structs.replace(
            stake,
            probability=said.stake.probability,
            burn=stake.burn * self.burn,
            at_risk=stake.at_risk * self.at_risk,
            worth=stake.worth * self.worth,
            stands=said.stake.stands,
        )
        return Facts(stake, said.suggested, said.reasons, said.evidence, events)


class Parting(msgspec.Struct, frozen=True, gc=False):
    """The accounts that stay and those that go. Their shares are together all there is, so money is not made or lost.

    Merged again, both are at stake with what they were at stake with before.
    """

    stays: Part
    goes: Part

    def of(self, whole: Facts, now: int) -> tuple[Facts, Facts]:
        """The facts of those that stay and of those that go. Events that nobody knows the account of stay."""
        known = frozenset(() if self.goes.own is None else self.goes.own.events)
        gone = tuple(each for each in whole.events if each in known)
        left = tuple(each for each in whole.events if each not in known)
        return self.stays.of(whole, left, now), self.goes.of(whole, gone, now)
