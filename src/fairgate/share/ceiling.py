"""A ceiling: the most that somebody gets, also where nobody else wants anything."""

import math
from typing import Final

#: How long somebody may save up for, in seconds.
_SAVES: Final = 1.0
#: Added to a time at which a level is above zero again, so that it is when the time has come.
JUST_AFTER: Final = 1e-6


class Ceiling:
    """A bucket that fills at `rate` cost units a second; who has taken more than there was waits until it is repaid."""

    __slots__ = ("level", "part", "rate", "since")

    def __init__(self, part: float, capacity: float, now: float) -> None:
        self.part = part
        self.rate = part * capacity
        self.level = self.rate * _SAVES
        self.since = now

    def refill(self, now: float, capacity: float) -> bool:
        """Whether something may be taken now: filled at its rate until now, and from now on by a capacity."""
        if now > self.since:
            self.level = min(max(self.level, self.rate * _SAVES), self.level + self.rate * (now - self.since))
            self.since = now
        self.rate = self.part * capacity
        return self.level > 0

    def take(self, cost: float) -> None:
        """Take; below zero, give back: no more than may be saved up, for what was taken before there was a ceiling."""
        level = self.level - cost
        self.level = level if cost >= 0 else min(level, max(self.level, self.rate * _SAVES))

    @property
    def free_at(self) -> float:
        """When something may be taken again, if nothing is given back before; inf for never."""
        return self.since - self.level / self.rate + JUST_AFTER if self.rate > 0 else math.inf
