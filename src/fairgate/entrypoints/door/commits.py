"""Group commit: all that is appended while the disk works waits for one commit, each no longer than it wants to.

A lone caller's commit begins at once.
"""

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum

from fairgate.pipeline.online import Pipeline

#: Seconds between two looks at the deadlines while many pass: an answer by policy comes so much late at most.
_TICK = 0.005
#: Seconds between two beginnings of a commit where several callers share one: a commit costs as much for one event as
#: for ten, and each wakes two threads that may have to wait for whoever else is on the processor.
_PACE = 0.002


class Wait(Enum):
    """How a wait ended."""

    DURABLE = 0
    LATE = 1
    BROKEN = 2


@dataclass(slots=True)
class _Group:
    """What one commit makes durable: how many events, and who waits for it, each with a deadline."""

    wanted: bool = False
    events: int = 0
    waiting: list[tuple[float, asyncio.Future[Wait]]] = field(default_factory=list)

    def end(self, how: Wait) -> None:
        for _, future in self.waiting:
            if not future.done():  # its deadline has passed, or the server gave up on the request
                future.set_result(how)


class Commits:
    """Commits in a thread of its own, one commit at a time, for all who wait; used from one event loop.

    `committed(events, seconds)` is called after each commit, `broken(pipeline, error)` after one that failed: all who
    waited are told `Wait.BROKEN` then. `events` counts what was appended and is not durable yet.
    """

    def __init__(
        self, committed: Callable[[int, float], None], broken: Callable[[Pipeline, BaseException], None]
    ) -> None:
        self.events = 0
        self._committed = committed
        self._broken = broken
        self._disk = ThreadPoolExecutor(1, "commit")
        self._now = _Group()
        self._next = _Group()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def wait(self, pipeline: Pipeline, events: int, deadline: float) -> asyncio.Future[Wait]:
        """Wait for a commit that starts after this call, until `deadline` on `time.monotonic`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Wait] = loop.create_future()
        self.events += events
        self._next.wanted = True
        self._next.events += events
        self._next.waiting.append((deadline, future))
        if self._task is None:
            self._task = loop.create_task(self._commit(pipeline))
        if deadline < self._timer_at:
            self._look_at(deadline)
        return future

    async def idle(self) -> None:
        """Wait until no commit is going on."""
        while self._task is not None:
            await asyncio.wait([self._task])

    def close(self) -> None:
        """Let the thread end; a commit that is going on is waited for."""
        self._disk.shutdown()

    async def _commit(self, pipeline: Pipeline) -> None:
        """Commit until there is nothing left to, or it fails."""
        loop = asyncio.get_running_loop()
        try:
            while self._next.wanted:
                self._now, self._next = self._next, _Group()
                began = time.monotonic()
                await loop.run_in_executor(self._disk, pipeline.commit)
                self.events -= self._now.events
                shared = len(self._now.waiting) > 1
                self._now.end(Wait.DURABLE)
                took = time.monotonic() - began
                self._committed(self._now.events, took)
                if shared and took < _PACE:
                    await asyncio.sleep(_PACE - took)
        except BaseException as error:
            for group in (self._now, self._next):  # nobody who waits may be told that it is durable
                group.end(Wait.BROKEN)
            self.events, self._next = 0, _Group()
            self._broken(pipeline, error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._now, self._task = _Group(), None

    def _look_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = asyncio.get_running_loop().call_later(max(0, when - time.monotonic()), self._look)

    def _look(self) -> None:
        """Tell those whose deadline has passed."""
        now = time.monotonic()
        for group in (self._now, self._next):
            for deadline, future in group.waiting:
                if deadline <= now and not future.done():
                    future.set_result(Wait.LATE)
            group.waiting = [each for each in group.waiting if each[0] > now]
        soonest = min((each[0] for group in (self._now, self._next) for each in group.waiting), default=math.inf)
        self._timer, self._timer_at = None, math.inf
        if soonest < math.inf:
            self._look_at(max(soonest, now + _TICK))
