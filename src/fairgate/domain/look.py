"""Looks: what each of those who looked at a case said of it, and who is to look at it once more without knowing that.

Times are microseconds since 1970 UTC.
"""

from enum import StrEnum

import msgspec

from fairgate.domain.action import Action
from fairgate.domain.case import Claim, Outcome


class Kind(StrEnum):
    """What a case is to whoever looks at it, where quality is concerned."""

    ORDINARY = "ordinary"
    DOUBLE = "double"
    GOLD = "gold"


class LookState(StrEnum):
    """Whether somebody has looked. One is dropped where the case was opened again meanwhile."""

    WAITING = "waiting"
    DONE = "done"
    DROPPED = "dropped"


class Staged(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An action that is to follow: on whom (nobody: on all of the case), and for how long; None for what the pack says.

    `length` is as people write it.
    """

    action: Action
    accounts: tuple[str, ...] = ()
    length: str | None = None


class Word(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What somebody said of a case: what they found, the gravest they would do (or did), and why."""

    outcome: Outcome
    action: Action
    reasons: tuple[str, ...]
    confidence: float
    why: str


class OneLook(msgspec.Struct, frozen=True, gc=False):
    """One person's look at a case.

    `number` counts looks; -1 stands for none yet. `round` is how often the case had been opened again. `propensity` is
    with which probability it came about: that the case was given out (ordinary), that somebody else looks as well
    (double), or that this case was slipped in (gold). `given` are those it was ever given to. `by`, `began`, `ended`
    and `word` are there once it is done. `held` are the actions that wait for it. `agreed` is whether it said the same
    as the look before, `settles` that it is the last word on what two had said differently in the round before.
    `version` goes up with each change; it is 0 before anybody was given it.
    """

    number: int
    case: int
    round: int
    kind: Kind
    propensity: float
    made: int
    version: int = 0
    state: LookState = LookState.WAITING
    claim: Claim | None = None
    given: tuple[str, ...] = ()
    by: str = ""
    began: int = 0
    ended: int = 0
    word: Word | None = None
    held: tuple[Staged, ...] = ()
    agreed: bool | None = None
    settles: bool = False

    def claimed(self, now: int) -> str | None:
        """Who is at it at a time; None for nobody."""
        return self.claim.by if self.claim is not None and now < self.claim.until else None

    @property
    def ready_at(self) -> int:
        """When it can be given to somebody, unless something changes before."""
        return 0 if self.claim is None else self.claim.until


class Gold(msgspec.Struct, frozen=True, gc=False):
    """A decided case of which the truth is known: what it is, and who says so, when and why."""

    case: int
    truth: Outcome
    at: int
    by: str
    why: str
