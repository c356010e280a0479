"""What the peers have in common: the pool, what is expected of a request, and who has waited too long."""

import heapq
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

from fairgate.simulate.sharing.policy import Ask, Capacity, Granted, Known, Refused, Waiting, cost_of

#: What is left to refill when it is time to look again, as seconds of it: the level has to be above zero.
_BIT: Final = 1e-6


class Bucket:
    """A level that rises at a rate up to a burst. What is taken may be more than there is; nothing is below zero."""

    __slots__ = ("_at", "_burst", "_rate", "level")

    def __init__(self, rate: float, burst: float, now: float = 0.0) -> None:
        self._rate = rate
        self._burst = burst
        self._at = now
        self.level = burst

    def refill(self, now: float) -> float:
        """The level at a time."""
        if now > self._at:
            self.level = min(self._burst, self.level + self._rate * (now - self._at))
            self._at = now
        return self.level

    def take(self, cost: float) -> None:
        """Take so much, or give back what is below zero."""
        self.level = min(self._burst, self.level - cost)

    def above_zero_at(self) -> float:
        """When the level will be above zero, if nothing more is taken."""
        return self._at if self.level > 0 else self._at + _BIT - self.level / self._rate


class Expected:
    """How long answers are: of an account whose answers are known their mean, else that of everybody."""

    def __init__(self) -> None:
        self._all = (0, 0.0)
        self._of: dict[str, tuple[int, float]] = {}

    def output(self, ask: Ask) -> float:
        """The tokens that are expected of an answer; never more than are wanted."""
        count, total = self._of.get(ask.account) or self._all
        return min(ask.most_output, total / count) if count else float(ask.most_output)

    def learn(self, account: str, output: int) -> None:
        """Hear how long one was."""
        for_one, total = self._of.get(account, (0, 0.0))
        self._of[account] = for_one + 1, total + output
        self._all = self._all[0] + 1, self._all[1] + output


@dataclass(slots=True)
class Waiter:
    """A request that waits, or did; `estimate` is what was taken for it, `output` what it was answered with so far."""

    number: int
    ask: Ask
    until: float
    estimate: float = 0.0
    output: int = 0
    waits: bool = True

    @property
    def id(self) -> str:
        """The name it goes by outside."""
        return str(self.number)


class Peer(ABC):
    """A policy of which only the order is missing: who goes next."""

    def __init__(self, capacity: Capacity) -> None:
        self.pool = Bucket(capacity.rate, capacity.burst)
        self.waiting = 0
        self._expected = Expected()
        self._numbers = 0
        self._granted: dict[str, Waiter] = {}
        self._deadlines: list[tuple[float, int, Waiter]] = []

    def know(self, who: Known) -> None:  # noqa: B027 - for those who want to hear of it
        """Nothing is made of what is known, where a policy doesn't say otherwise."""

    def acquire(self, now: float, ask: Ask) -> Waiting:
        """Everybody stands in line first; `advance` lets them through at once where it can."""
        self._numbers += 1
        waiter = Waiter(self._numbers, ask, now + ask.patience)
        heapq.heappush(self._deadlines, (waiter.until, waiter.number, waiter))
        self.waiting += 1
        self._enter(now, waiter)
        return Waiting(waiter.id)

    def charge(self, now: float, key: str, output: int) -> None:
        """Count what has been written since the last time."""
        waiter = self._granted[key]
        if output > waiter.output:
            self._written(now, waiter, output - waiter.output)
            waiter.output = output

    def settle(self, now: float, key: str, input_: int, output: int) -> None:
        """Give back to the pool what was estimated too high, or take what was too low."""
        self.charge(now, key, output)
        waiter = self._granted.pop(key)
        more = cost_of(input_, output) - waiter.estimate
        self.pool.refill(now)
        self.pool.take(more)
        self._settled(now, waiter, more)
        self._expected.learn(waiter.ask.account, output)

    def advance(self, now: float) -> list[Granted | Refused]:
        """Send those away whose patience has ended, and let others through while the level is above zero."""
        answers: list[Granted | Refused] = []
        deadlines = self._deadlines
        while deadlines and (not deadlines[0][2].waits or deadlines[0][0] <= now):
            waiter = heapq.heappop(deadlines)[2]
            if waiter.waits:
                self._leaves(waiter)
                self._left(now, waiter)
                answers.append(Refused(waiter.id, 1.0))
        while self.waiting and self.pool.refill(now) > 0:
            chosen = self._next(now)
            if chosen is None:
                break
            self._leaves(chosen)
            chosen.estimate = cost_of(chosen.ask.input, self._expected.output(chosen.ask))
            self.pool.take(chosen.estimate)
            self._granted[chosen.id] = chosen
            self._taken(now, chosen)
            answers.append(Granted(chosen.id, chosen.estimate))
        return answers

    def next_at(self) -> float | None:
        """When somebody's patience ends, or somebody may go."""
        if not self.waiting:
            return None
        while not self._deadlines[0][2].waits:
            heapq.heappop(self._deadlines)
        patience, free = self._deadlines[0][0], self._free_at()
        return patience if free is None else min(patience, free)

    def _leaves(self, waiter: Waiter) -> None:
        waiter.waits = False
        self.waiting -= 1

    def _free_at(self) -> float | None:
        """When the next one may go; None where that isn't a matter of time."""
        return self.pool.above_zero_at()

    @abstractmethod
    def _enter(self, now: float, waiter: Waiter) -> None:
        """Let a request stand in line."""

    @abstractmethod
    def _next(self, now: float) -> Waiter | None:
        """The one that goes next, taken out of the line; None where nobody may go for now."""

    def _left(self, now: float, waiter: Waiter) -> None:  # noqa: B027 - as above
        """Hear that a request has left the line without a grant."""

    def _taken(self, now: float, waiter: Waiter) -> None:  # noqa: B027 - as above
        """Hear that a request was granted."""

    def _written(self, now: float, waiter: Waiter, tokens: int) -> None:  # noqa: B027 - as above
        """Hear that a request was answered with so many more tokens."""

    def _settled(self, now: float, waiter: Waiter, more: float) -> None:  # noqa: B027 - as above
        """Hear that a request has ended and cost so much more than was estimated."""
