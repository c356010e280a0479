"""Who is thought to be one and the same, and how much each weighs: accounts and their clusters."""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final

from fairgate.share.usage import amount, part

#: From this likelihood of a link on, an account has no share of its own.
MERGES: Final = 0.9
#: From this trust on, an account has its full weight.
FULL_TRUST: Final = 0.975
#: What is thought of an account that nothing is known of.
UNKNOWN_TRUST: Final = 0.5
#: The odds of being honest that count at most, and at least, among the accounts of one cluster.
_MOST_ODDS: Final = 1_000.0
_FULL_ODDS: Final = FULL_TRUST / (1 - FULL_TRUST)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an account: nothing, where a field is left out.

    `cluster` is the actor that it belongs to with likelihood `p_link`, `trust` the calibrated likelihood that it is
    honest, `paid` its verified spend as a multiple of what a free account weighs, `ceil` the most that it gets of a
    pool's capacity (0 to 1). A `newcomer` is among the arrivals, then in probation, unless a payment method of theirs
    is `verified`. Raises ValueError for what is out of range.
    """

    cluster: str | None = None
    p_link: float = 1.0
    trust: float = UNKNOWN_TRUST
    paid: float = 0.0
    newcomer: bool = False
    verified: bool = False
    ceil: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        part("p_link", self.p_link)
        part("trust", self.trust)
        amount("paid", self.paid)
        if self.ceil is not None:
            part("ceil", self.ceil)

    @property
    def established(self) -> bool:
        """Whether it counts among those who are known, not among newcomers."""
        return not self.newcomer or self.verified

    @property
    def merged(self) -> bool:
        """Whether it shares a share."""
        return self.cluster is not None and self.p_link >= MERGES

    @property
    def own(self) -> float:
        """What is left of its own share: a link that is likely, but not enough to merge, takes its likelihood off."""
        return 1.0 if self.cluster is None or self.merged else 1.0 - self.p_link

    @property
    def odds(self) -> float:
        """The odds of being honest, within bounds."""
        odds = self.trust / (1 - self.trust) if self.trust < 1 else _MOST_ODDS
        return min(max(odds, 1 / _MOST_ODDS), _MOST_ODDS)

    @property
    def free(self) -> float:
        """What it weighs among clusters, by itself and without what it pays: 1 with full trust, below that by its odds.

        Of all ways to divide a part between honest people and others by what is believed of them, the one by the odds
        leaves others least (Neyman and Pearson, 1933).
        """
        return min(1.0, self.odds / _FULL_ODDS) * self.own

    @property
    def within(self) -> float:
        """What it weighs among the accounts of one cluster: its odds, and what it pays.

        Whoever is wrongly taken for one of a farm's accounts has better odds than a thousand of them; the cluster's
        share is none the larger for that.
        """
        return self.odds * (1 + self.paid)


#: Of whom nothing is known.
NOBODY: Final = Standing(newcomer=True)


class _Largest:
    """The largest of values by key; a change costs O(log n)."""

    __slots__ = ("_heap", "_of")

    def __init__(self) -> None:
        self._of: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def put(self, key: str, value: float) -> None:
        """Set a value."""
        self._of[key] = value
        heappush(self._heap, (-value, key))
        if len(self._heap) > 2 * len(self._of) + 64:
            self._heap = [(-each, name) for name, each in self._of.items()]
            heapify(self._heap)

    def drop(self, key: str) -> None:
        """Forget a value, if there is one."""
        self._of.pop(key, None)

    def __len__(self) -> int:
        return len(self._of)

    @property
    def top(self) -> float | None:
        """The largest value, or None where there is none."""
        while self._heap:
            value, key = self._heap[0]
            if self._of.get(key) == -value:
                return -value
            heappop(self._heap)
        return None


class Cluster:
    """The accounts that share one share. It weighs as much as its largest member, and what all have paid.

    Where one of them is established, the others neither add to what it weighs nor lower it, nor does their ceiling
    bind it: else anybody could link themselves to somebody to do them harm.
    """

    __slots__ = ("_ceilings", "_free", "_paid", "members", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[str, Standing] = {}
        self._paid = 0.0
        #: What is free of charge in a member's weight, and ceilings below zero: of newcomers, and of the established.
        self._free = (_Largest(), _Largest())
        self._ceilings = (_Largest(), _Largest())

    def put(self, account: str, standing: Standing) -> None:
        """Take an account in, or what is known of it anew."""
        self.drop(account)
        self.members[account] = standing
        self._free[standing.established].put(account, standing.free)
        if standing.ceil is not None:
            self._ceilings[standing.established].put(account, -standing.ceil)
        if standing.established:
            self._paid += standing.free * standing.paid

    def drop(self, account: str) -> None:
        """Let an account go."""
        old = self.members.pop(account, None)
        if old is not None:
            self._free[old.established].drop(account)
            self._ceilings[old.established].drop(account)
            if old.established:
                self._paid -= old.free * old.paid

    @property
    def established(self) -> bool:
        """Whether somebody in it is."""
        return len(self._free[True]) > 0

    @property
    def weight(self) -> float:
        """What it weighs among clusters."""
        free = self._free[self.established].top
        return (NOBODY.free if free is None else free) + (max(0.0, self._paid) if self.established else 0.0)

    @property
    def ceil(self) -> float | None:
        """The lowest of the ceilings that bind it."""
        lowest = self._ceilings[self.established].top
        return None if lowest is None else -lowest
