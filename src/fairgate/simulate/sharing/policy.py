"""What a policy of sharing is asked and told. It has no clock but the times it is given, in seconds that go forward."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Capacity:
    """What there is to share: cost units a second, saved up for a second; and how many accounts are expected."""

    rate: float
    accounts: int

    @property
    def burst(self) -> float:
        """The most that is saved up."""
        return self.rate


@dataclass(frozen=True, slots=True)
class Known:
    """What a service believes of an account; which may be wrong.

    `p_link` is how likely it belongs to the cluster, `trust` how likely it is honest, `ceil` the most of the capacity
    that it may have.
    """

    account: str
    cluster: str | None = None
    p_link: float = 0.0
    trust: float = 1.0
    newcomer: bool = False
    ceil: float | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request: tokens of the prompt, the longest answer that is wanted, and how many seconds it waits at most."""

    account: str
    input: int
    most_output: int
    patience: float


@dataclass(frozen=True, slots=True)
class Granted:
    """It may begin; so much was taken from the pool for it."""

    id: str
    estimate: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """It has a place in the queue; `advance` tells under this id what comes of it."""

    id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It gets nothing; asking again may pay after so many seconds."""

    id: str
    retry_after: float


Answer: TypeAlias = Granted | Waiting | Refused


class Policy(Protocol):
    """Shares one pool among accounts."""

    def know(self, who: Known) -> None:
        """Hear of an account, before its first request."""
        ...

    def acquire(self, now: float, ask: Ask) -> Answer:
        """Answer a request."""
        ...

    def charge(self, now: float, key: str, output: int) -> None:
        """Hear how many tokens a granted request has been answered with so far."""
        ...

    def settle(self, now: float, key: str, input_: int, output: int) -> None:
        """Hear what a granted request used in all."""
        ...

    def advance(self, now: float) -> list[Granted | Refused]:
        """Tell what has come of those who wait. To be called after all of the above, until nothing comes of it."""
        ...

    def next_at(self) -> float | None:
        """When `advance` is worth while again, if nothing else happens; None where nobody waits."""
        ...


def cost_of(input_: int, output: float) -> float:
    """Cost units: a token that is written weighs as much as two that are read."""
    return input_ + 2.0 * output
