"""Random runs of the share beside an accountant who knows the rules, and not how they are kept.

The accountant writes down what each class, cluster and account is charged, and checks after each step: that nobody who
may be served waits while there is capacity; that nothing is lost or made up; and the guarantee. For siblings i and j
that both wait over a time without a break, with fixed weights w, L the largest estimate charged, E the largest
underestimate in flight and R the largest overestimate,

    |charge_i / w_i - charge_j / w_j| <= (L_i + E_i + R_i) / w_i + (L_j + E_j + R_j) / w_j.

Who owes an entry fee, brings a debt along, or has just come is not waiting in that sense until it has been served once;
nor is one whom a ceiling keeps. Which of the newcomers' two classes a cluster is in is read off the tree, and checked
against what its accounts have used.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Final

from fairgate.share import Denied, Grant, Pool, Queued, Share, Standing, TokenCost, Usage
from fairgate.share.tree import AccountNode

_TOLERANCE: Final = 1e-6
_LIFE: Final = 5.0
_COST: Final = TokenCost()
#: What classes weigh, and what a newcomer has used, in mean requests, when it leaves the arrivals.
_CLASSES: Final = {"established": 0.9, "probation": 0.08, "arrivals": 0.02}
_PROVES: Final = 5
#: What is asked for at once: a prompt, and an answer that weighs twice as much.
_MOST_READ, _MOST_WRITTEN = 300, 400
_LARGEST: Final = _MOST_READ + 2 * _MOST_WRITTEN


class BrokenGuarantee(AssertionError):
    """Siblings were charged more unevenly than they may be."""


@dataclass
class Ledger:
    """What is known of one sibling: what it was charged in all, and the largest L, E and R so far."""

    charged: float = 0.0
    largest: float = 0.0
    under: float = 0.0
    over: float = 0.0
    served: int = 0
    #: Whether it owes nothing but what it was charged in its turns.
    clean: bool = True

    @property
    def slack(self) -> float:
        return self.largest + self.under + self.over


@dataclass
class Window:
    """A time over which two siblings wait: the range of the difference of what they were charged."""

    weights: tuple[float, float]
    least: float
    most: float
    served: tuple[int, int]


@dataclass
class Holding:
    """A grant that the client has, and what it will have used in the end."""

    grant: Grant
    nodes: tuple[str, ...]
    final: float
    usage: Usage
    end: str
    counted: float


def weight_of(members: list[Standing]) -> float:
    """A cluster's weight by the words of the spec: its largest established member's, and what all have paid."""
    known = [each for each in members if not each.newcomer or each.verified]
    return max(max(map(benefit, known or members)) + sum(benefit(each) * each.paid for each in known), 1e-4)


def benefit(standing: Standing) -> float:
    """What one account weighs: all from a trust of .975 on, below that by its odds, less what a weak link takes off."""
    odds = 1_000.0 if standing.trust == 1 else max(1e-3, standing.trust / (1 - standing.trust))
    return min(1.0, odds / 39) * (1.0 - standing.p_link if standing.cluster and standing.p_link < 0.9 else 1.0)


def established(members: list[Standing]) -> bool:
    return any(not each.newcomer or each.verified for each in members)


@dataclass
class Run:
    """One run of a share, drawn from a seed."""

    seed: int
    steps: int = 200
    pairs: int = 0
    now: float = 0.0
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    windows: dict[tuple[str, str], Window] = field(default_factory=dict)
    held: dict[str, Holding] = field(default_factory=dict)
    waiting: dict[str, Queued] = field(default_factory=dict)
    standing: dict[str, Standing] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    used: float = 0.0
    capacity_spent: float = 0.0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.capacity = self.rng.choice((500.0, 2_000.0, 8_000.0))
        self.burst = self.capacity * self.rng.choice((0.2, 1.0, 3.0))
        pool = Pool("p", self.capacity, self.burst, grant_seconds=_LIFE, queue=500)
        self.share = Share([pool], clock=lambda: self.now, rng=random.Random(self.seed))
        self.stock = self.share.stocks["p"]
        self.accounts = [f"a{number}" for number in range(self.rng.randint(3, 9))]
        self.greedy = set(self.rng.sample(self.accounts, self.rng.randint(2, len(self.accounts))))
        self.version = 0
        self.arrange()
        self.allowed = self.burst
        for account in self.accounts:
            if self.rng.random() < 0.85:
                self.place(account)

    # ------------------------------------------------------------------------------------------------ what is done

    def play(self) -> None:
        """Step after step; raises AssertionError where a rule is broken."""
        for _ in range(self.steps):
            self.ask()
            self.check_waiting()
            self.watch()
            self.use()
            self.pass_time()
            self.watch()
            if self.rng.random() < 0.03:
                self.place(self.rng.choice(self.accounts))
                self.collect()
                self.watch()
            if self.rng.random() < 0.01:
                self.change_capacity()
                self.watch()
        for key in list(self.windows):
            self.close(key)

    def ask(self) -> None:
        for account in self.accounts:
            hungry = account in self.greedy
            most = 3 if hungry else 1
            mine = sum(each.account == account for each in self.waiting.values())
            while mine < most and (hungry or self.rng.random() < 0.1):
                read, written = self.rng.randrange(1, _MOST_READ), self.rng.randrange(0, _MOST_WRITTEN)
                deadline = 1e3 if hungry else self.rng.choice((0.0, 0.5, 5.0))
                answer = self.share.acquire(account, "m", read, written, deadline)
                if isinstance(answer, Grant):
                    self.hold(answer, written, waited=False)
                elif isinstance(answer, Queued):
                    self.waiting[answer.id] = answer
                    self.outputs[answer.id] = written
                mine += 1

    outputs: dict[str, int] = field(default_factory=dict)

    def hold(self, grant: Grant, most: int, *, waited: bool = True) -> None:
        used = self.rng.randint(0, most) if self.rng.random() < 0.8 else most + self.rng.randrange(0, 200)
        cached = self.rng.randint(0, grant.input) if self.rng.random() < 0.3 else 0
        end = self.rng.choices(("settle", "abort", "silence"), (0.75, 0.2, 0.05))[0]
        if end == "abort":
            cached = 0
        usage = Usage(grant.input, used, cached)
        final = _COST(usage) if end != "silence" else grant.estimate
        nodes = (*self.nodes[grant.account], grant.path[-1].name)
        self.held[grant.id] = Holding(grant, nodes, final, usage, end, grant.estimate)
        for name in nodes:
            ledger = self.ledgers.setdefault(name, Ledger(clean=self.clean_at_birth(name, grant.account)))
            ledger.charged += grant.estimate
            ledger.largest = max(ledger.largest, grant.estimate)
            ledger.served += 1
            ledger.clean = waited  # who is served at once has yet to stand in line, as others do
        self.used += grant.estimate

    def use(self) -> None:
        for key, holding in list(self.held.items()):
            dice = self.rng.random()
            if holding.end == "silence":
                continue
            if dice < 0.25 or self.now - holding.grant.touched > _LIFE - 1:
                self.count(holding, self.end(holding))
                del self.held[key]
                self.check_arrival(holding.grant.account)
            elif dice < 0.5:
                so_far = self.rng.randint(0, holding.usage.output)
                holding.grant.charge(so_far)
                self.count(holding, holding.grant.counted)

    def end(self, holding: Holding) -> float:
        usage = holding.usage
        if holding.end == "abort":
            holding.grant.charge(usage.output)
            assert holding.grant.abort()
        else:
            assert holding.grant.settle(usage.input, usage.output, usage.cached)
        assert not holding.grant.settle(1, 1)
        assert not holding.grant.abort()
        assert not holding.grant.charge(10**6)
        return holding.final

    def count(self, holding: Holding, cost: float) -> None:
        for name in holding.nodes:
            self.ledgers[name].charged += cost - holding.counted
        self.used += cost - holding.counted
        holding.counted = cost

    def pass_time(self) -> None:
        step = self.rng.choice((0.0, 0.01, 0.1, 0.5, -3.0))
        if step > 0:
            self.allowed += self.capacity * step
        self.now += step
        self.collect()
        if step < 0:  # a clock that was set back: no time passes until it is where it was
            self.now -= step

    def change_capacity(self) -> None:
        self.capacity = self.rng.choice((0.0, 500.0, 4_000.0))
        self.share.set_capacity("p", self.capacity)
        self.collect()

    def collect(self) -> None:
        """Hear what has come of those who wait; whom nobody has touched for too long has ended by then."""
        for outcome in self.share.advance():
            self.waiting.pop(outcome.id, None)
            most = self.outputs.pop(outcome.id)
            if isinstance(outcome, Grant):
                self.hold(outcome, most)
            else:
                assert isinstance(outcome, Denied)
        for key, holding in list(self.held.items()):
            if holding.end == "silence" and holding.grant.touched + _LIFE <= self.stock.since:
                assert not holding.grant.settle(1, 1), "it should have ended by itself"
                del self.held[key]

    def place(self, account: str) -> None:
        """Say something new of an account: it may move, weigh something else, or get a ceiling."""
        before, owed, used = self.clusters, self.debt(account), self.stock.used
        self.version += 1
        cluster = self.rng.choice((None, "c1", "c1", "c2"))
        standing = Standing(
            cluster,
            self.rng.choice((1.0, 0.95, 0.5)),
            self.rng.choice((0.0, 0.1, 0.5, 0.9, 1.0)),
            self.rng.choice((0.0, 0.0, 2.0)),
            newcomer=self.rng.random() < 0.2,
            verified=self.rng.random() < 0.1,
            ceil=self.rng.choice((None, None, None, None, 0.02, 0.3)),
        )
        assert self.share.set_principal(account, standing, self.version)
        assert not self.share.set_principal(account, replace(standing, trust=0.3), self.version)
        self.standing[account] = standing
        self.arrange()
        after = self.clusters
        if self.stock.used == used:  # nobody else was served meanwhile
            assert self.debt(account) >= owed - _TOLERANCE * (1 + owed), "it got rid of what it owed"
        for name in {*before, *after}:
            if before.get(name) != after.get(name):  # weights, classes or debts of it may have changed
                self.ledgers.setdefault(name, Ledger()).clean = False
        self.ledgers.setdefault(account, Ledger()).clean = False
        self.close_unclean()

    # --------------------------------------------------------------------------------------------- what is checked

    def arrange(self) -> None:
        """Work out the clusters by name, an account alone being one of its own, and what everybody weighs."""
        clusters: dict[str, dict[str, Standing]] = {}
        for account in self.accounts:
            standing = self.standing.get(account, Standing(newcomer=True))
            merged = standing.cluster is not None and standing.p_link >= 0.9
            name = standing.cluster if merged and standing.cluster else f"[{account}]"
            clusters.setdefault(name, {})[account] = standing
        self.clusters = clusters
        self.nodes = {account: (account, name) for name, members in clusters.items() for account in members}
        self.weights = dict(_CLASSES)
        self.weights |= {name: weight_of(list(members.values())) for name, members in clusters.items()}
        self.weights |= {account: each.within for members in clusters.values() for account, each in members.items()}

    def debt(self, account: str) -> float:
        """What an account owes: what its cluster does, or it itself, where that is more and it isn't alone."""
        node = self.stock.tree.accounts.get(account)
        if node is None or node.parent is None:
            return 0.0
        alone = len(self.clusters[self.nodes[account][1]]) == 1
        return node.parent.debt if alone else max(node.parent.debt, node.debt)

    def clean_at_birth(self, name: str, account: str) -> bool:
        standing = self.standing.get(account, Standing(newcomer=True))
        return name in _CLASSES or standing.established

    def check_waiting(self) -> None:
        stock = self.stock
        assert {*stock.queued} == {*self.waiting}
        assert stock.tree.root.waiting == len(self.waiting)
        for account, node in stock.tree.accounts.items():
            assert node.waiting == sum(each.account == account for each in self.waiting.values())
            assert node.in_flight == sum(each.grant.account == account for each in self.held.values())

    def watch(self) -> None:
        """Check what must hold after each step, and follow the pairs of siblings."""
        stock = self.stock
        assert abs(stock.used - self.used) <= _TOLERANCE * (1 + self.used)
        largest = max((each.largest for each in self.ledgers.values()), default=0.0)
        under = sum(max(0.0, each.final - each.grant.estimate) for each in self.held.values())
        assert stock.level <= self.burst + largest * len(self.ledgers) + under
        self.check_classes()
        eligible = self.eligible()
        if stock.level > 0:
            assert not eligible, "there is capacity, and somebody waits for it"
        self.in_flight()
        groups = [*self.siblings(eligible)]
        alive = {pair for group in groups for pair in combinations(sorted(group), 2)}
        for pair in [*self.windows]:
            if pair not in alive:
                self.close(pair)
        waits = {name for group in groups for name in group}
        for name, ledger in self.ledgers.items():
            ledger.clean &= name in waits  # who comes back begins anew
        for pair in alive:
            self.follow(pair, (self.weights[pair[0]], self.weights[pair[1]]))

    def check_classes(self) -> None:
        """Newcomers are among the arrivals until they have used enough; who changes its class begins anew there."""
        kinds: dict[str, str] = {}
        for account, node in self.stock.tree.accounts.items():
            cluster = self.nodes[account][1]
            kinds[cluster] = kind = node.path[-1].name
            assert (kind == "established") == established([*self.clusters[cluster].values()])
        for cluster, kind in kinds.items():
            if kind == "probation":
                used = [self.charged(each) for each in (cluster, *self.clusters[cluster])]
                assert max(used) > 0, "it has used nothing, and is in probation"
        for cluster, kind in kinds.items():
            if self.kinds.get(cluster, kind) != kind:
                self.ledgers.setdefault(cluster, Ledger()).clean = False
        self.kinds = kinds
        self.close_unclean()

    def check_arrival(self, account: str) -> None:
        """Whoever has just used something, and enough in all, is no arrival, however large a mean request is."""
        if self.stock.tree.accounts[account].path[-1].name == "arrivals":
            assert self.charged(account) <= _PROVES * _LARGEST * (1 + _TOLERANCE), "it has used enough"

    def charged(self, name: str) -> float:
        return self.ledgers[name].charged if name in self.ledgers else 0.0

    def eligible(self) -> set[str]:
        """The accounts in which somebody waits whom no ceiling keeps."""
        found = set()
        for account in {each.account for each in self.waiting.values()}:
            node: AccountNode = self.stock.tree.accounts[account]
            if not any(n.ceiling is not None and n.ceiling.level <= 0 for n in node.path):
                found.add(account)
        return found

    def siblings(self, eligible: set[str]) -> Iterator[set[str]]:
        """Groups of those that compete with each other: classes, clusters of a class, accounts of a cluster."""
        live: dict[str, set[str]] = {}
        by_class: dict[str, set[str]] = {}
        for account in eligible:
            _, cluster = self.nodes[account]
            kind = self.kinds[cluster]
            live.setdefault(cluster, set()).add(account)
            by_class.setdefault(kind, set()).add(cluster)
        yield {*by_class}
        yield from by_class.values()
        yield from live.values()

    def in_flight(self) -> None:
        under: dict[str, float] = {}
        over: dict[str, float] = {}
        for holding in self.held.values():
            for name in holding.nodes:
                more = holding.final - holding.counted
                under[name] = under.get(name, 0.0) + max(0.0, more)
                over[name] = over.get(name, 0.0) + max(0.0, -more)
        for name, ledger in self.ledgers.items():
            ledger.under = max(ledger.under, under.get(name, 0.0))
            ledger.over = max(ledger.over, over.get(name, 0.0))

    def follow(self, pair: tuple[str, str], weights: tuple[float, float]) -> None:
        one, other = (self.ledgers.setdefault(name, Ledger(clean=False)) for name in pair)
        if not (one.clean and other.clean):
            return
        apart = one.charged / weights[0] - other.charged / weights[1]
        window = self.windows.get(pair)
        if window is not None and window.weights != weights:
            self.close(pair)
            window = None
        if window is None:
            self.windows[pair] = Window(weights, apart, apart, (one.served, other.served))
            return
        window.least, window.most = min(window.least, apart), max(window.most, apart)

    def close_unclean(self) -> None:
        for key in list(self.windows):
            if not self.ledgers[key[0]].clean or not self.ledgers[key[1]].clean:
                self.close(key)

    def close(self, pair: tuple[str, str]) -> None:
        """A window is over: check the guarantee for each time in it."""
        window = self.windows.pop(pair)
        one, other = self.ledgers[pair[0]], self.ledgers[pair[1]]
        if one.served - window.served[0] + other.served - window.served[1] >= 2:
            self.pairs += 1
        bound = one.slack / window.weights[0] + other.slack / window.weights[1]
        if window.most - window.least > bound * (1 + _TOLERANCE) + _TOLERANCE:
            raise BrokenGuarantee(f"seed {self.seed}: {pair} {window} against {bound}: {one} {other}")
