"""Repeats as they were before their keys were on disk: all in memory, and simple. What the program is compared with."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from fairgate.domain.windows import DAY, LONGEST_REPEAT
from fairgate.kernel.rows import Memory


class DayStart(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The number of the first event of a day of the log's clock."""

    day: int
    number: int


class Named(Protocol):
    """An event, or its record."""

    @property
    def source(self) -> str:
        """Who sent it."""
        ...

    @property
    def id(self) -> str:
        """Its name at its source."""
        ...

    @property
    def received(self) -> int:
        """Microseconds since 1970 UTC."""
        ...


class NaiveState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What `Repeats` keeps beside its keys: where days begin, and the events whose hash is another's, by their name."""

    days: list[DayStart]
    others: dict[str, int]


class NaiveRepeats:
    """Remembers a keyed 64-bit hash of each event's source and id, for at least thirty days of the log's clock.

    What it holds depends on nothing but the events and their order: not on how they were bundled. A repeat that comes
    later than it can be recognised is refused as late, since its time is as old.
    """

    def __init__(self, secret: int) -> None:
        self._secret = secret
        self._memory = Memory()
        self._days: list[DayStart] = []
        self._others: dict[str, int] = {}

    def met(self, events: Sequence[Named], first: int) -> list[int]:
        """The number of the event that each repeats, or -1; the new ones have the numbers from `first` on, in order.

        Two events whose hashes are the same look like repeats: compare before believing it, and see `other`.
        """
        found: list[int] = []
        for day, run in _by_day(events):
            self._forget(first, day)
            keys = [self._key(_name(event)) for event in run]
            numbers: list[int] = self._memory.remember(np.array(keys, np.uint64), first).tolist()
            found += numbers
            first += numbers.count(-1)
        return found

    def recall(self, events: Sequence[Named], first: int) -> None:
        """Take in events from the log, none of which is a repeat, with the numbers from `first` on."""
        found = self.met(events, first)
        new = [first + index for index, number in enumerate(found) if number < 0]
        if len(new) == len(found):
            return
        # Two hashes were the same, and `met` gave the number away that the second event has.
        keys = self._memory.array()
        mine = keys[:, 1] >= first
        keys[mine, 1] = np.array(new, np.int64)[keys[mine, 1] - first]
        self._memory.load(keys)
        for index, number in enumerate(found):
            if number >= 0:
                self.keep_other(events[index], first + index)

    def known(self, source: str, name: str) -> list[int]:
        """The numbers that an event of this source and id may have; compare before believing one. Remembers nothing."""
        whole = f"{source}\0{name}"
        found = [self._memory.position(self._key(whole)), self._others.get(whole, -1)]
        return [number for number in found if number >= 0]

    def other(self, event: Named) -> int | None:
        """The number of an event that looked like a repeat of another, when it comes again."""
        return self._others.get(_name(event))

    def keep_other(self, event: Named, number: int) -> None:
        """Remember an event that looked like a repeat and is none."""
        self._others[_name(event)] = number

    def state(self) -> tuple[NDArray[np.int64], NaiveState]:
        """Copies of all there is to keep, for a snapshot."""
        return self._memory.array(), NaiveState(list(self._days), dict(self._others))

    def load(self, keys: NDArray[np.int64], state: NaiveState) -> None:
        """Take over what `state` gave."""
        self._memory.load(keys)
        self._days, self._others = list(state.days), dict(state.others)

    def _key(self, name: str) -> int:
        return xxh3_64_intdigest(name.encode(), self._secret) or 1

    def _forget(self, number: int, day: int) -> None:
        """Note where a day begins, and drop what is older than a repeat can be."""
        if self._days and self._days[-1].day >= day:
            return
        self._days.append(DayStart(day, number))
        oldest = day - LONGEST_REPEAT // DAY - 1
        gone = [after.number for start, after in pairwise(self._days) if start.day < oldest]
        if gone:
            self._memory.forget_before(gone[-1])
            self._days = self._days[len(gone) :]
            kept = {name: at for name, at in self._others.items() if at >= gone[-1]}
            self._others = {name: at for name, at in kept.items() if not self._enter(name, at)}

    def _enter(self, name: str, number: int) -> bool:
        """Give an event that looked like a repeat the place of the one it looked like, if that is free now."""
        return int(self._memory.remember(np.array([self._key(name)], np.uint64), number)[0]) < 0


def _name(event: Named) -> str:
    return f"{event.source}\0{event.id}"


def _by_day(events: Sequence[Named]) -> Iterator[tuple[int, Sequence[Named]]]:
    """The events in runs, each with the day that it was received on by their clock, which never goes back."""
    clocks = list(accumulate((event.received for event in events), max))
    start = 0
    while start < len(events):
        day = clocks[start] // DAY
        stop = bisect_left(clocks, (day + 1) * DAY, start)
        yield day, events[start:stop]
        start = stop
