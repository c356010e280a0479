"""Leases for many gateways: the terms, what a gateway and the desk say to each other, and the port between them.

The desk owns the counters. It grants a gateway leases on behalf of accounts: so much cost, for so long. The gateway
admits requests from them in memory. Over any window of length t, with C the pool's capacity, B its burst and the one
lease that emptied it, q the quantum and t_cut * g_cut the time that gateways were cut off, summed,

    admitted - given back <= C * t + B + G * q + sigma * C * t_cut * g_cut / G.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

import msgspec
from msgspec import Meta

from fairgate.share.answers import Reason
from fairgate.share.pool import Pool
from fairgate.share.usage import MOST_CAPACITY, amount

#: Wants, returns and cancels in one message: more go with the next.
MOST_SAID: Final = 2_000
#: The longest that a want may wait, in seconds.
LONGEST: Final = 3_600.0
#: How far clocks may differ in rate before nothing is left of a lease's life.
_MOST_DELTA: Final = 0.25

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Count = Annotated[int, Meta(ge=0, le=1 << 53)]
CostOf = Annotated[float, Meta(ge=0, le=MOST_CAPACITY)]


@dataclass(frozen=True, slots=True)
class Terms:
    """What the desk and all gateways must agree on.

    `gateways` is G, how many there are at most; `quanta` has q of each pool, the most that one gateway holds
    unspent; `lifetime` is tau, the seconds that a lease lives; `delta` how far a clock may be off, as a part; `sigma`
    the part of the capacity that all gateways may use together when all are cut off. Raises ValueError for what can't
    be.
    """

    gateways: int
    quanta: Mapping[str, float]
    lifetime: float = 10.0
    delta: float = 0.01
    sigma: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what can't be."""
        if self.gateways < 1 or not all(amount("quanta", q, MOST_CAPACITY) > 0 for q in self.quanta.values()):
            raise ValueError("gateways must be 1 or more, and each quantum above 0")
        if not amount("lifetime", self.lifetime) > 0 or not 0 <= self.delta < _MOST_DELTA or not 0 <= self.sigma <= 1:
            raise ValueError("lifetime must be above 0, delta from 0 to below 0.25, sigma from 0 to 1")

    def quantum(self, pool: Pool) -> float:
        """The quantum of a pool. Raises ValueError where there is none, or a lease would outlive a grant."""
        if pool.name not in self.quanta or self.lifetime >= pool.grant_seconds:
            raise ValueError(f"pool {pool.name}: it needs a quantum, and grant_seconds above the lifetime of leases")
        return self.quanta[pool.name]


class Want(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A gateway wants a lease for an account, and waits `deadline` seconds at most. An id is never used again."""

    id: Name
    account: Name
    model: Name
    cost: CostOf
    deadline: Annotated[float, Meta(ge=0, le=LONGEST)]


class Return(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A gateway is done with a lease. `spent` may be beyond its cost, where requests turned out larger."""

    lease: Name
    spent: CostOf


class Sent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a gateway says.

    `process` tells a process of the gateway from others, and `life` grows when it begins anew: what the desk still has
    of an earlier life is spent. `number` grows with each message. What no answer arrived for is said again. `desk` and
    `heard` are the desk's life and the serial of the last answer that arrived.
    """

    gateway: Name
    process: Name
    life: Count
    number: Count
    desk: Annotated[str, Meta(max_length=256)] = ""
    heard: Count = 0
    wants: Annotated[list[Want], Meta(max_length=MOST_SAID)] = []
    returns: Annotated[list[Return], Meta(max_length=MOST_SAID)] = []
    cancels: Annotated[list[Name], Meta(max_length=MOST_SAID)] = []


class Lease(msgspec.Struct, frozen=True, gc=False):
    """The want of an id is granted: a lease, which ends `lifetime` seconds after the desk said this."""

    id: Name
    lease: Name
    account: Name
    model: Name
    cost: CostOf
    lifetime: float


class Denial(msgspec.Struct, frozen=True, gc=False):
    """The want of an id is not granted; when it is worth asking again, None for never."""

    id: Name
    reason: Reason
    retry_after: float | None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk answers to the message of a number. It is said again until the gateway says that it heard.

    `desk` tells this life of the desk from earlier ones, and `serial` grows with each answer, so that two to one
    message that arrived twice are told apart. `late` are returns that changed nothing: their leases had
    ended. In the pools of `scarce` somebody waits. Where `stale` is given the message is from a life that is over, and
    nothing came of it: the gateway's next life is above that number.
    """

    desk: str
    number: int
    serial: int = 0
    leases: list[Lease] = []
    denials: list[Denial] = []
    late: list[str] = []
    scarce: list[str] = []
    stale: int | None = None


class DeskUnreachable(Exception):
    """No answer came from the desk, or none that can be used."""


class Desk(Protocol):
    """Where leases come from: `LeaseDesk` in this process, `HttpDesk` elsewhere."""

    def exchange(self, sent: Sent) -> Told | Awaitable[Told]:
        """Say something and hear the answer. Saying the same again does no harm. Raises `DeskUnreachable`."""
        ...
