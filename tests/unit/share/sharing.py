"""A share with a clock that stands until it is told to go, for tests."""

import random
from dataclasses import dataclass, field

from fairgate.share import Answer, Denied, Grant, Pool, Queued, Share, Standing, Usage


@dataclass
class Sharing:
    """A pool of 1,000 cost units a second, all of which may be saved up, and whoever is to use it."""

    pools: tuple[Pool, ...] = (Pool("p", 1_000.0),)
    now: float = 100.0
    remembers: int = 200_000
    share: Share = field(init=False)
    _version: int = 0

    def __post_init__(self) -> None:
        self.share = Share(self.pools, clock=lambda: self.now, rng=random.Random(5), remembers=self.remembers)

    @property
    def level(self) -> float:
        return self.share.stocks[self.pools[0].name].level

    def known(self, account: str, standing: Standing | None = None) -> None:
        """Let an account be known: trusted unless it is said otherwise."""
        self._version += 1
        assert self.share.set_principal(account, standing or Standing(trust=1.0), self._version)

    def ask(self, account: str, cost: int = 100, deadline: float = 1_000.0, model: str = "m") -> Answer:
        """Ask for so many tokens of input and none of output."""
        return self.share.acquire(account, model, cost, 0, deadline)

    def granted(self, account: str, cost: int = 100) -> Grant:
        answer = self.ask(account, cost)
        assert isinstance(answer, Grant), answer
        return answer

    def queued(self, account: str, cost: int = 100, deadline: float = 1_000.0) -> Queued:
        answer = self.ask(account, cost, deadline)
        assert isinstance(answer, Queued), answer
        return answer

    def denied(self, account: str, cost: int = 100, deadline: float = 0.0, model: str = "m") -> Denied:
        answer = self.ask(account, cost, deadline, model)
        assert isinstance(answer, Denied), answer
        return answer

    def empty(self, account: str = "empties") -> None:
        """Use up all there is."""
        self.known(account)
        if self.level > 0:
            grant = self.granted(account, 1)
            assert grant.settle_cost(self.level + 1)

    def pass_time(self, seconds: float) -> list[str]:
        """Let time pass; whose requests were granted since, in order."""
        self.now += seconds
        return [each.account for each in self.share.advance() if isinstance(each, Grant)]


USED = Usage(10, 10)
