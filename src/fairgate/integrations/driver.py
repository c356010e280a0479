"""A `Share` driven in an event loop: who waits is a future, woken when something has come of it."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from fairgate.share import Answer, Denied, Grant, Queued

#: A timer sleeps no shorter: what becomes free within a millisecond is granted together.
_LEAST_SLEEP = 0.001


class ShareClosed(Exception):
    """Ends the waiting of those who wait when the share is closed."""


class Shares(Protocol):
    """What can be driven: a `Share`, a `LeaseDesk` around one, or a gateway's `LeaseHolder`."""

    def acquire(self, account: str, model: str, input_tokens: int, max_output: int, deadline: float) -> Answer:
        """See `Share.acquire`."""
        ...

    def advance(self) -> list[Grant | Denied]:
        """See `Share.advance`."""
        ...

    def next_at(self) -> float | None:
        """See `Share.next_at`."""
        ...

    def open(self, key: str) -> Grant | Queued | None:
        """See `Share.open`."""
        ...


class Waiting:
    """A request in the queue; `outcome` is what comes of it. Who no longer wants it must `leave`."""

    __slots__ = ("_driver", "outcome", "queued")

    def __init__(self, driver: "Driver", queued: Queued, outcome: asyncio.Future[Grant | Denied]) -> None:
        self._driver = driver
        self.queued = queued
        self.outcome = outcome

    def leave(self) -> None:
        """Give up the place, or the grant if that has come meanwhile."""
        self._driver.left(self)


class Driver:
    """Moves a share on, from one event loop, which it is first used in.

    `clock` must be the share's. After anything else was called on the share while somebody waits, call `touched`.
    """

    def __init__(self, share: Shares, clock: Callable[[], float] = time.monotonic) -> None:
        self.share = share
        self.closed = False
        self._clock = clock
        self._waiting: dict[str, asyncio.Future[Grant | Denied]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0
        self._due = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def ask(self, account: str, model: str, read: int, most: int, patience: float) -> Grant | Denied | Waiting:
        """Ask for compute; what is answered, or a place in the queue. Raises `BadAmount` for what can't be."""
        if self.closed:
            raise ShareClosed
        answer = self.share.acquire(account, model, read, most, patience)
        if not isinstance(answer, Queued):
            if self._waiting:
                self.touched()
            elif self._timer is None:
                self._arm()
            return answer
        outcome = asyncio.get_running_loop().create_future()
        self._waiting[answer.id] = outcome
        self.touched()
        return Waiting(self, answer, outcome)

    async def acquire(self, account: str, model: str, read: int, most: int, patience: float) -> Grant | Denied:
        """Ask for compute, and wait. Who is cancelled leaves the queue. Raises `ShareClosed` or `BadAmount`."""
        answer = self.ask(account, model, read, most, patience)
        if not isinstance(answer, Waiting):
            return answer
        try:
            return await asyncio.shield(answer.outcome)
        except asyncio.CancelledError:
            answer.leave()
            raise

    def left(self, waiting: Waiting) -> None:
        """See `Waiting.leave`."""
        self._waiting.pop(waiting.queued.id, None)
        outcome = waiting.outcome
        if outcome.done() and not outcome.cancelled() and outcome.exception() is None:
            found = outcome.result()
            if isinstance(found, Grant):
                found.abort()
        else:
            outcome.cancel()
            waiting.queued.abort()
        self.touched()

    def touched(self) -> None:
        """See before long whether something has come of those who wait; many calls at a time cost one look."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._advance)

    def close(self) -> None:
        """Let nobody wait any longer, and nobody ask again."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._waiting = self._waiting, {}
        for outcome in waiting.values():
            if not outcome.done():
                outcome.set_exception(ShareClosed())
                outcome.exception()  # somebody who is gone will never look at it

    def _advance(self) -> None:
        self._due = False
        for each in self.share.advance():
            outcome = self._waiting.pop(each.id, None)
            if outcome is not None and not outcome.done():
                outcome.set_result(each)
            elif isinstance(each, Grant):
                each.abort()  # nobody waits for it any more
        if not self.closed:
            self._arm()

    def _arm(self) -> None:
        """Be called again when something is due."""
        at = self.share.next_at()
        if self._timer is not None:
            if at == self._at:
                return
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._at = at
            delay = max(_LEAST_SLEEP, at - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._advance()
