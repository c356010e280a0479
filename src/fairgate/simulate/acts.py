"""What actors do and what they see of it: the words between those who live in a world and the service that they use."""

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, TypeVar

import msgspec

#: An attribute's value as it is sent.
Value: TypeAlias = str | float | bool | None


class Seen(StrEnum):
    """What somebody sees of what they did. Nobody is told why."""

    SERVED = "served"
    CHALLENGED = "challenged"  # passed it, and was served
    SLOWED = "slowed"  # not now: asked too often for a throttled account
    HELD = "held"  # credits or an account that has to wait for a person
    REFUSED = "refused"  # a challenge that was not passed
    CLOSED = "closed"  # the account is suspended or banned
    WOKEN = "woken"  # nothing: they had only waited

    @property
    def served(self) -> bool:
        """Whether it was done."""
        return self in (Seen.SERVED, Seen.CHALLENGED)


@dataclass(slots=True)
class Account:
    """An account as the service's data base has it, and beside it who stands behind it, which the service can't know.

    `kind` is the segment or the archetype of whoever made it, `actor` names them; `hands` is who does its challenges,
    by the world's name for it. `credits` are what is left on it, in dollars.
    """

    name: str
    tier: str
    created: int
    actor: str
    kind: str
    honest: bool
    hands: str
    org: str | None = None
    credits: float = 0.0


class Act(msgspec.Struct, gc=False):
    """Something that is done with an account at a time (microseconds): an event, once the service has let it in.

    `dollars` is the list price of the compute that it asks for. `abuse` tells an intruder's acts from the owner's.
    """

    time: int
    type: str
    account: Account
    data: dict[str, Value]
    dollars: float = 0.0
    abuse: bool = False


class Wait(msgspec.Struct, gc=False):
    """Nothing is done until a time."""

    time: int


T = TypeVar("T")
#: Part of a life: yields what is done, in order of time, and is sent what is seen of it.
Doing: TypeAlias = Generator[Act | Wait, Seen, T]
#: Whoever lives in a world.
Life: TypeAlias = Doing[None]
