"""The grants that a gateway has given in one pool, and what they turn out to cost."""

from collections.abc import Iterator
from typing import Final

from fairgate.share.answers import Grant, Keeper
from fairgate.share.lease_purse import Purse
from fairgate.share.pool import Pool
from fairgate.share.usage import Usage

#: How much a new request counts in a running mean, and the output that is expected before there was any.
_LEARNS: Final = 0.05
_FIRST_OUTPUT: Final = 256.0


class Grants:
    """Grants that have not ended. What they cost beyond their estimates, or less, is their purses' to tell the desk."""

    def __init__(self, pool: Pool, keeper: Keeper) -> None:
        self.pool = pool
        #: The one that was touched longest ago first.
        self.grants: dict[str, Grant] = {}
        #: The output that is expected of an account's first request.
        self.mean_output = _FIRST_OUTPUT
        self._keeper = keeper

    def grant(self, key: str, purse: Purse, asked: tuple[int, int, float], now: float) -> Grant:
        """Grant a request whose estimate has been taken."""
        grant = self.grants[key] = Grant(self._keeper, key, purse, asked, now)
        purse.in_flight += 1
        return grant

    def charge(self, grant: Grant, output: int, now: float) -> bool:
        """Count output beyond what was expected, and that the grant is alive."""
        if self.grants.pop(grant.id, None) is None:
            return False
        self.grants[grant.id] = grant
        grant.touched = now
        if output <= grant.output:
            return False
        grant.output = output
        if output > grant.expected:
            self._correct(grant, max(grant.counted, self.pool.cost(Usage(grant.input, output))))
        return True

    def settle(self, grant: Grant, used: Usage | float) -> bool:
        """Count what was used, or what that cost, and end a grant; False where it has ended."""
        if self.grants.pop(grant.id, None) is None:
            return False
        purse = grant.node
        if isinstance(purse, Purse):
            purse.in_flight -= 1
            if isinstance(used, Usage):
                self.mean_output += (used.output - self.mean_output) * _LEARNS
                purse.mean_output += (used.output - purse.mean_output) * _LEARNS
        self._correct(grant, self.pool.cost(used) if isinstance(used, Usage) else used)
        return True

    def _correct(self, grant: Grant, cost: float) -> None:
        if isinstance(grant.node, Purse):
            grant.node.more += cost - grant.counted
        grant.counted = cost

    def expire(self, now: float) -> Iterator[str]:
        """End the grants that nobody has touched for too long, as they are counted; their ids."""
        while self.grants:
            grant = next(iter(self.grants.values()))
            if grant.touched + self.pool.grant_seconds > now:
                return
            self.settle(grant, grant.counted)
            yield grant.id
