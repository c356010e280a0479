"""Fairgate's own share: `fairgate.share`, told of clusters, trust, newcomers and ceilings."""

from random import Random
from typing import Final

from fairgate.share import Denied, Grant, Pool, Queued, Share, Standing
from fairgate.simulate.sharing.policy import Answer, Ask, Capacity, Granted, Known, Refused, Waiting

_MODEL: Final = "model"


class Fair:
    """Fair between people, as far as it is known who is who."""

    def __init__(self, capacity: Capacity, rng: Random) -> None:
        self._now = 0.0
        pool = Pool("pool", capacity=capacity.rate, burst=capacity.burst, models=("*",))
        self.share = Share([pool], clock=lambda: self._now, rng=rng)
        self._grants: dict[str, Grant] = {}

    def know(self, who: Known) -> None:
        """Tell the share what is known of an account."""
        standing = Standing(who.cluster, who.p_link, who.trust, newcomer=who.newcomer, ceil=who.ceil)
        self.share.set_principal(who.account, standing, 1)

    def acquire(self, now: float, ask: Ask) -> Answer:
        """Ask it."""
        self._now = now
        answer = self.share.acquire(ask.account, _MODEL, ask.input, ask.most_output, ask.patience)
        return Waiting(answer.id) if isinstance(answer, Queued) else self._told(answer)

    def charge(self, now: float, key: str, output: int) -> None:
        """Charge a grant."""
        self._now = now
        self._grants[key].charge(output)

    def settle(self, now: float, key: str, input_: int, output: int) -> None:
        """Settle a grant."""
        self._now = now
        self._grants.pop(key).settle(input_, output)

    def advance(self, now: float) -> list[Granted | Refused]:
        """What has come of those who wait."""
        self._now = now
        return [self._told(each) for each in self.share.advance()]

    def next_at(self) -> float | None:
        """When to ask for that again."""
        return self.share.next_at()

    def _told(self, answer: Grant | Denied) -> Granted | Refused:
        if isinstance(answer, Denied):
            return Refused(answer.id, answer.retry_after)
        self._grants[answer.id] = answer
        return Granted(answer.id, answer.estimate)
