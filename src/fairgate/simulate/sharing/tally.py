"""What is counted while a scene is replayed. It keeps a pool of its own, and takes no policy's word for anything."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from fairgate.simulate.sharing.demand import Person, Scene
from fairgate.simulate.sharing.policy import cost_of

#: Seconds of one point of what is shown over time.
STEP: Final = 10.0


@dataclass(slots=True)
class Call:
    """A request on its way: who asks for what, since when and how long at most.

    `tries` counts how often it was asked, `counted` what it has cost so far or is expected to, and `written` the tokens
    of its answer so far; an account that is used `once` asks for nothing else.
    """

    person: Person
    input: int
    output: int
    since: float
    until: float
    once: bool = False
    tries: int = 0
    counted: float = 0.0
    written: int = 0

    @property
    def cost(self) -> float:
        """What it costs in the end."""
        return cost_of(self.input, self.output)


@dataclass(slots=True)
class Account:
    """What one account asked for and got, in cost units; of it `backlogged` after waiting, and how long it waited."""

    asked: float = 0.0
    served: float = 0.0
    backlogged: float = 0.0
    waiting: int = 0
    since: float = 0.0
    seconds: float = 0.0


class Gap:
    """The largest difference in service of two accounts over any time in which both wait all along."""

    __slots__ = ("_high", "_low", "_service", "_together", "largest")

    def __init__(self) -> None:
        self._service = [0.0, 0.0]
        self._together = False
        self._low = self._high = 0.0
        self.largest = 0.0

    def both_wait(self, *, now: bool) -> None:
        """Hear whether both wait; where they begin to, the difference counts from here."""
        if now and not self._together:
            self._low = self._high = self._service[0] - self._service[1]
        self._together = now

    def serve(self, which: int, cost: float) -> None:
        """Hear that one of them was served."""
        self._service[which] += cost
        if self._together:
            ahead = self._service[0] - self._service[1]
            self._low, self._high = min(self._low, ahead), max(self._high, ahead)
            self.largest = max(self.largest, self._high - self._low)


class Tally:
    """Counts what happens. What was asked for within the plan's time counts; what comes after only lets it end.

    Of the accounts in `watched`, which wait nearly all the time, the gaps between any two are measured.
    """

    def __init__(self, scene: Scene, watched: tuple[str, ...] = ()) -> None:
        self._seconds = scene.plan.seconds
        self._rate, self._burst = scene.capacity.rate, scene.capacity.burst
        self._level = self._burst
        self._at = 0.0
        self._all_waiting = 0
        self.accounts: dict[str, Account] = {each.known.account: Account() for each in scene.people}
        self.abusers: dict[str, Account] = defaultdict(Account)
        self.offered = self.lost = 0.0
        self.lowest = self._level
        self.honest_cost = self.abusers_cost = 0.0
        self.waits_of: list[float] = []
        self.timed_out = 0
        self.grants = 0
        points = int(-(-self._seconds // STEP))
        self.asked_over_time = [0.0] * points
        self.honest_over_time = [0.0] * points
        self.abusers_over_time = [0.0] * points
        self._gaps: dict[str, list[tuple[Gap, int]]] = defaultdict(list)
        self._pairs: list[tuple[Gap, str, str]] = []
        for one, other in combinations(watched, 2):
            gap = Gap()
            self._pairs.append((gap, one, other))
            self._gaps[one].append((gap, 0))
            self._gaps[other].append((gap, 1))

    @property
    def gap(self) -> float:
        """The largest of the gaps."""
        return max((gap.largest for gap, _, _ in self._pairs), default=0.0)

    def pass_time(self, now: float) -> None:
        """Let time pass: the pool refills, and what it can't hold while anybody waits is lost."""
        more = (now - self._at) * self._rate
        self._at = now
        full = max(0.0, self._level + more - self._burst)
        self._level += more - full
        if self._all_waiting:
            self.offered += more
            self.lost += full

    def asked(self, call: Call) -> None:
        """Hear of a request for the first time."""
        if call.person.honest and call.since < self._seconds:
            self._of(call).asked += call.cost
            self.asked_over_time[int(call.since // STEP)] += call.cost

    def waits(self, now: float, call: Call) -> None:
        """Hear that a request stands in line."""
        account = self._of(call)
        self._all_waiting += 1
        account.waiting += 1
        if account.waiting == 1:
            account.since = now
            self._both_wait(call)

    def waits_no_more(self, now: float, call: Call) -> None:
        """Hear that a request has left the line."""
        account = self._of(call)
        self._all_waiting -= 1
        account.waiting -= 1
        if not account.waiting:
            account.seconds += now - account.since
            self._both_wait(call)

    def granted(self, now: float, call: Call, estimate: float) -> None:
        """Hear that a request was let through."""
        call.counted = estimate
        self.grants += 1
        self._level -= estimate
        self.lowest = min(self.lowest, self._level)
        account = self._of(call)
        if now > call.since:
            account.backlogged += call.cost
        if now < self._seconds:
            if call.person.honest:
                self.honest_cost += call.cost
                self.honest_over_time[int(now // STEP)] += call.cost
            else:
                self.abusers_cost += call.cost
                self.abusers_over_time[int(now // STEP)] += call.cost
        if call.person.honest and call.since < self._seconds:
            account.served += call.cost
            self.waits_of.append(now - call.since)
        self._serve(call, call.input)

    def given_up(self, now: float, call: Call) -> None:
        """Hear that a request came to nothing: to whoever is honest, that is as long a wait as any."""
        if call.person.honest and call.since < self._seconds:
            self.timed_out += 1
            self.waits_of.append(max(now, call.until) - call.since)

    def written(self, call: Call, tokens: int) -> None:
        """Hear how far an answer has come."""
        self._serve(call, cost_of(0, tokens - call.written))
        call.written = tokens
        self._count(call, max(call.counted, cost_of(call.input, tokens)))

    def settled(self, call: Call) -> None:
        """Hear that an answer has ended: the pool gets back what was taken too much."""
        self._count(call, call.cost)

    def _count(self, call: Call, cost: float) -> None:
        self._level = min(self._burst, self._level + call.counted - cost)
        self.lowest = min(self.lowest, self._level)
        call.counted = cost

    def _of(self, call: Call) -> Account:
        name = call.person.known.account
        return self.accounts[name] if call.person.honest else self.abusers[name]

    def _both_wait(self, call: Call) -> None:
        if call.person.known.account in self._gaps:
            for gap, one, other in self._pairs:
                gap.both_wait(now=self._waits(one) and self._waits(other))

    def _waits(self, name: str) -> bool:
        account = self.accounts.get(name) or self.abusers[name]
        return account.waiting > 0

    def _serve(self, call: Call, cost: float) -> None:
        for gap, which in self._gaps.get(call.person.known.account, ()):
            gap.serve(which, cost)
