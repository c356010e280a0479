"""Random runs of many gateways and one desk over a bad network, beside an accountant who checks the bound exactly.

Messages are lost, come late or out of order, gateways crash and come back, clocks go at different rates, the capacity
changes, and accounts are silent for a while, then want everything at once. Over any window of length t,

    admitted - given back <= C * t + B + G * q + sigma * C * (gateways cut off, over the window) / G,

with B the pool's burst and the largest lease. With A(t) what was admitted less what was given back until t, and S(t)
what the right side grows by until t, that is A - S never rising by more than B + G * q: one pass checks all windows.

The steps of its proof are checked as well: what a gateway could admit at once is never more than the quantum; it admits
from no lease that has ended at the desk, nor from one that may have been granted before it granted anything by itself;
and what was admitted from leases is paid for.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

from fairgate.share import Denied, Grant, Pool, Queued, Share, Standing
from fairgate.share.lease import Sent, Terms, Told
from fairgate.share.lease_desk import LeaseDesk
from fairgate.share.lease_holder import LeaseHolder
from fairgate.share.lease_purse import Held, Purse
from fairgate.share.lease_till import Till

_TOLERANCE: Final = 1e-6
#: Seconds that a gateway waits for an answer.
_PATIENCE: Final = 0.2
#: A gateway looks again no sooner.
_TICK: Final = 0.002


class BrokenBound(AssertionError):
    """More was admitted than may be."""


@dataclass
class Weather:
    """What can go wrong in a run."""

    loss: float = 0.0
    slow: float = 0.03
    stray: float = 0.0
    partitions: float = 0.0
    crashes: float = 0.0
    capacities: tuple[float, ...] = ()


@dataclass
class Setting:
    """What a run is made of."""

    gateways: int = 3
    capacity: float = 1_000.0
    burst: float = 200.0
    quantum: float = 200.0
    lifetime: float = 1.0
    delta: float = 0.02
    sigma: float = 0.5
    drifts: tuple[float, ...] = ()
    accounts: int = 6
    load: float = 1.5
    exact: bool = True
    #: What is asked for beyond what is needed, as a part of the quantum.
    hoard: float = 0.125
    weather: Weather = field(default_factory=Weather)


def drawn(rng: random.Random) -> Setting:
    """A setting with bad weather."""
    gateways = rng.randint(2, 4)
    delta = rng.choice((0.0, 0.2, 0.2))
    weather = Weather(
        loss=rng.choice((0.0, 0.1, 0.4)),
        slow=rng.choice((0.03, 0.09)),
        stray=rng.choice((0.0, 0.05, 0.3)),
        partitions=rng.choice((0.0, 0.5, 1.0)),
        crashes=rng.choice((0.0, 0.0, 0.2)),
        capacities=rng.choice(((), (), (0.0, 500.0, 1_000.0))),
    )
    return Setting(
        gateways,
        burst=rng.choice((50.0, 300.0)),
        quantum=rng.choice((100.0, 300.0)),
        lifetime=rng.choice((0.5, 1.0, 4.0)),
        delta=delta,
        sigma=rng.choice((0.3, 1.0)),
        drifts=tuple(rng.choice((-delta, delta)) for _ in range(gateways + 1)),
        accounts=rng.choice((1, 3, 8)),
        load=rng.choice((0.1, 1.0, 4.0)),
        exact=rng.random() < 0.5,
        hoard=rng.choice((0.125, 1.0)),
        weather=weather,
    )


class Gateway:
    """A gateway's process: it sends one message at a time, and waits for its answer."""

    def __init__(self, run: "Run", number: int) -> None:
        setting = run.setting
        self.run = run
        self.name = f"g{number}"
        self.rate = 1 + (setting.drifts[number + 1] if setting.drifts else 0.0)
        #: What its requests cost beyond their estimates, and what returns have told of that.
        self.more = self.told = 0.0
        self.offset = run.rng.uniform(0, 1e4)
        self.alive = True
        self.reached = True
        self.waiting: dict[str, tuple[float, float]] = {}
        self.awaited: Sent | None = None
        self.holder = LeaseHolder(
            self.name,
            [run.pool],
            run.terms,
            self.clock,
            random.Random(run.rng.random()),
            poll=0.05,
            born=round(run.now * 1e3),
        )
        for till in self.holder.tills.values():
            till.chunk = setting.hoard * setting.quantum
            if setting.hoard == 1:
                self.holder.talk.quiet = 1e3
            run.watch(self, till)
        self.at = float("inf")
        #: When it last granted anything without a lease.
        self.unleased_at = -1.0
        self.tick()

    def clock(self) -> float:
        return self.offset + self.run.now * self.rate

    def ask(self, account: str, read: int, most: int, deadline: float) -> None:
        answer = self.holder.acquire(account, "m", read, most, deadline)
        if isinstance(answer, Grant):
            self.run.admitted(self, answer)
        elif isinstance(answer, Queued):
            self.waiting[answer.id] = (self.run.now, self.run.now + deadline)
        self.tick()

    def tick(self) -> None:
        """Do what is due, and come back when something is."""
        if not self.alive:
            return
        for outcome in self.holder.advance():
            since, _ = self.waiting.pop(outcome.id)
            if isinstance(outcome, Grant):
                self.run.admitted(self, outcome)
                self.run.waits.append(self.run.now - since)
            else:
                assert isinstance(outcome, Denied)
                self.run.denied += 1
        if self.awaited is None and (sent := self.holder.send()) is not None:
            self.awaited = sent
            self.run.post(self, sent)
            self.run.later(_PATIENCE, lambda: self.give_up(sent))
        due = [at for at in (self.holder.next_at(), self.holder.send_at() if self.awaited is None else None) if at]
        if due:
            at = max(_TICK, (min(due) - self.clock()) / self.rate + 1e-6)
            if self.run.now + at < self.at or self.at <= self.run.now:
                self.at = self.run.now + at
                self.run.later(at, self.tick)

    def hear(self, sent: Sent, told: Told) -> None:
        if self.alive:
            if sent is self.awaited:
                self.awaited = None
            self.holder.hear(told)  # also where it has given up, and the answer comes late
            self.tick()

    def give_up(self, sent: Sent) -> None:
        if self.alive and sent is self.awaited:
            self.awaited = None
            self.holder.lost()
            self.tick()


