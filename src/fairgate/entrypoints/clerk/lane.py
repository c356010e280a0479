"""One receiver's letters on their way: in order for each subject, side by side for several, again and again if need be.

A receiver that is slow or down keeps up its own letters and nobody else's. A letter counts as arrived when the receiver
has answered 2xx; until that is written down it may be sent again, with the same id: at least once.
"""

import asyncio
import heapq
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from fairgate.domain.ledger import Subject
from fairgate.domain.windows import HOUR, SECOND
from fairgate.ports.clock import Clock
from fairgate.ports.outbox import Letter

#: Letters of a receiver that are held here; more stay in the outbox until there is room.
MOST_HELD: Final = 5_000
#: Waits between two attempts at one letter: the first and the longest. Each is twice the one before, less some chance.
_FIRST_WAIT, _LONGEST_WAIT = SECOND // 4, HOUR
#: Failures in a row after which a receiver is taken to be down, and gets one letter at a time.
_DOWN = 5
_log = logging.getLogger(__name__)


class Keeper(Protocol):
    """What the lanes do to the outbox, none of which waits for the disk but `waiting` and `give_up`."""

    def waiting(self, receiver: str, after: int, limit: int) -> Awaitable[list[Letter]]:
        """As `Outbox.waiting`."""
        ...

    def arrived(self, number: int) -> None:
        """Note that a letter has arrived; it is written down soon, together with others."""
        ...

    def failed(self, letter: Letter) -> None:
        """Note that a letter has to wait, likewise."""
        ...

    def give_up(self, letter: Letter) -> Awaitable[None]:
        """As `Outbox.give_up`, durable when it returns."""
        ...


class Refused(Exception):
    """The receiver did not take a letter: why, and after how many seconds it wants to be asked again, if it says."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why, after)
        self.why, self.after = why, after


@dataclass
class Lane:
    """The letters to one receiver. `send` raises `Refused`; at most `at_once` are sent side by side.

    A letter that is older than `patience` microseconds when an attempt fails is given up.
    """

    receiver: str
    send: Callable[[Letter], Awaitable[None]]
    keeper: Keeper
    clock: Clock
    draw: random.Random
    at_once: int
    patience: int
    #: Letters by subject in their order, and when the first of each is due.
    _queues: dict[Subject, deque[Letter]] = field(default_factory=dict)
    _due: list[tuple[int, int, Subject]] = field(default_factory=list)
    _held: int = 0
    _last: int = -1
    _more: bool = True
    _failures: int = 0
    _broken: BaseException | None = None
    _going: set[asyncio.Task[None]] = field(default_factory=set)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def told(self) -> None:
        """There are new letters in the outbox."""
        self._more = True
        self._news.set()

    async def run(self) -> None:
        """Send letters until cancelled; those on their way are sent again some day. Raises what the keeper does."""
        try:
            while True:
                if self._broken is not None:
                    raise self._broken
                self._news.clear()
                await self._load()
                self._send_due()
                await self._pause()
        finally:
            for task in self._going:
                task.cancel()

    async def _load(self) -> None:
        """Take letters from the outbox while there is room."""
        while self._more and self._held < MOST_HELD:
            self._more = False  # one that comes while it is read says so again
            room = MOST_HELD - self._held
            letters = await self.keeper.waiting(self.receiver, self._last, room)
            self._more = self._more or len(letters) == room
            for letter in letters:
                self._take(letter)

    def _take(self, letter: Letter) -> None:
        self._last = letter.number
        self._held += 1
        queue = self._queues.setdefault(letter.subject, deque())
        queue.append(letter)
        if len(queue) == 1:
            heapq.heappush(self._due, (letter.due, letter.number, letter.subject))

    def _send_due(self) -> None:
        """Send the first letter of every subject that is due, as many side by side as the receiver bears."""
        most, now = 1 if self._failures >= _DOWN else self.at_once, self.clock.now()
        while self._due and self._due[0][0] <= now and len(self._going) < most:
            _, _, subject = heapq.heappop(self._due)
            task = asyncio.create_task(self._try(self._queues[subject][0]))
            self._going.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._going.discard(task)
        self._news.set()
        if not task.cancelled():
            self._broken = self._broken or task.exception()

    async def _try(self, letter: Letter) -> None:
        """Send a letter once, and see to it that what follows on it is sent."""
        try:
            await self.send(letter)
        except Refused as refused:
            self._failures += 1
            await self._again(letter, refused)
        else:
            self._failures = 0
            self.keeper.arrived(letter.number)
            self._next(letter.subject)

    async def _again(self, letter: Letter, refused: Refused) -> None:
        """Let a letter wait, or give it up where it has waited for too long."""
        now = self.clock.now()
        tried = msgspec.structs.replace(letter, attempts=letter.attempts + 1, why=refused.why)
        if now - letter.made >= self.patience:
            what = "letter %d is put aside: `fairgate webhooks dead` says why"
            _log.error(what, letter.number, extra={"receiver": self.receiver})
            await self.keeper.give_up(tried)
            self._next(letter.subject)
            return
        longest = min(_LONGEST_WAIT, _FIRST_WAIT << min(letter.attempts, 20))
        wait = max(longest * self.draw.uniform(0.5, 1.0), min(refused.after * SECOND, _LONGEST_WAIT))
        tried = msgspec.structs.replace(tried, due=now + int(wait))
        self.keeper.failed(tried)
        self._queues[letter.subject][0] = tried
        heapq.heappush(self._due, (tried.due, tried.number, letter.subject))

    def _next(self, subject: Subject) -> None:
        """The first letter of a subject is done with: the one behind it is due."""
        queue = self._queues[subject]
        queue.popleft()
        self._held -= 1
        if queue:
            heapq.heappush(self._due, (queue[0].due, queue[0].number, subject))
        else:
            del self._queues[subject]

    async def _pause(self) -> None:
        """Wait until a letter is due and may be sent, or there is news."""
        busy = len(self._going) >= (1 if self._failures >= _DOWN else self.at_once)
        seconds = None if busy or not self._due else max(0.0, (self._due[0][0] - self.clock.now()) / SECOND)
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass
