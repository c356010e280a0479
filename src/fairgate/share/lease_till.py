"""A pool as a gateway has it: leases by account, those who wait for one, and the safe rate while it is cut off."""

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count

from fairgate.domain.errors import BadAmount
from fairgate.share.answers import Grant, Keeper, Queued
from fairgate.share.ceiling import JUST_AFTER
from fairgate.share.lease import Terms
from fairgate.share.lease_grants import Grants
from fairgate.share.lease_purse import Held, Purse
from fairgate.share.node import Node
from fairgate.share.pool import Pool

#: A lease is wanted for so many requests, and so much of the quantum at most; the next one when this part is left.
_REQUESTS, _CHUNK, _LOW = 16, 0.125, 0.25
#: Accounts that are remembered, beside those of which something goes on; how many are looked at for one to forget; and
#: how long a name may be.
_REMEMBERS, _LOOKS, _LONGEST_NAME = 100_000, 4, 256
_turns = count()


class Till(Grants):
    """Admits from leases what fits into what is left of one; while cut off, at the safe rate as well.

    What is left of leases and what was saved up at the safe rate are never more than the quantum together.
    """

    def __init__(self, pool: Pool, keeper: Keeper, terms: Terms, now: float) -> None:
        super().__init__(pool, keeper)
        self.quantum = terms.quantum(pool)
        #: sigma * C / G, by the slowest of clocks.
        self.rate = terms.sigma * pool.capacity / terms.gateways * (1 - terms.delta)
        self.largest = min(self.quantum, pool.largest)
        self.chunk = _CHUNK * self.quantum
        self.purses: dict[str, Purse] = {}
        #: Those that need a lease, those whose want has become needless, and those that have leases.
        self.needy: dict[Purse, None] = {}
        self.needless: dict[Purse, None] = {}
        self.rich: dict[Purse, None] = {}
        #: What leases cost, what is left of them, what unanswered wants cost, and returns by their leases.
        self.open = self.left = self.wanted = 0.0
        self.back: dict[str, float] = {}
        self.scarce = False
        self.queued: dict[str, Queued] = {}
        self.root = Node("", None, 1.0)
        #: Whether the gateway is cut off, and what has been saved up at the safe rate since then.
        self.cut, self.level, self._since = False, 0.0, now
        self._ends: list[tuple[float, int, Purse, Held]] = []
        self._deadlines: list[tuple[float, int, Queued]] = []

    def purse(self, account: str, model: str, now: float) -> Purse:
        """The purse of an account that asks for something."""
        purse = self.purses.get(account)
        if purse is None:
            if not isinstance(account, str) or not 0 < len(account) <= _LONGEST_NAME:
                raise BadAmount(f"account: it must be a text of 1 to {_LONGEST_NAME} characters")
            purse = self.purses[account] = Purse(account, self.root, self.mean_output)
            for _ in range(min(_LOOKS, len(self.purses) - _REMEMBERS)):
                oldest = self.purses.pop(next(iter(self.purses)))
                if not oldest.idle:
                    self.purses[oldest.name] = oldest
        purse.last, purse.model = now, model
        return purse

    def admit(self, purse: Purse, estimate: float, now: float) -> bool:
        """Take a request's estimate from a lease that it fits into, if there is one."""
        purse.cost = estimate
        for lease in purse.leases:
            if lease.left >= estimate and lease.ends > now:
                lease.left -= estimate
                self.left -= estimate
                if lease.left < max(estimate, _LOW * lease.cost) and purse.want is None:
                    self.needy[purse] = None
                return True
        return False

    def admit_unleased(self, estimate: float, now: float) -> bool:
        """Take a request's estimate from what was saved up at the safe rate, if it fits and nobody waits."""
        if not self.cut or self.root.waiting:
            return False
        self.refill(now)
        if self.level < estimate:
            return False
        self.level -= estimate
        return True

    def may_wait(self, purse: Purse) -> bool:
        """Whether one more may wait: an account has at most as much of the queue as is left of it."""
        return purse.waiting < self.pool.queue - self.root.waiting

    def enqueue(self, queued: Queued, purse: Purse) -> None:
        """Let a request wait."""
        purse.queue.append(queued)
        purse.asked += queued.estimate
        purse.waiting += 1
        self.root.waiting += 1
        self.queued[queued.id] = queued
        heappush(self._deadlines, (queued.deadline, next(_turns), queued))
        if len(self._deadlines) > 2 * len(self.queued) + 64:
            self._deadlines = [each for each in self._deadlines if not each[2].gone]
            heapify(self._deadlines)
        self.needless.pop(purse, None)
        if purse.want is None:
            self.needy[purse] = None
        if self.cut:
            purse.wake(0.0)

    def leave(self, queued: Queued) -> bool:
        """Let a request wait no more; False where it doesn't."""
        if queued.gone:
            return False
        queued.gone = True
        del self.queued[queued.id]
        self.root.waiting -= 1
        purse = queued.node
        purse.waiting -= 1
        if isinstance(purse, Purse):
            purse.asked = purse.asked - queued.estimate if purse.waiting else 0.0
            if not purse.waiting:
                self.needless[purse] = None
        return True

    def late(self, now: float) -> Iterator[Queued]:
        """Those whose deadline has passed; they wait no more."""
        while self._deadlines and self._deadlines[0][0] <= now:
            queued = heappop(self._deadlines)[2]
            if self.leave(queued):
                yield queued

    def serve(self, purse: Purse, now: float) -> Iterator[Grant]:
        """Grant to those who wait in a purse what its leases have."""
        while purse.waiting and self.admit(purse, purse.head.estimate, now):
            yield self._granted(purse, now)
        if purse.waiting and purse.want is None:
            self.needy[purse] = None

    def serve_unleased(self, now: float) -> Iterator[Grant]:
        """While cut off, grant to those who wait what was saved up at the safe rate: who had least goes first."""
        if not self.cut:
            return
        self.refill(now)
        while isinstance(purse := self.root.first(), Purse) and purse.head.estimate <= self.level:
            self.level -= purse.head.estimate
            purse.serve(purse.head.estimate)
            yield self._granted(purse, now)

    def _granted(self, purse: Purse, now: float) -> Grant:
        queued = purse.head
        self.leave(queued)
        return self.grant(queued.id, purse, (queued.input, queued.expected, queued.estimate), now)

    def next_at(self) -> float | None:
        """When something may be due for those who wait, or a grant ends."""
        due = [next(iter(self.grants.values())).touched + self.pool.grant_seconds] if self.grants else []
        while self._deadlines and self._deadlines[0][2].gone:
            heappop(self._deadlines)
        if self._deadlines:
            due.append(self._deadlines[0][0])
        if self.cut and self.rate and isinstance(purse := self.root.first(), Purse):
            fits = purse.head.estimate <= self.quantum - self.left or not self._ends
            wait = (purse.head.estimate - self.level) / self.rate
            due.append(self._since + wait + JUST_AFTER if fits else self._ends[0][0])
        return min(due, default=None)

    def take(self, purse: Purse, lease: Held) -> None:
        """Have a lease."""
        purse.leases.append(lease)
        self.rich[purse] = None
        self.open += lease.cost
        self.left += lease.cost
        heappush(self._ends, (lease.ends, next(_turns), purse, lease))

    def give_back(self, purse: Purse, lease: Held) -> None:
        """Be done with a lease: what it was spent for is told, and what the account's requests cost beyond that."""
        purse.leases.remove(lease)
        if not purse.leases:
            del self.rich[purse]
        self.open, self.left = (self.open - lease.cost, self.left - lease.left) if self.rich else (0.0, 0.0)
        if lease.id:
            admitted = lease.cost - lease.left
            spent = max(0.0, admitted + purse.more)
            purse.more -= spent - admitted
            self.back[lease.id] = spent

    def end_leases(self, now: float) -> None:
        """Be done with the leases whose time is up."""
        while self._ends and self._ends[0][0] <= now:
            _, _, purse, lease = heappop(self._ends)
            if lease in purse.leases:
                self.give_back(purse, lease)

    def give_back_idle(self, before: float, *, retired: bool) -> None:
        """Be done with the leases of those who have not asked for anything since a time, and those used up.

        Those of whom requests are in flight keep what others don't need: what these cost is told with it.
        """

        def idle(purse: Purse, lease: Held) -> bool:
            if lease.left <= 0:
                return retired or not purse.in_flight or self.open - lease.cost > self.quantum / 2
            needed = retired or self.scarce or not purse.in_flight
            return needed and purse.last <= before and not purse.waiting

        self._drop(idle)

    def _drop(self, which: Callable[[Purse, Held], bool]) -> None:
        for purse in list(self.rich):
            for lease in [each for each in purse.leases if which(purse, each)]:
                self.give_back(purse, lease)

    def _give_back_all(self, purse: Purse) -> None:
        for lease in list(purse.leases):
            self.give_back(purse, lease)

    def idle(self) -> Iterator[Purse]:
        """Those who have leases and nobody that waits: first who has nothing in flight, then who asked longest ago."""
        for purse in sorted(self.rich, key=lambda each: (each.in_flight > 0, each.last)):
            if not purse.waiting:
                yield purse

    def wants(self, purse: Purse, many: int, idle: Iterator[Purse]) -> float | None:
        """What a purse that asked of late needs a lease of now, as one of many; None where it needs none.

        What doesn't serve it is given back, and what others have who are idle, until there is room.
        """
        fair = min(self.quantum / max(1, many), self.largest)
        chunk = 0.0 if self.scarce else min(self.chunk, _REQUESTS * purse.cost, fair)
        if not purse.waiting:
            fits = self.open + self.wanted + chunk <= self.quantum
            return chunk if chunk and fits else None
        self._give_back_all(purse)
        cost = max(purse.head.estimate, min(max(purse.asked, chunk), fair))
        while self.open + self.wanted + cost > self.quantum and (other := next(idle, None)) is not None:
            self._give_back_all(other)
        return cost

    def cut_off(self, now: float) -> None:
        """Be cut off: what leases may have given meanwhile is saved up first, before anything more is."""
        self.cut = True
        self.level, self._since = -self.quantum, now
        for queued in self.queued.values():
            queued.node.wake(0.0)

    def refill(self, now: float) -> None:
        """Let time pass; a step back is none."""
        self.end_leases(now)
        if now > self._since:
            self.level = min(self.quantum - self.left, self.level + self.rate * (now - self._since))
            self._since = now

    def well(self) -> None:
        """Be cut off no more; leases that the desk has counted as spent are dropped."""
        self.cut = False
        for _, _, node in self.root.heap:
            node.step_out()
        self.root.heap.clear()
        self._drop(lambda _, lease: not lease.id)

    def begin_anew(self) -> None:
        """The desk counts all that it has of this gateway as spent: nothing is returned, and nothing wanted."""
        self.back.clear()
        self.wanted = 0.0
        for purse in self.rich:
            for lease in purse.leases:
                lease.id = ""