class Run:
    """One run, drawn from a seed."""

    def __init__(self, seed: int, setting: Setting | None = None) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.setting = setting = setting or drawn(self.rng)
        self.now = 0.0
        self.desk_rate = 1 + (setting.drifts[0] if setting.drifts else 0.0)
        self.pool = Pool("p", setting.capacity, setting.burst, grant_seconds=60.0)
        self.terms = Terms(setting.gateways, {"p": setting.quantum}, setting.lifetime, setting.delta, setting.sigma)
        self.share = Share([self.pool], self.desk_clock, random.Random(seed))
        for number in range(setting.accounts):
            self.share.set_principal(f"a{number}", Standing(trust=0.9), 1)
        self.stock = self.share.stocks["p"]
        self.desk = LeaseDesk(self.share, self.terms, self.desk_clock, random.Random(seed))
        self.events: list[tuple[float, int, Callable[[], object]]] = []
        self.turns = count()
        self.waits: list[float] = []
        self.denied = self.grants = 0
        self.by_account: dict[str, float] = {}
        self.leased = self.credited = self.largest = 0.0
        self.credits: dict[str, float] = {}
        self.granted: dict[str, str] = {}
        #: When leases were granted.
        self.begun: dict[str, float] = {}
        self.capacity = setting.capacity
        self.admitted_in_all = self.allowed = self.lowest = self.most = 0.0
        self.seen = 0.0
        self.gateways: list[Gateway] = []
        for number in range(setting.gateways):
            self.gateways.append(Gateway(self, number))

    def desk_clock(self) -> float:
        return 1e3 + self.now * self.desk_rate

    # ------------------------------------------------------------------------------------------------ what is done

    def later(self, seconds: float, what: Callable[[], object]) -> None:
        heappush(self.events, (self.now + seconds, next(self.turns), what))

    def play(self, seconds: float) -> "Run":
        """Let time pass; raises AssertionError where a rule is broken."""
        until = self.now + seconds
        while self.events and self.events[0][0] <= until:
            at, _, what = heappop(self.events)
            self.pass_time(at)
            what()
            self.check()
        self.pass_time(until)
        return self

    def pass_time(self, at: float) -> None:
        cut = sum(each.alive and each.holder.cut_off for each in self.gateways)
        setting = self.setting
        safe = setting.sigma * setting.capacity * cut / setting.gateways
        self.allowed += (at - self.now) * (self.capacity * self.desk_rate + safe)
        self.now = at

    def ill(self) -> "Run":
        """Let accounts ask and everything go wrong that may, for some seconds."""
        weather = self.setting.weather
        self.later(0.0, self.customers)
        for gateway in range(self.setting.gateways):
            if self.rng.random() < weather.partitions:
                self.later(self.rng.uniform(0, 3), partial(self.partition, gateway))
            if self.rng.random() < weather.crashes:
                self.later(self.rng.uniform(0.5, 4), partial(self.crash, gateway))
        if weather.capacities:
            self.later(self.rng.uniform(0, 4), self.change_capacity)
        return self.play(6.0)

    def customers(self) -> None:
        """Some requests, and more later; now and then all are silent, then all gateways get many at once."""
        setting, rng = self.setting, self.rng
        surge = rng.random() < 0.05
        for _ in range(40 * setting.gateways if surge else 1):
            gateway = rng.choice(self.gateways)
            account = f"a{rng.randrange(setting.accounts)}"
            if gateway.alive:
                gateway.ask(account, rng.randrange(1, 40), rng.choice((0, 10, 20)), rng.choice((0.0, 0.5, 2.0)))
        pause = rng.uniform(0.05, min(1.5, 1.2 * setting.lifetime)) if rng.random() < 0.06 else 0.0
        self.later(pause + rng.expovariate(setting.load * setting.capacity / 45), self.customers)

    def well(self) -> "Run":
        """The network is well from now on: nobody waits for long."""
        setting = self.setting
        self.events = [each for each in self.events if each[2] != self.customers]
        heapify(self.events)
        setting.weather = Weather()
        self.capacity = setting.capacity
        self.share.set_capacity("p", self.capacity)
        self.play(4.0)
        for number, gateway in enumerate(self.gateways):
            assert gateway.alive
            assert gateway.reached
            assert not gateway.holder.cut_off
            for turn in range(4):
                gateway.ask(f"a{(turn + number) % setting.accounts}", 30, 20, 60.0)
        self.play(3.0 + 2 * setting.lifetime)
        assert not any(gateway.waiting for gateway in self.gateways), "somebody waits for ever"
        return self

    def partition(self, number: int) -> None:
        gateway = self.gateways[number]
        gateway.reached = False
        self.later(self.rng.choice((0.3, 1.5, 3.0)), lambda: setattr(gateway, "reached", True))

    def crash(self, number: int) -> None:
        self.gateways[number].alive = False
        self.later(self.rng.choice((0.01, 0.5, 2.0)), lambda: self.restart(number))

    def restart(self, number: int) -> None:
        self.gateways[number] = Gateway(self, number)

    def change_capacity(self) -> None:
        self.capacity = self.rng.choice(self.setting.weather.capacities)
        self.share.set_capacity("p", self.capacity)

    def post(self, gateway: Gateway, sent: Sent) -> None:
        """A message on its way: it may be lost, come late, or twice."""
        for delay in self.ways(gateway):
            self.later(delay, lambda: self.arrive(gateway, sent))

    def arrive(self, gateway: Gateway, sent: Sent) -> None:
        for each in sent.returns:
            if each.lease in self.desk.leases and (credit := self.credits.pop(each.lease, 0.0)) > 0:
                self.credited += credit
                self.lowest = min(self.lowest, self.level)
        told = self.desk.exchange(sent)
        self.note_leases()
        for lease in told.leases:
            assert self.granted.setdefault(lease.id, lease.lease) == lease.lease, "it was granted twice"
            self.largest = max(self.largest, lease.cost)
        for delay in self.ways(gateway):
            self.later(delay, lambda: gateway.hear(sent, told))

    def note_leases(self) -> None:
        for key in reversed(self.desk.leases):
            if key in self.begun:
                break
            self.begun[key] = self.now

    def ways(self, gateway: Gateway) -> Iterator[float]:
        weather, rng = self.setting.weather, self.rng
        if gateway.reached and rng.random() >= weather.loss:
            yield rng.uniform(0.001, weather.slow)
        if gateway.reached and rng.random() < weather.stray:
            yield rng.uniform(0.001, 3 * self.setting.lifetime)

    def use(self, gateway: Gateway, grant: Grant) -> None:
        if gateway.alive and gateway.holder.open(grant.id) is grant:
            if self.setting.exact:
                grant.settle_cost(grant.estimate)
            else:
                grant.settle(grant.input, self.rng.randint(0, 30))
            gateway.more += grant.counted - grant.estimate

    # --------------------------------------------------------------------------------------------- what is checked

    @property
    def level(self) -> float:
        """A - S."""
        return self.admitted_in_all - self.credited - self.allowed

    def admitted(self, gateway: Gateway, grant: Grant) -> None:
        """A request was admitted."""
        self.lowest = min(self.lowest, self.level)
        self.admitted_in_all += grant.estimate
        self.grants += 1
        self.by_account[grant.account] = self.by_account.get(grant.account, 0.0) + grant.estimate
        setting = self.setting
        bound = setting.burst + self.largest + setting.gateways * setting.quantum
        over = self.level - self.lowest
        self.most = max(self.most, over / bound)
        if over > bound * (1 + _TOLERANCE):
            raise BrokenBound(f"seed {self.seed}: {over} beyond what time allows, not {bound}: {setting}")
        self.later(self.rng.expovariate(5.0), lambda: self.use(gateway, grant))

    def watch(self, gateway: Gateway, till: Till) -> None:
        """Look on when something is admitted, and when a lease is given back with less than was admitted."""
        admit, give_back = till.admit, till.give_back
        admit_unleased, serve_unleased = till.admit_unleased, till.serve_unleased

        def admit_unleased_seen(estimate: float, now: float) -> bool:
            admitted = admit_unleased(estimate, now)
            gateway.unleased_at = self.now if admitted else gateway.unleased_at
            assert not admitted or till.level >= -_TOLERANCE, "it had not saved up as much"
            return admitted

        def serve_unleased_seen(now: float) -> Iterator[Grant]:
            for grant in serve_unleased(now):
                gateway.unleased_at = self.now
                assert till.level >= -_TOLERANCE, "it had not saved up as much"
                yield grant

        def admit_seen(purse: Purse, estimate: float, now: float) -> bool:
            before = {each: each.left for each in purse.leases}
            admitted = admit(purse, estimate, now)
            self.leased += estimate * admitted
            for each in purse.leases:
                if each.id and each.left < before[each]:
                    assert each.id in self.desk.leases, "the lease has ended"
                    assert self.begun[each.id] > gateway.unleased_at, "it had granted something by itself meanwhile"
            return admitted

        def give_back_seen(purse: Purse, lease: Held) -> None:
            admitted, key = lease.cost - lease.left, lease.id
            give_back(purse, lease)
            if key:
                gateway.told += till.back[key] - admitted
                self.credits[key] = admitted - till.back[key]

        till.admit, till.give_back = admit_seen, give_back_seen  # type: ignore[method-assign]
        till.admit_unleased = admit_unleased_seen  # type: ignore[method-assign]
        till.serve_unleased = serve_unleased_seen  # type: ignore[method-assign]

    def check(self) -> None:
        """What must hold after each step."""
        setting = self.setting
        for name, known in self.desk.gateways.items():
            cost = sum(each.grant.estimate for each in known.leases.values())
            assert cost <= setting.quantum * (1 + _TOLERANCE), f"{name} has {cost} of {setting.quantum}"
            assert abs(known.slots["p"].open - cost) <= _TOLERANCE * setting.quantum
        assert len(self.desk.leases) == sum(len(each.leases) for each in self.desk.gateways.values())
        for gateway in self.gateways:
            if gateway.alive:
                till, clock = gateway.holder.tills["p"], gateway.clock()
                at_once = sum(each.left for purse in till.rich for each in purse.leases if each.ends > clock)
                at_once += max(0.0, till.level) if till.cut else 0.0
                owed = gateway.told + sum(purse.more for purse in till.purses.values())
                assert abs(gateway.more - owed) < _TOLERANCE * (1 + abs(owed)), "what was used is not what is told"
                assert at_once <= setting.quantum * (1 + _TOLERANCE), "it could admit more than the quantum"
        paid = self.stock.used
        assert self.leased - self.credited <= paid + _TOLERANCE * (1 + paid), "what was admitted is not paid for"
        assert self.stock.level <= setting.burst + setting.gateways * setting.quantum + _TOLERANCE

    def end(self) -> None:
        """Nobody wants anything any more: all that was taken comes back, or is spent."""
        self.later(0.0, self.customers)
        self.play(0.2)
        self.events.clear()
        for gateway in self.gateways:
            gateway.alive = False
        self.pass_time(self.now + 3 * self.setting.lifetime + 20.0)
        self.desk.advance()
        assert not self.desk.leases
        assert not self.stock.grants
        assert not self.stock.queued
