"""Which events have been met before, by source and id."""

import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from fairgate.domain.windows import DAY, LONGEST_REPEAT
from fairgate.kernel.filter import ANYTHING, NOTHING
from fairgate.kernel.rows import Memory
from fairgate.pipeline.older_keys import OlderKeys
from fairgate.ports.key_runs import KeyRuns

#: Keys that are held in one table; a full one is written to disk.
FULL = 1 << 18


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


class RepeatsState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What `Repeats` keeps beside its keys: where days begin, and the events whose hash is another's, by their name.

    All that has a number below `through` is in runs on disk.
    """

    days: list[DayStart]
    others: dict[str, int]
    through: int = 0


class Repeats:
    """Remembers a keyed 64-bit hash of each event's source and id, for at least thirty days of the log's clock.

    What it holds depends on nothing but the events and their order: not on how they were bundled. A repeat that comes
    later than it can be recognised is refused as late, since its time is as old.

    The newest `full` keys or two are in memory, the others in `runs`; without `runs` all are in memory. For one thread
    at a time. Where the runs are there already, `load` or `reset` comes first. Any call but `state` may raise
    `RunsUnusable` or `RunsDamaged`.
    """

    def __init__(self, secret: int, runs: KeyRuns | None = None, *, full: int = FULL) -> None:
        self._secret = secret
        self._older = None if runs is None else OlderKeys(runs)
        self._full = sys.maxsize if runs is None else full
        self._memory = Memory()
        self._days: list[DayStart] = []
        self._others: dict[str, int] = {}
        #: Keys of events that looked like repeats of others that are forgotten now: there is next to never one.
        self._entered: dict[int, int] = {}

    @property
    def behind(self) -> int:
        """Keys that wait to be written to disk, in memory."""
        return 0 if self._older is None else self._older.behind

    def met(self, events: Sequence[Named], first: int) -> list[int]:
        """The number of the event that each repeats, or -1; the new ones have the numbers from `first` on, in order.

        Two events whose hashes are the same look like repeats: compare before believing it, and see `other`.
        """
        found: list[int] = []
        for day, run in _by_day(events):
            self._forget(first, day)
            numbers = self._remember(run, first)
            found += numbers
            first += numbers.count(-1)
        return found

    def recall(self, events: Sequence[Named], first: int) -> None:
        """Take in events from the log, none of which is a repeat, with the numbers from `first` on."""
        for day, run in _by_day(events):
            self._forget(first, day)
            for index, number in enumerate(self._remember(run, first, by_place=True)):
                if number >= 0:  # two hashes were the same
                    self.keep_other(run[index], first + index)
            first += len(run)

    def known(self, source: str, name: str) -> list[int]:
        """The numbers that an event of this source and id may have; compare before believing one. Remembers nothing."""
        whole = f"{source}\0{name}"
        found = [self._position(self._key(whole)), self._others.get(whole, -1)]
        return [number for number in found if number >= 0]

    def other(self, event: Named) -> int | None:
        """The number of an event that looked like a repeat of another, when it comes again."""
        return self._others.get(_name(event))

    def keep_other(self, event: Named, number: int) -> None:
        """Remember an event that looked like a repeat and is none."""
        self._others[_name(event)] = number

    def state(self) -> tuple[NDArray[np.int64], RepeatsState]:
        """Copies of all there is to keep beside the runs, for a snapshot. Right in a forked process, too."""
        entered = np.array(list(self._entered.items()), np.uint64).reshape(-1, 2).view(np.int64)
        waiting = [] if self._older is None else self._older.waiting()
        keys: NDArray[np.int64] = np.concatenate([*waiting, self._memory.array(), entered])
        through = 0 if self._older is None else self._older.through
        return keys, RepeatsState(list(self._days), dict(self._others), through)

    def load(self, keys: NDArray[np.int64], state: RepeatsState) -> bool:
        """Take over what `state` gave, with the runs there are, which are cut back to it and read: some 30 ns a key.

        False where the runs don't hold all that it needs, or are damaged: `reset`, and take in all of the log again.
        """
        self._hold_nothing()
        if not (state.through == 0 if self._older is None else self._older.open(state.through)):
            return False
        self._days, self._others = list(state.days), dict(state.others)
        keys = keys[keys[:, 1] >= self._oldest()]  # what waited for the disk may have been forgotten meanwhile
        newest = keys[:, 1] >= state.through
        self._memory.load(keys[newest])
        self._entered = dict(zip(keys[~newest, 0].view(np.uint64).tolist(), keys[~newest, 1].tolist(), strict=True))
        return True

    def reset(self) -> None:
        """Hold nothing, and remove all runs."""
        self._hold_nothing()
        if self._older is not None:
            self._older.reset()

    def settle(self) -> None:
        """Wait until all that is to be written is, or can't be."""
        if self._older is not None:
            self._older.settle()

    def close(self) -> None:
        """Settle, and end the thread that writes. Nothing is lost that `state` or the log has."""
        if self._older is not None:
            self._older.close()

    def _hold_nothing(self) -> None:
        self._memory, self._days, self._others, self._entered = Memory(), [], {}, {}

    def _key(self, name: str) -> int:
        return xxh3_64_intdigest(name.encode(), self._secret) or 1

    def _remember(self, events: Sequence[Named], first: int, *, by_place: bool = False) -> list[int]:
        """For each the number that its key was met with, or -1 where it is remembered now: see `Memory.meet`."""
        keys = np.array([self._key(_name(event)) for event in events], np.uint64)
        words = NOTHING
        if self._older is not None:
            if len(self._memory) + keys.size > self._full and len(self._memory):
                self._older.take(self._memory, first, [day.number for day in self._days], self._oldest())
                self._memory = Memory()
            elif self._older.changed:
                self._older.adopt()
            words = self._older.words
        if self._entered:
            words = ANYTHING
        found: list[int] = self._memory.meet(keys, first, words, self._elsewhere, by_place=by_place).tolist()
        return found

    def _position(self, key: int) -> int:
        number = self._memory.position(key)
        return number if number >= 0 else self._elsewhere(key)

    def _elsewhere(self, key: int) -> int:
        """The number of a key that isn't in the newest table, or -1."""
        number = self._entered.get(key, -1)
        return number if number >= 0 or self._older is None else self._older.find(key, self._oldest())

    def _oldest(self) -> int:
        """What has a lower number is forgotten."""
        return self._days[0].number if self._days else 0

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
            self._entered = {key: at for key, at in self._entered.items() if at >= gone[-1]}
            kept = {name: at for name, at in self._others.items() if at >= gone[-1]}
            self._others = {name: at for name, at in kept.items() if not self._enter(name, at)}

    def _enter(self, name: str, number: int) -> bool:
        """Give an event that looked like a repeat the place of the one it looked like, if that is free now."""
        key = self._key(name)
        if self._position(key) >= 0:
            return False
        self._entered[key] = number
        return True


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
