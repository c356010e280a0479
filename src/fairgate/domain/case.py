"""Cases: what waits for a person's judgement, what is at stake meanwhile, and how it was judged.

Times are microseconds since 1970 UTC, money is in dollars.
"""

from enum import StrEnum
from typing import TypeVar

import msgspec

from fairgate.domain.action import Action
from fairgate.domain.worth import Stake

#: Events, reasons and pieces of evidence that a case keeps: the newest.
MOST_KEPT = 20


class CaseState(StrEnum):
    """What has become of a case. One that is merged lives on in another."""

    OPEN = "open"
    DECIDED = "decided"
    MERGED = "merged"


class Outcome(StrEnum):
    """What a person found out about who is behind the accounts of a case."""

    BAD = "bad"
    BENIGN = "benign"
    UNKNOWN = "unknown"


class Finding(msgspec.Struct, frozen=True, gc=False):
    """A decision on an event of an account that calls for somebody to look: its event, and what spoke for it.

    `event` is the number of its record in the log. `stake` is what is at stake by it alone.
    """

    account: str
    event: int
    at: int
    action: Action
    stake: Stake
    reasons: tuple[str, ...]
    evidence: tuple[str, ...]


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What speaks for a case and what is at stake, as it grows by itself while decisions are made.

    `suggested` is the gravest action that was decided on, `reasons` are codes of the pack, `evidence` the rules and
    lists that spoke, `events` the numbers of the records in the log: the newest of each, first.
    """

    stake: Stake
    suggested: Action = Action.ALLOW
    reasons: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    events: tuple[int, ...] = ()

    def fed(self, found: Finding) -> "Facts":
        """The facts with one finding more: the most of each is at stake, and what was used goes on to count."""
        stake, new = self.stake, found.stake
        return Facts(
            stake=msgspec.structs.replace(
                stake,
                probability=max(stake.probability, new.probability),
                at_risk=max(stake.at_risk, new.at_risk),
                worth=max(stake.worth, new.worth),
                stands=max(stake.stands, new.stands),
            ),
            suggested=max(self.suggested, found.action),
            reasons=_newest(found.reasons, self.reasons),
            evidence=_newest(found.evidence, self.evidence),
            events=_newest((found.event,), self.events),
        )

    def joined(self, other: "Facts", now: int) -> "Facts":
        """The facts of both, as one actor's: what their accounts burn, and are worth, comes together."""
        one, two = self.stake.faded(now), other.stake.faded(now)
        stake = msgspec.structs.replace(
            one,
            probability=max(one.probability, two.probability),
            burn=one.burn + two.burn,
            at_risk=one.at_risk + two.at_risk,
            worth=one.worth + two.worth,
            stands=max(one.stands, two.stands),
        )
        return Facts(
            stake=stake,
            suggested=max(self.suggested, other.suggested),
            reasons=_newest(self.reasons, other.reasons),
            evidence=_newest(self.evidence, other.evidence),
            events=tuple(sorted({*self.events, *other.events}, reverse=True)[:MOST_KEPT]),
        )


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """That somebody is at a case, until a time."""

    by: str
    until: int


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How a case was judged: by whom, when and why, how sure they were (above 0 to 1), and what was done."""

    outcome: Outcome
    action: Action
    reasons: tuple[str, ...]
    confidence: float
    at: int
    by: str
    why: str


class Case(msgspec.Struct, frozen=True, gc=False):
    """A case about accounts that are thought to be one actor's.

    `number` counts cases; -1 stands for none yet. `opened_by` is who opened it, empty where a decision did; `ref` is
    their own name for it; `query` is the SQL that gave the accounts, where one did. `propensity` is the probability
    with which it was drawn for review where that was by lot, and 1 else. Who is `barred` must not judge it. `version`
    goes up with each change that a person makes. `split_from` is the case of which it was a part.
    """

    number: int
    accounts: tuple[str, ...]
    facts: Facts
    opened: int
    opened_by: str = ""
    why: str = ""
    ref: str = ""
    version: int = 1
    state: CaseState = CaseState.OPEN
    claim: Claim | None = None
    snoozed_until: int = 0
    escalated: bool = False
    barred: tuple[str, ...] = ()
    propensity: float = 1.0
    merged_into: int | None = None
    split_from: int | None = None
    query: str = ""
    verdict: Verdict | None = None

    def claimed(self, now: int) -> str | None:
        """Who is at it at a time; None for nobody."""
        return self.claim.by if self.claim is not None and now < self.claim.until else None

    @property
    def drawn(self) -> bool:
        """Whether it was drawn by lot: then it has to be looked at whatever it is worth."""
        return self.propensity < 1

    @property
    def ready_at(self) -> int:
        """When it can be given to somebody, unless something changes before."""
        return max(self.snoozed_until, 0 if self.claim is None else self.claim.until)


class Happening(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What somebody did to a case, or a decision (`by` is empty then), and what they said."""

    at: int
    by: str
    what: str
    said: str


_Value = TypeVar("_Value")


def _newest(new: tuple[_Value, ...], old: tuple[_Value, ...]) -> tuple[_Value, ...]:
    """The new before the old, each once, and no more than are kept."""
    return tuple(dict.fromkeys((*new, *old)))[:MOST_KEPT]
