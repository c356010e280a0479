"""What was met before the newest: in memory until it is written, then in runs on disk behind a filter in memory."""

import logging
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from fairgate.domain.errors import RunsDamaged
from fairgate.kernel.filter import ANYTHING, NOTHING, Filter
from fairgate.kernel.rows import Memory
from fairgate.ports.key_runs import KeyRun, KeyRuns

#: The fewest keys that a filter is made for: two megabytes.
_FEWEST = 1 << 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Frozen:
    """The keys of the events with the numbers from `first` to before `last`, which nothing changes any more."""

    first: int
    last: int
    memory: Memory


@dataclass(frozen=True, slots=True)
class _Held:
    """The runs in order, a filter that has all their keys, and the number that they hold everything before."""

    runs: tuple[KeyRun, ...] = ()
    filter: Filter | None = None
    through: int = 0


@dataclass(frozen=True, slots=True)
class _News:
    """How far the thread is, and whether it has ended, and how."""

    held: _Held
    ended: bool = False
    failed: bool = False


class OlderKeys:
    """Tables that are full, each written as a run by a thread, and the runs.

    All is changed by the caller alone, who takes over what the thread says it has done: so there is no lock, and a
    forked process sees what the caller does, whatever the thread was at. The thread alone adds to the filter, and only
    what is still in a table that the caller asks first.
    """

    def __init__(self, runs: KeyRuns) -> None:
        self._runs = runs
        self._held = _Held()
        self._frozen: tuple[Frozen, ...] = ()
        self._begun = self._busy = False
        self._starts: Sequence[int] = ()
        self._oldest = self._expired = 0
        self._news: deque[_News] = deque()
        self._thread = ThreadPoolExecutor(1, "repeats")
        #: Of a filter that a key has passed which may be held.
        self.words = NOTHING

    @property
    def through(self) -> int:
        """Everything that has a lower number is in runs."""
        return self._held.through

    @property
    def covered(self) -> int:
        """Everything that has a lower number was given to `take`."""
        return self._frozen[-1].last if self._frozen else self.through

    @property
    def behind(self) -> int:
        """Keys that wait to be written."""
        return sum(len(each.memory) for each in self._frozen)

    def find(self, key: int, oldest: int) -> int:
        """The number that a key was last met with, or -1 where there is none from `oldest` on.

        Raises `RunsUnusable` or `RunsDamaged`.
        """
        for each in reversed(self._frozen):
            number = each.memory.position(key)
            if number >= 0:
                return number if number >= oldest else -1
        if self._held.filter is None or not self._held.filter.may_hold(key):
            return -1
        for run in reversed(self._held.runs):
            if run.last <= oldest:
                break
            number = run.find(key)
            if number >= 0:
                return number if number >= oldest else -1
        return -1

    def take(self, memory: Memory, last: int, starts: Sequence[int], oldest: int) -> None:
        """Take a table with the keys of all events from `covered` to before `last`; it isn't to be changed any more.

        `starts` are the first numbers of the days, so that runs are merged by the day. What was older than `oldest` at
        the `take` before this is removed from disk: the event that made it so is durable by then.
        """
        if not self._begun:
            self.reset()
        self._frozen = (*self._frozen, Frozen(self.covered, last, memory))
        self.words = ANYTHING
        self._starts, self._oldest, self._expired = tuple(starts), oldest, self._oldest
        self.adopt()
        self._go_on()

    def adopt(self) -> None:
        """Take over what the thread has done since."""
        while self._news:
            news = self._news.popleft()
            self._held, self._busy = news.held, not news.ended
            self._frozen = tuple(each for each in self._frozen if each.last > self.through)
            if news.ended and not news.failed:
                self._go_on()
        self.words = ANYTHING if self._frozen else NOTHING if self._held.filter is None else self._held.filter.words

    @property
    def changed(self) -> bool:
        """Whether there is something to `adopt`."""
        return bool(self._news)

    def waiting(self) -> list[NDArray[np.int64]]:
        """What isn't in runs yet: key and number."""
        return [each.memory.array() for each in self._frozen]

    def open(self, through: int) -> bool:
        """Go over to the runs there are, for the numbers below `through`, and to nothing else.

        Takes 15 to 35 ns a key: all are read. False where they don't hold all of that, or aren't as they were written.
        Raises `RunsUnusable`.
        """
        self._begin(through)
        try:
            runs = tuple(self._runs.open())
            covered = 0
            for run in runs:
                if run.first > covered:
                    return False
                covered = max(covered, run.last)
            if covered < through:
                return False
            self._held = _Held(runs, _filter_of(runs), through) if runs else _Held()
        except RunsDamaged:
            _log.exception("what was met before can't be read, so it is counted from the log again")
            return False
        self.adopt()
        return True

    def reset(self) -> None:
        """Hold nothing, and remove all runs. Raises `RunsUnusable`."""
        self._begin(0)

    def settle(self) -> None:
        """Wait until the thread has nothing to do, and take over what it has done."""
        while self._busy:
            self._thread.submit(int).result()  # it comes after all that was to be done
            self.adopt()

    def close(self) -> None:
        """End the thread, when it has done its work."""
        self.settle()
        self._thread.shutdown()

    def _begin(self, through: int) -> None:
        self.settle()
        self._held, self._frozen, self._oldest = _Held(), (), 0
        self.words = NOTHING
        self._runs.cut(through)
        self._begun = True

    def _go_on(self) -> None:
        """Let the thread write what waits."""
        if self._frozen and not self._busy:
            self._busy = True
            self._thread.submit(self._work, self._held, self._frozen, self._starts, self._expired)

    def _work(self, held: _Held, frozen: Sequence[Frozen], starts: Sequence[int], expired: int) -> None:
        """The thread's whole work, told of as it goes on. What fails is done again with the next table."""
        failed = False
        try:
            for step in self._steps(held, frozen, starts, expired):
                held = step
                self._news.append(_News(held))
        except Exception:  # noqa: BLE001 - told in the log; the tables stay in memory, which grows, and are tried again
            failed = True
            behind = sum(len(each.memory) for each in frozen if each.last > held.through)
            _log.exception("%d keys of events wait for the disk in memory", behind)
        self._news.append(_News(held, ended=True, failed=failed))

    def _steps(self, held: _Held, frozen: Sequence[Frozen], starts: Sequence[int], expired: int) -> Iterator[_Held]:
        """Write tables, let go of what is too old, merge, and make the filter larger; what is held after each step."""
        for table in frozen:
            array = table.memory.array()
            order = array[:, 0].view(np.uint64).argsort()
            keys, numbers = array[order, 0].view(np.uint64), array[order, 1]
            run = self._runs.save(table.first, table.last, keys, numbers)
            seen = held.filter or Filter(_FEWEST)
            seen.add(keys)
            yield (held := _Held((*held.runs, run), seen, table.last))
        gone = [run for run in held.runs if run.last <= expired]
        if any(run.keys for run in gone):
            nothing = self._runs.save(0, gone[-1].last, np.zeros(0, np.uint64), np.zeros(0, np.int64))
            yield (held := replace(held, runs=(nothing, *held.runs[len(gone) :])))
        while some := _to_merge(held.runs, starts):
            merged = self._runs.merge(some)
            at = held.runs.index(some[0])
            runs = (*held.runs[:at], merged, *held.runs[at + len(some) :])
            yield (held := replace(held, runs=runs))
        if held.filter is not None and held.filter.count > held.filter.room:
            yield replace(held, filter=_filter_of(held.runs))


def _filter_of(runs: Sequence[KeyRun]) -> Filter:
    """A filter of all keys of some runs. Raises what reading them raises."""
    made = Filter(max(_FEWEST, sum(run.keys for run in runs)))
    for run in runs:
        for keys, _ in run.pieces():
            made.add(keys)
    return made


def _to_merge(runs: Sequence[KeyRun], starts: Sequence[int]) -> Sequence[KeyRun]:
    """Neighbours that should be one; none where all is well. A run's day is that of its first number.

    All of a day that is over; of the newest day so many that each run is larger than all after it. So n tables of a day
    are written log n times, and are in log n runs at most.
    """
    full = [run for run in runs if run.keys]
    days = [list(day) for _, day in groupby(full, lambda run: bisect_right(starts, run.first))]
    for day in days[:-1]:
        if len(day) > 1:
            return day
    some: list[KeyRun] = []
    for run in reversed(days[-1] if days else []):
        if some and run.keys > sum(each.keys for each in some):
            break
        some.insert(0, run)
    return some if len(some) > 1 else []
