"""A token bucket for each account, which is what gateways ship: a limit of tokens a minute, the same for all."""

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from fairgate.simulate.sharing.peer import Bucket, Peer, Waiter
from fairgate.simulate.sharing.policy import Capacity

#: A limit is of tokens a minute, and whoever has used none of them may use all at once.
_MINUTE: Final = 60.0


@dataclass(slots=True)
class _Account:
    """An account's bucket and those of its requests that wait. `turn` is its place in `_ready` or `_resting`."""

    bucket: Bucket
    line: deque[Waiter] = field(default_factory=deque)
    turn: int = 0

    def head(self) -> Waiter | None:
        """The first that still waits."""
        while self.line and not self.line[0].waits:
            self.line.popleft()
        return self.line[0] if self.line else None


class TokenBuckets(Peer):
    """Each account gets an equal part of the capacity at most; of those within their limit the first come go first.

    A request that is over the limit comes back as soon as it is within, as the clients of such gateways do.
    """

    def __init__(self, capacity: Capacity) -> None:
        super().__init__(capacity)
        self._rate = capacity.rate / capacity.accounts
        self._accounts: dict[str, _Account] = {}
        self._ready: list[tuple[int, int, _Account]] = []
        self._resting: list[tuple[float, int, _Account]] = []
        self._turns = 0

    def _enter(self, now: float, waiter: Waiter) -> None:
        account = self._accounts.get(waiter.ask.account)
        if account is None:
            account = _Account(Bucket(self._rate, self._rate * _MINUTE, now))
            self._accounts[waiter.ask.account] = account
        alone = account.head() is None
        account.line.append(waiter)
        if alone:
            self._place(now, account)

    def _place(self, now: float, account: _Account) -> None:
        """Put an account where it belongs; its older places count no more."""
        self._turns += 1
        account.turn = self._turns
        head = account.head()
        if head is None:
            return
        if account.bucket.refill(now) > 0:
            heapq.heappush(self._ready, (head.number, account.turn, account))
        else:
            heapq.heappush(self._resting, (account.bucket.above_zero_at(), account.turn, account))

    def _next(self, now: float) -> Waiter | None:
        while self._resting and self._resting[0][0] <= now:
            _, turn, account = heapq.heappop(self._resting)
            if turn == account.turn:
                self._place(now, account)
        while self._ready:
            _, turn, account = heapq.heappop(self._ready)
            if turn == account.turn and (head := account.head()) is not None:
                account.line.popleft()
                return head
        return None

    def _left(self, now: float, waiter: Waiter) -> None:
        self._place(now, self._accounts[waiter.ask.account])

    def _taken(self, now: float, waiter: Waiter) -> None:
        account = self._accounts[waiter.ask.account]
        account.bucket.take(waiter.estimate)
        self._place(now, account)

    def _settled(self, now: float, waiter: Waiter, more: float) -> None:
        account = self._accounts[waiter.ask.account]
        account.bucket.refill(now)
        account.bucket.take(more)
        self._place(now, account)

    def _free_at(self) -> float | None:
        pool = self.pool.above_zero_at()
        while self._ready and not _stands(self._ready[0]):
            heapq.heappop(self._ready)
        if self._ready:
            return pool
        while self._resting and not _stands(self._resting[0]):
            heapq.heappop(self._resting)
        return max(pool, self._resting[0][0]) if self._resting else None


def _stands(place: tuple[float, int, _Account]) -> bool:
    return place[1] == place[2].turn
