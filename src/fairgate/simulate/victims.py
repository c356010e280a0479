"""Honest customers whose accounts others get into, and how they come to notice."""

from collections.abc import Collection, Iterable
from functools import partial
from random import Random

from fairgate.domain.windows import HOUR
from fairgate.simulate.honest.life import Customer, notices
from fairgate.simulate.play import Stage
from fairgate.simulate.world_file import Range


class Victims:
    """Whom opponents may break into. Nobody is broken into twice: after the first time they take care.

    `after` is how many hours an owner needs to notice.
    """

    def __init__(self, customers: Iterable[Customer], stage: Stage, after: Range, rng: Random) -> None:
        self._customers = list(customers)
        self._stage = stage
        self._after = after
        self._rng = rng
        self._rng.shuffle(self._customers)

    def draw(self, now: int, tiers: Collection[str]) -> Customer | None:
        """Somebody whose account is there at a time and of one of these tiers; None where all have been."""
        for at in range(len(self._customers) - 1, -1, -1):
            account = self._customers[at].account
            if account.created < now and account.tier in tiers:
                return self._customers.pop(at)
        return None

    def broken_into(self, who: Customer, now: int, keys: Collection[str]) -> int:
        """From now on somebody else uses the account, with these keys; returns when its owner will notice."""
        at = now + int(self._after.draw(self._rng) * HOUR)
        self._stage.add([(at, partial(notices, who, self._rng, at, keys))])
        return at
