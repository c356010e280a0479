"""What the share looks like to an operator: who gets what now, and why somebody does, in plain words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nlargest
from typing import Final

import msgspec

from fairgate.share.node import Node
from fairgate.share.standing import NOBODY, Cluster, Standing
from fairgate.share.stock import Stock
from fairgate.share.tree import CLASSES, PROVES, AccountNode

#: Clusters that are told of by name.
_MOST: Final = 20
#: A debt below this part of a mean request is not worth a word.
_LITTLE: Final = 0.5


class Part(msgspec.Struct, frozen=True):
    """A class, a cluster or a tier: what it weighs, how much it was charged in all, what waits and is in flight."""

    name: str
    weight: float
    accounts: int
    waiting: int
    in_flight: int
    used: float
    ceil: float | None = None


class PoolTold(msgspec.Struct, frozen=True):
    """A pool: cost units a second, what is there now, what waits, and who has how much of what is used.

    `clusters` are those that wait or have used most, `tiers` the accounts by whether they pay.
    """

    name: str
    capacity: float
    level: float
    used: float
    in_flight: int
    waiting: int
    waiting_cost: float
    classes: list[Part]
    clusters: list[Part]
    tiers: list[Part]


class State(msgspec.Struct, frozen=True):
    """All pools."""

    pools: list[PoolTold]


class Explanation(msgspec.Struct, frozen=True):
    """Why an account gets what it gets: for operators, never for callers."""

    account: str
    known: bool
    standing: Standing
    cluster: str
    members: int
    words: list[str]
    #: What it is bound to by itself, beside what is known of it; None where it is not.
    bound: float | None = None


def state_of(stocks: Iterable[Stock], standings: Mapping[str, Standing]) -> State:
    """What all pools look like now; it goes through all accounts that have used them."""
    return State([_told(stock, standings) for stock in stocks])


def _told(stock: Stock, standings: Mapping[str, Standing]) -> PoolTold:
    tree = stock.tree
    nodes = list(tree.accounts.values())
    of: dict[Node | None, list[AccountNode]] = {}
    for node in nodes:
        of.setdefault(node.parent, []).append(node)
    groups = nlargest(_MOST, tree.clusters.values(), key=lambda group: (group.waiting, group.used))
    members = {
        name: [n for g in tree.clusters.values() if g.parent is c for n in of[g]] for name, c in tree.classes.items()
    }
    tiers: dict[str, list[AccountNode]] = {"free": [], "paid": []}
    for node in nodes:
        tiers["paid" if standings.get(node.name, NOBODY).paid > 0 else "free"].append(node)
    return PoolTold(
        stock.pool.name, stock.capacity, stock.level, stock.used, len(stock.grants), len(stock.queued),
        stock.waiting_cost,
        [_part(name, each, members[name]) for name, each in tree.classes.items()],
        [_part(group.name, group, of[group]) for group in groups],
        [_sum(name, each) for name, each in tiers.items()],
    )  # fmt: skip


def _part(name: str, node: Node, accounts: Sequence[AccountNode]) -> Part:
    ceil = node.ceiling.part if node.ceiling is not None else None
    in_flight = sum(each.in_flight for each in accounts)
    return Part(name, node.weight, len(accounts), node.waiting, in_flight, node.used, ceil)


def _sum(name: str, accounts: Sequence[AccountNode]) -> Part:
    waiting, flying = sum(each.waiting for each in accounts), sum(each.in_flight for each in accounts)
    weight, used = sum(each.weight for each in accounts), sum(each.used for each in accounts)
    return Part(name, weight, len(accounts), waiting, flying, used)


def explained(
    account: str,
    standing: Standing | None,
    cluster: Cluster | None,
    stocks: Iterable[Stock],
    bound: float | None = None,
) -> Explanation:
    """Why an account gets what it gets."""
    known, standing = standing is not None, standing or NOBODY
    members = len(cluster.members) if cluster is not None else 1
    words = [
        *_who(standing, cluster, known=known),
        *_ceilings(standing, cluster, bound),
        *(each for stock in stocks for each in _in_pool(account, stock, shared=members > 1)),
    ]
    name = cluster.name if cluster is not None else account
    return Explanation(account, known, standing, name, members, words, bound)


def _who(standing: Standing, cluster: Cluster | None, *, known: bool) -> Iterator[str]:
    if not known:
        yield "Nothing is known of this account: it is a newcomer."
    else:
        yield f"It is thought to be honest with a likelihood of {standing.trust:.0%}."
    others = len(cluster.members) - 1 if cluster is not None else 0
    if cluster is not None and others:
        yield (
            f"It shares one share with {others:,} more account{'s' if others > 1 else ''} of the actor {cluster.name}: "
            "others would make it no larger; among them it goes by how likely each is honest."
        )
    elif standing.cluster is not None and not standing.merged:
        yield (
            f"It may belong to the actor {standing.cluster} ({standing.p_link:.0%}), which is not enough to share a "
            f"share: it keeps {standing.own:.0%} of its own."
        )
    if cluster is not None:
        yield _class(established=cluster.established)
        yield f"It weighs {cluster.weight:.2f} there" + (", for what it has paid as well." if standing.paid else ".")


def _class(*, established: bool) -> str:
    if established:
        part = CLASSES["established"]
        return f"Its class is established, which has {part:.0%} of the capacity where all classes want all of it."
    first, later = CLASSES["arrivals"], CLASSES["probation"]
    return (
        f"Where all classes want all of the capacity its class has {first:.0%} (arrivals) until it has used {PROVES} "
        f"mean requests' worth of a pool, and {later:.0%} (probation) from then on."
    )


def _ceilings(standing: Standing, cluster: Cluster | None, bound: float | None) -> Iterator[str]:
    known = [each for each in (standing.ceil, cluster.ceil if cluster is not None else None) if each is not None]
    if known:
        yield f"A ceiling holds it to {min(known):.2%} of the capacity, also when capacity is idle."
    if bound is not None:
        yield f"It alone is bound to {bound * 100:.3g}% of the capacity" + (
            ", beside that: the lower of both counts." if known else ", also when capacity is idle."
        )


def _in_pool(account: str, stock: Stock, *, shared: bool) -> Iterator[str]:
    node = stock.tree.accounts.get(account)
    name = stock.pool.name
    if node is None or node.parent is None:
        yield f"{name}: it has asked for nothing."
        return
    unit = stock.tree.mean_cost or 1.0
    yield f"{name}: it has used {node.used / unit:,.1f} mean requests' worth, and {node.in_flight} are in flight."
    debt = max(node.parent.debt, node.debt if shared else 0.0)
    if debt > _LITTLE * unit:
        yield f"{name}: others go first until they have had {debt / unit:,.1f} mean requests' worth for their weight."
    if node.waiting:
        first = next(each for each in node.queue if not each.gone)
        yield f"{name}: {node.waiting} of its requests wait, the first for {stock.since - first.since:.1f} s."
