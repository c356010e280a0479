"""The share: who may use compute now, who waits, and who has had how much."""

import math
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from fairgate.domain.errors import BadAmount
from fairgate.share.answers import Answer, Denied, Grant, Queued, Reason
from fairgate.share.pool import Pool
from fairgate.share.standing import NOBODY, Cluster, Standing
from fairgate.share.stock import Stock
from fairgate.share.told import Explanation, State, explained, state_of
from fairgate.share.tree import AccountNode
from fairgate.share.usage import MOST_CAPACITY, Usage, amount, part, tokens

#: Seconds after which it is worth asking again at the least, and at most; and how far the answer is off either way.
_SOONEST, _LATEST, _JITTER = 0.5, 60.0, 0.25
#: The longest that anybody may wait, in seconds.
_LONGEST: Final = 3_600.0
_LONGEST_NAME: Final = 256
#: Models whose pool is remembered.
_MODELS: Final = 256
#: Accounts that are looked at for one that may be forgotten.
_LOOKS: Final = 8


class Share:
    """Divides pools of capacity between people: classes, their clusters, the clusters' accounts.

    One thread uses it, and nothing in it waits: `advance` says what has come of those who do. `clock` gives seconds and
    goes forward; a step back counts as no time. Of accounts that nothing is known of, the `remembers` that asked last
    are remembered.
    """

    def __init__(
        self,
        pools: Sequence[Pool],
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        *,
        remembers: int = 200_000,
    ) -> None:
        names = [pool.name for pool in pools]
        if not pools or len(set(names)) < len(names):
            raise ValueError("there must be a pool, and no two of one name")
        self._clock = clock
        self._rng = rng or random.Random()
        self.stocks = {pool.name: Stock(pool, self, clock()) for pool in pools}
        self.standings: dict[str, Standing] = {}
        #: What `bind` holds accounts to.
        self.bounds: dict[str, float] = {}
        self.clusters: dict[str, Cluster] = {}
        self._versions: dict[str, int] = {}
        self._of: dict[str, Cluster] = {}
        self._passing: OrderedDict[str, None] = OrderedDict()
        self._remembers = remembers
        self._stock_of: dict[str, Stock] = {}
        self._by_id: dict[str, Stock] = {}
        self._prefix = f"{self._rng.getrandbits(48):012x}"
        self._count = 0
        self._outcomes: list[Grant | Denied] = []

    def acquire(self, account: str, model: str, input_tokens: int, max_output: int, deadline: float) -> Answer:
        """Ask for compute for an account, which waits `deadline` seconds at most; at 0 it is now or never.

        `account` is who the gateway knows that the caller is, never what the caller says. Raises `BadAmount`
        for what can't be.
        """
        read, most = tokens("input_tokens", input_tokens), tokens("max_output", max_output)
        stock = self._stock(model)
        if stock is None:
            return Denied(self._new_key(), Reason.NO_SUCH_MODEL, math.inf)
        node = self._node(stock, account)
        return self._ask(stock, node, stock.asked(node, read, most), deadline)

    def reserve(self, account: str, model: str, cost: float, deadline: float) -> Answer:
        """Ask for as much as a cost, whatever it will be used for; as `acquire` otherwise."""
        cost = amount("cost", cost, MOST_CAPACITY)
        stock = self._stock(model)
        if stock is None:
            return Denied(self._new_key(), Reason.NO_SUCH_MODEL, math.inf)
        return self._ask(stock, self._node(stock, account), (0, 0, cost), deadline)

    def advance(self) -> list[Grant | Denied]:
        """What has come of those who wait since this was asked last, in the order in which it came."""
        for stock in self.stocks.values():
            self._advance(stock)
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def next_at(self) -> float | None:
        """When `advance` may have something to tell, if nothing else happens before; None for never."""
        if self._outcomes:
            return self._clock()
        due = [at for stock in self.stocks.values() if (at := stock.next_at()) is not None]
        return min(due, default=None)

    def open(self, key: str) -> Grant | Queued | None:
        """The grant or the place in the queue of an id; None where it has ended, or there never was one."""
        stock = self._by_id.get(key)
        return None if stock is None else stock.grants.get(key) or stock.queued.get(key)

    def set_principal(self, account: str, standing: Standing, version: int) -> bool:
        """Say what is known of an account; False where something newer is in place, which stays."""
        _name(account)
        if version <= self._versions.get(account, -1):
            return False
        self._versions[account] = version
        self._passing.pop(account, None)
        left = self._of.get(account)
        cluster = self._cluster(account, standing)
        if left is not None and left is not cluster:
            left.drop(account)
        cluster.put(account, standing)
        self.standings[account] = standing
        self._of[account] = cluster
        for stock in self.stocks.values():
            self._advance(stock)
            stock.tree.place(account, self._held(account, standing), left or cluster, cluster, stock.since)
            self._advance(stock)
        if left is not None and not left.members:
            self.clusters.pop(left.name, None)
        return True

    def bind(self, account: str, ceil: float | None) -> None:
        """Hold an account, and nobody else of its cluster, to a part of each pool's capacity; None lets it go.

        It stands beside what is known of the account, however that changes: of both ceilings the lower binds. It is no
        knowledge, so an account of which nothing is known stays a newcomer. Raises `BadAmount`.
        """
        _name(account)
        if ceil == self.bounds.get(account):
            return
        if ceil is None:
            del self.bounds[account]
        else:
            self.bounds[account] = part("ceil", ceil)
        cluster = self._of.get(account)
        for stock in self.stocks.values():
            if cluster is not None and account in stock.tree.accounts:
                self._advance(stock)
                held = self._held(account, self.standings.get(account, NOBODY))
                stock.tree.place(account, held, cluster, cluster, stock.since)
                self._advance(stock)

    def set_capacity(self, pool: str, capacity: float) -> None:
        """Give a pool another capacity from now on. Raises KeyError for a pool that there is none of, or ValueError."""
        stock = self.stocks[pool]
        self._advance(stock)
        stock.change(amount("capacity", capacity, MOST_CAPACITY))
        self._advance(stock)

    def explain(self, account: str) -> Explanation:
        """Why an account gets what it gets, in words: for operators alone."""
        standing, cluster = self.standings.get(account), self._of.get(account)
        return explained(account, standing, cluster, self.stocks.values(), self.bounds.get(account))

    def state(self) -> State:
        """Who gets what now, and who waits; it goes through all accounts, so ask seldom."""
        for stock in self.stocks.values():
            self._advance(stock)
        return state_of(self.stocks.values(), self.standings)

    def charge_of(self, grant: Grant, output: int) -> bool:
        """See `Grant.charge`."""
        stock = self._by_id.get(grant.id)
        if stock is None:
            return False
        stock.refill(self._clock())
        return stock.charge(grant, output)

    def settle_of(self, grant: Grant, used: Usage | float) -> bool:
        """See `Grant.settle` and `Grant.settle_cost`."""
        stock = self._by_id.get(grant.id)
        if stock is None:
            return False
        stock.refill(self._clock())
        settled = stock.settle(grant, used)
        del self._by_id[grant.id]
        return settled

    def stopped(self, grant: Grant) -> bool:
        """See `Grant.stopped`: a ceiling of 0 is on the account, by itself or with its cluster."""
        account = grant.account
        standing, cluster = self.standings.get(account, NOBODY), self._of.get(account)
        ceilings = (self.bounds.get(account), standing.ceil, None if cluster is None else cluster.ceil)
        return 0.0 in ceilings

    def leave(self, queued: Queued) -> bool:
        """See `Queued.abort`."""
        stock = self._by_id.get(queued.id)
        if stock is None or not stock.leave(queued):
            return False
        del self._by_id[queued.id]
        return True

    def _ask(self, stock: Stock, node: AccountNode, asked: tuple[int, int, float], deadline: float) -> Answer:
        patience = min(amount("deadline", deadline), _LONGEST)
        key = self._new_key()
        if asked[2] > stock.pool.largest:
            return Denied(key, Reason.TOO_LARGE, math.inf)
        stock.learn(asked[2])
        if stock.passes(node):
            self._by_id[key] = stock
            return stock.grant(key, node, asked)
        if not patience:
            return Denied(key, Reason.LATE, self._retry_after(stock))
        if not stock.may_wait(node):
            return Denied(key, Reason.BUSY, self._retry_after(stock))
        queued = Queued(self, key, node, asked, (stock.since, stock.since + patience))
        self._by_id[key] = stock
        stock.enqueue(queued, node)
        return queued

    def _new_key(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count:x}"

    def _advance(self, stock: Stock) -> None:
        stock.refill(self._clock())
        if stock.since >= stock.expires_at:
            for key in stock.expire():
                del self._by_id[key]
        if stock.queued:
            for queued in stock.late():
                del self._by_id[queued.id]
                self._outcomes.append(Denied(queued.id, Reason.LATE, self._retry_after(stock)))
            if stock.level > 0:
                self._outcomes.extend(stock.serve())

    def _stock(self, model: str) -> Stock | None:
        stock = self._stock_of.get(model)
        if stock is None:
            stock = next((each for each in self.stocks.values() if each.pool.has(model)), None)
            if stock is not None and len(self._stock_of) < _MODELS:  # a model's name is the caller's
                self._stock_of[model] = stock
        return stock

    def _node(self, stock: Stock, account: str) -> AccountNode:
        """The account's node in a pool that is up to date. Those who wait have their turn with `advance`."""
        stock.refill(self._clock())
        node = stock.tree.accounts.get(account) if type(account) is str else None
        if node is not None and account not in self._passing:  # it was looked at before, as most were
            return node
        _name(account)
        standing = self.standings.get(account)
        if standing is None:
            if account in self._passing:
                self._passing.move_to_end(account)
            else:
                self._passing[account] = None
                self._of[account] = cluster = Cluster(account)
                cluster.put(account, NOBODY)
                if len(self._passing) > self._remembers:
                    self._forget_one()
            standing = NOBODY
        return stock.node(account, self._held(account, standing), self._of[account])

    def _held(self, account: str, standing: Standing) -> Standing:
        """What is known of an account, with the lower of its own two ceilings."""
        bound = self.bounds.get(account)
        if bound is None or (standing.ceil is not None and standing.ceil <= bound):
            return standing
        return replace(standing, ceil=bound)

    def _forget_one(self) -> None:
        """Forget the account that asked longest ago of those that nothing is known of, and of which nothing goes on.

        One that is bound stays: what it has taken beyond its ceiling would be forgotten with it.
        """
        for _ in range(min(len(self._passing), _LOOKS)):
            account, _ = self._passing.popitem(last=False)
            nodes = [(stock.tree, stock.tree.accounts.get(account)) for stock in self.stocks.values()]
            if account in self.bounds or any(node and (node.in_flight or node.waiting) for _, node in nodes):
                self._passing[account] = None
                continue
            cluster = self._of.pop(account)
            for tree, node in nodes:
                if node is not None:
                    tree.forget(account, cluster)
            return

    def _cluster(self, account: str, standing: Standing) -> Cluster:
        if standing.cluster is None or not standing.merged:
            left = self._of.get(account)
            alone = left is not None and left.name == account and self.clusters.get(account) is not left
            return left if left is not None and alone else Cluster(account)
        return self.clusters.setdefault(standing.cluster, Cluster(standing.cluster))

    def _retry_after(self, stock: Stock) -> float:
        """When to ask again: by what waits in the whole pool, the same for all, so that it gives nothing away."""
        wait = stock.waiting_cost / stock.capacity if stock.capacity else _LATEST
        return min(max(wait, _SOONEST), _LATEST) * self._rng.uniform(1 - _JITTER, 1 + _JITTER)


def _name(account: str) -> None:
    if type(account) is not str or not 0 < len(account) <= _LONGEST_NAME:
        raise BadAmount(f"account: it must be a text of 1 to {_LONGEST_NAME} characters")
