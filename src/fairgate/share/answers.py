"""What comes of a request for compute: a grant, a place in the queue, or a denial."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from fairgate.share.node import Node
from fairgate.share.usage import MOST_CAPACITY, Usage, amount, tokens, usage_of


class Reason(StrEnum):
    """Why there is no grant, in words that may be told to a caller: they say nothing of what is thought of anybody."""

    BUSY = "busy"
    LATE = "late"
    TOO_LARGE = "too_large"
    NO_SUCH_MODEL = "no_such_model"

    @property
    def about(self) -> str:
        """The reason as a sentence."""
        return _ABOUT[self]


_ABOUT = {
    Reason.BUSY: "Too many requests are waiting.",
    Reason.LATE: "There was no capacity in time.",
    Reason.TOO_LARGE: "One request can't be as large as this.",
    Reason.NO_SUCH_MODEL: "No pool of capacity has this model.",
}


@dataclass(frozen=True, slots=True)
class Denied:
    """No grant, and after how many seconds it is worth asking again: with a jitter, inf where it never is."""

    id: str
    reason: Reason
    retry_after: float


class Keeper(Protocol):
    """Who gave a grant or a place in the queue, and keeps the accounts of it."""

    def charge_of(self, grant: "Grant", output: int) -> bool:
        """See `Grant.charge`."""
        ...

    def settle_of(self, grant: "Grant", usage: Usage | float) -> bool:
        """See `Grant.settle` and `Grant.settle_cost`."""
        ...

    def leave(self, queued: "Queued") -> bool:
        """See `Queued.abort`."""
        ...

    def stopped(self, grant: "Grant") -> bool:
        """See `Grant.stopped`."""
        ...


class Request:
    """What is asked for: the account's node, tokens of the input, the output that is expected, and what that costs."""

    __slots__ = ("_keeper", "estimate", "expected", "id", "input", "node")

    def __init__(self, keeper: Keeper, key: str, node: Node, asked: tuple[int, int, float]) -> None:
        self._keeper = keeper
        self.id = key
        self.node = node
        self.input, self.expected, self.estimate = asked

    @property
    def account(self) -> str:
        """Whose it is."""
        return self.node.name


class Grant(Request):
    """Leave to use compute. What it costs is counted as estimated at first, and as used once that is known."""

    __slots__ = ("counted", "output", "path", "touched")

    def __init__(self, keeper: Keeper, key: str, node: Node, asked: tuple[int, int, float], now: float) -> None:
        super().__init__(keeper, key, node, asked)
        #: The nodes that its cost was counted in: the account may move elsewhere meanwhile.
        self.path: tuple[Node, ...] = ()
        self.counted = self.estimate
        self.output = 0
        self.touched = now

    @property
    def stopped(self) -> bool:
        """Whether its account may use nothing any more: what is being written is to be cut off."""
        return self._keeper.stopped(self)

    def charge(self, output_so_far: int) -> bool:
        """Count what has been written so far, in all: where it is beyond the estimate, that is charged at once.

        False where it says nothing new, or the grant has ended. Raises `BadAmount` for what is no number of tokens.
        """
        return self._keeper.charge_of(self, tokens("output", output_so_far))

    def settle(self, input: int, output: int, cached: int = 0, gpu_seconds: float = 0.0) -> bool:  # noqa: A002 - its name everywhere
        """Count what was used instead of what was estimated, and end the grant; False where it has ended before.

        Raises `BadAmount` for what can't be, which ends nothing.
        """
        return self._keeper.settle_of(self, usage_of(input, output, cached, gpu_seconds))

    def settle_cost(self, cost: float) -> bool:
        """Count a cost that is known by itself, and end the grant; False where it has ended before.

        For grants that were reserved by their cost. Raises `BadAmount` for what can't be.
        """
        return self._keeper.settle_of(self, amount("cost", cost, MOST_CAPACITY))

    def abort(self) -> bool:
        """End it with the input and what was charged of the output; False where it has ended before."""
        return self._keeper.settle_of(self, Usage(self.input, self.output))


class Queued(Request):
    """A place in the queue. What comes of it is told by `Share.advance`: a `Grant` or a `Denied` with this id."""

    __slots__ = ("deadline", "gone", "since")

    def __init__(
        self, keeper: Keeper, key: str, node: Node, asked: tuple[int, int, float], times: tuple[float, float]
    ) -> None:
        super().__init__(keeper, key, node, asked)
        self.since, self.deadline = times
        self.gone = False

    def abort(self) -> bool:
        """Leave the queue; False where something has come of it before."""
        return self._keeper.leave(self)


Answer = Grant | Queued | Denied
