"""What a pool of capacity is."""

import math
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from fairgate.share.usage import MOST_CAPACITY, Cost, TokenCost, amount


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of capacity that some models share.

    `capacity` is in cost units a second and may be 0; `burst` is what may be saved up, one second's worth unless it is
    given. `models` are patterns as of file names. A request of more than `largest` cost units is never taken. `queue`
    requests may wait, and a grant that is neither charged nor settled for `grant_seconds` ends as estimated. Raises
    ValueError for what can't be.
    """

    name: str
    capacity: float
    burst: float | None = None
    models: tuple[str, ...] = ("*",)
    cost: Cost = field(default_factory=TokenCost)
    largest: float = math.inf
    queue: int = 10_000
    grant_seconds: float = 600.0

    def __post_init__(self) -> None:
        """Refuse what can't be."""
        amount("capacity", self.capacity, MOST_CAPACITY)
        if self.burst is not None and not amount("burst", self.burst, MOST_CAPACITY) > 0:
            raise ValueError("burst: it must be above 0, or nothing would ever be granted")
        if self.queue < 0 or not self.grant_seconds > 0 or not self.largest > 0:
            raise ValueError("queue must be 0 or more, grant_seconds and largest above 0")

    def has(self, model: str) -> bool:
        """Whether it has a model."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)
