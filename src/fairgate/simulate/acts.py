"""What actors do and what they see of it: the words between those who live in a world and the service that they use."""

from collections.abc import Generator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias, TypeVar

import msgspec

from fairgate.domain.event import moment
from fairgate.domain.windows import MINUTE

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


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who does things; the service can't know who.

    `kind` is a segment of honest people or an archetype of opponents, `hands` who does their challenges, by the world's
    name for it.
    """

    name: str
    kind: str
    honest: bool
    hands: str


@dataclass(slots=True)
class Account:
    """An account as the service's data base has it, and who made it, which is not in there.

    `credits` are what is left on it, in dollars. `since` is when it was made, as its services write times.
    """

    name: str
    tier: str
    created: int
    owner: Actor
    org: str | None = None
    credits: float = 0.0
    since: str = field(init=False)

    def __post_init__(self) -> None:
        self.since = stamp(self.created)

    @property
    def honest(self) -> bool:
        """Whether its owner is."""
        return self.owner.honest


class Act(msgspec.Struct, gc=False):
    """Something that is done with an account at a time (microseconds): an event, once the service has let it in.

    `actor` does it: the account's owner, or an intruder. `dollars` is the list price of the compute that it asks for.
    `disputed` is the reason for which a charge will be taken back, empty where it won't. `forbidden` is how plainly a
    request is against the policy, from 0 to 1.
    """

    time: int
    type: str
    account: Account
    actor: Actor
    data: dict[str, Value]
    dollars: float = 0.0
    disputed: str = ""
    forbidden: float = 0.0

    @property
    def abuse(self) -> bool:
        """Whether it is done by an opponent."""
        return not self.actor.honest

    @property
    def intrusion(self) -> bool:
        """Whether an opponent does it with an honest owner's account."""
        return self.account.owner.honest and not self.actor.honest


class Wait(msgspec.Struct, gc=False):
    """Nothing is done until a time."""

    time: int


T = TypeVar("T")
#: Part of a life: yields what is done, in order of time, and is sent what is seen of it.
Doing: TypeAlias = Generator[Act | Wait, Seen, T]
#: Whoever lives in a world.
Life: TypeAlias = Doing[None]


def stamp(time: int) -> str:
    """RFC 3339 of microseconds since 1970, to the millisecond."""
    minute, rest = divmod(time, MINUTE)
    seconds, milliseconds = divmod(rest // 1_000, 1_000)
    return f"{_to_the_minute(minute)}{seconds:02}.{milliseconds:03}Z"


@lru_cache(maxsize=1 << 14)
def _to_the_minute(minute: int) -> str:
    """What all times of a minute begin with: acts come in order, so a world asks for each many times in a row."""
    return f"{moment(minute * MINUTE):%Y-%m-%dT%H:%M:}"
