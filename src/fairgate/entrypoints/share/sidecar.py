"""What stands behind the sidecar's requests: the share, those who wait for it, and what was said of it."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fairgate.entrypoints.share.commits import Commits
from fairgate.entrypoints.share.decisions import Decisions, Word
from fairgate.entrypoints.share.lines import Resized, Said
from fairgate.entrypoints.share.meters import Meters
from fairgate.entrypoints.share.standings import Standings
from fairgate.entrypoints.signing import Verifier
from fairgate.integrations.driver import Driver
from fairgate.settings import Settings, SharePool
from fairgate.share import GpuSecondsCost, Grant, Pool, Share, Standing, TokenCost
from fairgate.share.lease import Terms
from fairgate.share.lease_desk import LeaseDesk

#: Grants that are remembered after their end, so that who settles one twice is told so.
_REMEMBERED: Final = 200_000
#: A gateway with leases may hold what its part of the capacity is in so many seconds.
_QUANTUM_SECONDS: Final = 0.5


def pools_of(settings: Settings) -> list[Pool]:
    """The pools of some settings. Raises ValueError for what can't be."""
    return [_pool(each) for each in settings.share.pools]


def desk_of(settings: Settings, share: Share, clock: Callable[[], float]) -> LeaseDesk | None:
    """The desk of some settings, None where they have no gateways for it. Raises ValueError for what can't be."""
    leases = settings.share.leases
    if not leases.gateways:
        return None
    quanta = {
        pool.name: pool.quantum or pool.capacity / leases.gateways * _QUANTUM_SECONDS for pool in settings.share.pools
    }
    return LeaseDesk(share, Terms(leases.gateways, quanta, leases.lifetime, leases.delta, leases.sigma), clock)


def _pool(told: SharePool) -> Pool:
    speeds, prices = told.speeds, told.prices
    tokens = TokenCost(prices.input, prices.output, prices.cached)
    return Pool(
        told.name,
        told.capacity,
        told.burst,
        tuple(told.models) or ("*",),
        tokens if told.unit == "tokens" else GpuSecondsCost(speeds.read, speeds.write),
        told.largest or float("inf"),
        told.queue,
        told.grant_seconds,
    )


@dataclass(frozen=True, slots=True)
class Behind:
    """What a connection asks of the application that it is for: limits, and where to count what it answers itself."""

    settings: Settings
    metrics: Meters


class Sidecar:
    """A share that is asked over HTTP. One event loop uses it. `key` is what Fairgate's webhooks are signed with."""

    def __init__(
        self,
        settings: Settings,
        standings: Standings,
        routes: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
        key: bytes | None = None,
    ) -> None:
        self.share = Share(pools_of(settings), clock, random.SystemRandom())
        self.decisions = Decisions(settings.share.throttled_ceil)
        self.restored = standings.restore(self.share, self.decisions)
        #: Who checks messages; None where none are taken.
        self.verifier = None if key is None else Verifier(key, standings.clock)
        #: Where gateways get leases, if there are to be any.
        self.desk = desk_of(settings, self.share, clock)
        self.driver = Driver(self.desk or self.share, clock)
        self.meters = Meters(self.share, routes)
        self.settings = settings.share
        self._standings = standings
        self._commits = Commits(standings.append)
        #: The newest version that is on its way to the disk, by account.
        self._coming: dict[str, int] = {}
        self._configured = {pool.name: pool.capacity for pool in pools_of(settings)}
        #: Grants by when they were given; the oldest are forgotten.
        self._given: dict[str, None] = {}

    def gave(self, grant: Grant) -> None:
        """Remember that a grant was given."""
        self._given[grant.id] = None
        if len(self._given) > _REMEMBERED:
            del self._given[next(iter(self._given))]

    def grant(self, key: str) -> Grant | bool:
        """The grant of an id, or whether it is one that has ended."""
        found = self.share.open(key)
        return found if isinstance(found, Grant) else key in self._given

    def ended(self) -> None:
        """What a grant did not use is there for those who wait."""
        if self.driver.waiting:
            self.driver.touched()

    async def set_principal(self, said: Said) -> bool:
        """Write down what is known of an account, then let it count; False where something newer is in place.

        Raises `SharesUnusable` where it can't be written: it does not count then.
        """
        account, version = said.account, said.version
        if version <= self.version_of(account):
            return False
        self._coming[account] = max(version, self._coming.get(account, -1))
        try:
            return await self._commits.add(said, lambda: self._put(said))
        finally:
            if self._coming.get(account) == version:
                del self._coming[account]

    def version_of(self, account: str) -> int:
        """The version of what is known of an account; -1 where nothing is."""
        return self._standings.versions.get(account, -1)

    def next_version(self, account: str) -> int:
        """A version that is newer than what is known of an account, and than what is about to be."""
        return max(self.version_of(account), self._coming.get(account, -1)) + 1

    async def set_capacity(self, pool: str, capacity: float, by: str, reason: str) -> None:
        """Write down a pool's capacity, then let it count. Raises KeyError or `SharesUnusable`."""
        line = Resized(self.now(), by, reason, pool, capacity, self._configured[pool])
        await self._commits.add(line, lambda: self.share.set_capacity(pool, capacity))
        self.driver.touched()

    async def heed(self, word: Word) -> bool:
        """Write down what a message said, then let it count; False where it is no news. Raises `SharesUnusable`.

        It is on disk when this returns, also where another request has brought it.
        """
        return self.decisions.is_news(word) and await self._commits.add(word, lambda: self._take(word))

    def said(self, account: str, standing: Standing, version: int, by: str, reason: str) -> Said:
        """A line about an account."""
        return Said(self.now(), by, reason, account, version, standing)

    def now(self) -> str:
        """The time as lines have it."""
        return self._standings.now()

    def _put(self, said: Said) -> bool:
        applied = self.share.set_principal(said.account, said.standing, said.version)
        if applied:
            self._standings.versions[said.account] = said.version
            self.driver.touched()
        return applied

    def _take(self, word: Word) -> bool:
        if not self.decisions.take(word):
            return False
        for account in self.decisions.concerned(word):
            self.share.bind(account, self.decisions.ceil_of(account))
        self.driver.touched()
        return True
