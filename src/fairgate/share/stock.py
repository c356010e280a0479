"""What there is of a pool's capacity, and what is made of it: grants at once, grants to those who wait, corrections."""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

from fairgate.share.answers import Grant, Keeper, Queued
from fairgate.share.ceiling import JUST_AFTER
from fairgate.share.node import Node
from fairgate.share.pool import Pool
from fairgate.share.standing import Cluster, Standing
from fairgate.share.tree import AccountNode, Tree
from fairgate.share.usage import Usage

#: What a never-seen account begins with, in mean requests.
_FEE: Final = 20
#: How much a new request counts in a running mean, and the output that is expected before there was any.
_LEARNS: Final = 0.05
_FIRST_OUTPUT: Final = 256.0
_turns = count()


class Stock:
    """A pool's capacity as it is now.

    What has been granted since it was made, less what came back, is never more than the capacity over that time and
    the burst, but for the grant that emptied it. Nobody waits whom no ceiling keeps while the level is above zero, once
    `serve` has been used up.
    """

    def __init__(self, pool: Pool, keeper: Keeper, now: float) -> None:
        self.pool = pool
        self.tree = Tree(pool.capacity)
        self.capacity = pool.capacity
        #: What may be saved up.
        self.burst = pool.capacity if pool.burst is None else pool.burst
        self.since = now
        self.level = self.burst
        #: Grants that have not ended, the one that was touched longest ago first.
        self.grants: dict[str, Grant] = {}
        self.queued: dict[str, Queued] = {}
        #: Before this, no grant ends by itself.
        self.expires_at = now + pool.grant_seconds
        self.waiting_cost = 0.0
        #: What was used, in all, as far as it is known.
        self.used = 0.0
        self._keeper = keeper
        self._mean_output = _FIRST_OUTPUT
        self._deadlines: list[tuple[float, int, Queued]] = []

    def refill(self, now: float) -> None:
        """Let time pass; a step back is none."""
        if now > self.since:
            self.level = min(self.burst, self.level + self.capacity * (now - self.since))
            self.since = now
            self.tree.free(now)

    def change(self, capacity: float) -> None:
        """Have another capacity from now on; what was saved up beyond its burst is gone."""
        self.capacity = capacity
        self.burst = capacity if self.pool.burst is None else self.pool.burst
        self.level = min(self.level, self.burst)
        self.tree.change(capacity, self.since)

    def node(self, account: str, standing: Standing, cluster: Cluster) -> AccountNode:
        """The account's node; one that was never seen owes an entry fee, unless it is established."""
        node = self.tree.accounts.get(account)
        if node is None:
            fee = 0.0 if standing.established else _FEE * self.tree.mean_cost
            node = self.tree.add(account, standing, cluster, fee, self.since)
            node.mean_output = self._mean_output
        return node

    def asked(self, node: AccountNode, read: int, most: int) -> tuple[int, int, float]:
        """What a request is expected to need: its input, what it will write, and what that costs."""
        expected = min(most, round(node.mean_output))
        return read, expected, self.pool.cost(Usage(read, expected))

    def learn(self, cost: float) -> None:
        """Take in what somebody asks for, into what a request costs on the average."""
        mean = self.tree.mean_cost
        self.tree.mean_cost += (cost - mean) * (_LEARNS if mean else 1.0)

    def passes(self, node: AccountNode) -> bool:
        """Whether a request may be granted at once: there is capacity, and neither a queue for it nor a ceiling."""
        return (
            self.level > 0
            and (not self.queued or self.tree.first(self.since) is None)
            and not self.tree.kept_by_ceiling(node, self.since)
        )

    def grant(self, key: str, node: AccountNode, asked: tuple[int, int, float]) -> Grant:
        """Grant a request: its estimate is counted from here on."""
        grant = Grant(self._keeper, key, node, asked, self.since)
        cost = grant.estimate
        grant.path = node.path
        node.serve(cost)
        node.in_flight += 1
        self.level -= cost
        self.used += cost
        self.grants[key] = grant
        return grant

    def correct(self, grant: Grant, cost: float) -> None:
        """Count what a grant has cost instead of what was counted before."""
        more = cost - grant.counted
        if more:
            for node in grant.path:
                node.correct(more)
                if more < 0 and not node.active:  # a ceiling may have kept it, and may do so no more
                    self.tree.wake(node)
            self.level -= more
            self.used += more
            grant.counted = cost

    def charge(self, grant: Grant, output: int) -> bool:
        """Count output beyond what was expected, and that the grant is alive."""
        if self.grants.pop(grant.id, None) is None:
            return False
        self.grants[grant.id] = grant
        grant.touched = self.since
        if output <= grant.output:
            return False
        grant.output = output
        if output > grant.expected:
            self.correct(grant, max(grant.counted, self.pool.cost(Usage(grant.input, output))))
        return True

    def settle(self, grant: Grant, used: Usage | float) -> bool:
        """Count what was used, or what that cost, and end a grant; False where it has ended."""
        if self.grants.pop(grant.id, None) is None:
            return False
        node = grant.node
        if isinstance(node, AccountNode):
            node.in_flight -= 1
        if isinstance(used, Usage):
            self._mean_output += (used.output - self._mean_output) * _LEARNS
            if isinstance(node, AccountNode):
                node.mean_output += (used.output - node.mean_output) * _LEARNS
            used = self.pool.cost(used)
        self.correct(grant, used)
        if isinstance(node, AccountNode):
            self.tree.admit(node)
        return True

    def may_wait(self, node: AccountNode) -> bool:
        """Whether one more may wait: who has less of the queue than is left of it, as a cluster and within it.

        So there is room for whoever comes late (dynamic thresholds: Choudhury and Hahne, IEEE/ACM ToN 1998).
        """
        group = node.parent
        waiting = group.waiting if group is not None else 0
        return node.waiting < self.pool.queue - self.tree.root.waiting - waiting

    def enqueue(self, queued: Queued, node: AccountNode) -> None:
        """Let a request wait."""
        node.queue.append(queued)
        self.queued[queued.id] = queued
        self.waiting_cost += queued.estimate
        heappush(self._deadlines, (queued.deadline, next(_turns), queued))
        if len(self._deadlines) > 2 * len(self.queued) + 64:
            self._deadlines = [each for each in self._deadlines if not each[2].gone]
            heapify(self._deadlines)
        _count(node, 1)
        node.wake(self.tree.mean_cost)

    def leave(self, queued: Queued) -> bool:
        """Let a request wait no more; False where it doesn't."""
        if queued.gone:
            return False
        queued.gone = True
        del self.queued[queued.id]
        self.waiting_cost = self.waiting_cost - queued.estimate if self.queued else 0.0
        _count(queued.node, -1)
        return True

    def serve(self) -> Iterator[Grant]:
        """Grant to those who wait, for as long as there is capacity."""
        while self.level > 0 and self.queued and (node := self.tree.first(self.since)) is not None:
            while (queued := node.queue.popleft()).gone:
                pass
            grant = self.grant(queued.id, node, (queued.input, queued.expected, queued.estimate))
            self.leave(queued)
            yield grant

    def late(self) -> Iterator[Queued]:
        """Those whose deadline has passed; they wait no more."""
        while self._deadlines and self._deadlines[0][0] <= self.since:
            queued = heappop(self._deadlines)[2]
            if self.leave(queued):
                yield queued

    def expire(self) -> Iterator[str]:
        """End the grants that nobody has touched for too long, as they are counted; their ids."""
        while self.grants:
            grant = next(iter(self.grants.values()))
            if grant.touched + self.pool.grant_seconds > self.since:
                self.expires_at = grant.touched + self.pool.grant_seconds
                return
            self.settle(grant, grant.counted)
            yield grant.id
        self.expires_at = self.since + self.pool.grant_seconds

    def next_at(self) -> float | None:
        """When something is due: capacity for those who wait, the end of a ceiling, a deadline, or a grant's end."""
        due: list[float] = []
        if self.grants:
            due.append(next(iter(self.grants.values())).touched + self.pool.grant_seconds)
        while self._deadlines and self._deadlines[0][2].gone:
            heappop(self._deadlines)
        if self._deadlines:
            due.append(self._deadlines[0][0])
        if self.queued:
            if self.tree.first(self.since) is not None:
                due += [self.since - self.level / self.capacity + JUST_AFTER] if self.capacity else []
            if (frees := self.tree.frees_at) is not None:
                due.append(frees)
        return min(due, default=None)


def _count(node: Node, more: int) -> None:
    each: Node | None = node
    while each is not None:
        each.waiting += more
        each = each.parent
