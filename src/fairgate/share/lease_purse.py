"""What an account has at a gateway: leases, and those who wait for one."""

from fairgate.share.answers import Queued
from fairgate.share.node import Node
from fairgate.share.pool import Pool
from fairgate.share.tree import AccountNode
from fairgate.share.usage import Usage


class Held:
    """A lease at its gateway. One without an id is the desk's no more: it is used up, and not returned."""

    __slots__ = ("cost", "ends", "id", "left")

    def __init__(self, key: str, cost: float, ends: float) -> None:
        self.id = key
        self.cost = self.left = cost
        self.ends = ends


class Purse(AccountNode):
    """An account at a gateway. Among its siblings it counts what it had at the safe rate."""

    __slots__ = ("asked", "cost", "last", "leases", "model", "more", "want")

    def __init__(self, name: str, parent: Node, mean_output: float) -> None:
        super().__init__(name, parent, 1.0, mean_output)
        self.leases: list[Held] = []
        #: The id of its want that is not answered, if there is one.
        self.want: str | None = None
        #: The cost of all that waits.
        self.asked = 0.0
        #: What its last request was expected to cost.
        self.cost = 0.0
        #: What requests cost beyond their estimates, or less, and no return has told yet.
        self.more = 0.0
        #: When it last asked, and for which model.
        self.last, self.model = 0.0, ""

    def needs(self, pool: Pool, read: int, most: int) -> tuple[int, int, float]:
        """What a request is expected to need: its input, what it will write, and what that costs."""
        expected = min(most, round(self.mean_output))
        return read, expected, pool.cost(Usage(read, expected))

    @property
    def idle(self) -> bool:
        """Whether nothing of it goes on."""
        return not (self.leases or self.waiting or self.in_flight or self.want)

    @property
    def head(self) -> Queued:
        """The first of those that wait; there must be one."""
        while self.queue[0].gone:
            self.queue.popleft()
        return self.queue[0]
