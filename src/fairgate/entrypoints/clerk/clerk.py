"""The clerk at work: reads the log as it grows, keeps the records, and keeps every receiver's lane going."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from fairgate.entrypoints.clerk.lane import Lane
from fairgate.entrypoints.clerk.post import Post
from fairgate.pipeline.projection import Projection
from fairgate.ports.clock import Clock
from fairgate.ports.outbox import Letter, Outbox
from fairgate.settings import WebhookSettings

#: Seconds between two looks at the log: half of it is what a message waits on average. Where nobody is sent any, it
#: looks seldom: what came of many records is written down at once then, which costs less.
_LOOK: Final = 0.02
_SELDOM_LOOK: Final = 0.1
#: Seconds between two looks into the outbox for what another process put there: letters to be sent again.
_AGAIN: Final = 1.0
#: Seconds after which what became of letters is written down, for all together. A clerk that is killed sends again what
#: arrived in so long.
_NOTES: Final = 0.05
_T = TypeVar("_T")


class Drawer:
    """The outbox, used from one thread of its own, so that nothing waits for the disk. See `lane.Keeper`."""

    def __init__(self, outbox: Outbox, thread: ThreadPoolExecutor) -> None:
        self._outbox = outbox
        self._thread = thread
        self._arrived: list[int] = []
        self._failed: dict[int, Letter] = {}

    async def do(self, call: Callable[[], _T]) -> _T:
        """Do something in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def waiting(self, receiver: str, after: int, limit: int) -> list[Letter]:
        """As `Outbox.waiting`."""
        return await self.do(lambda: self._outbox.waiting(receiver, after, limit))

    def arrived(self, number: int) -> None:
        """Note that a letter has arrived."""
        self._arrived.append(number)
        self._failed.pop(number, None)

    def failed(self, letter: Letter) -> None:
        """Note that a letter has to wait."""
        self._failed[letter.number] = letter

    async def give_up(self, letter: Letter) -> None:
        """As `Outbox.give_up`."""
        self._failed.pop(letter.number, None)
        await self.do(lambda: self._outbox.give_up(letter))

    async def run(self) -> None:
        """Write down what was noted, now and then, until cancelled."""
        while True:
            await asyncio.sleep(_NOTES)
            await self.do(self.notes())

    def notes(self) -> Callable[[], None]:
        """What writes down all that was noted until now."""
        arrived, failed = self._arrived, list(self._failed.values())
        self._arrived, self._failed = [], {}

        def write() -> None:
            if arrived:
                self._outbox.arrived(arrived)
            if failed:
                self._outbox.failed(failed)

        return write


class Clerk:
    """Reads, keeps and tells until cancelled. Raises what log, records and outbox do: then it must be made anew.

    `refresh` makes the log show what was written to it since.
    """

    def __init__(
        self,
        projection: Projection,
        refresh: Callable[[], object],
        outbox: Outbox,
        posts: Mapping[str, tuple[WebhookSettings, Post]],
        clock: Clock,
    ) -> None:
        self._projection = projection
        self._refresh = refresh
        self._clock = clock
        self._posts = [post for _, post in posts.values()]
        self._thread = ThreadPoolExecutor(1, "records")
        self._drawer = Drawer(outbox, self._thread)
        self._lanes: Sequence[Lane] = [
            Lane(
                receiver=name,
                send=post.send,
                keeper=self._drawer,
                clock=clock,
                draw=random.SystemRandom(),
                at_once=settings.at_once,
                patience=int(settings.patience_hours * 3_600_000_000),
            )
            for name, (settings, post) in posts.items()
        ]

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                tasks.create_task(self._drawer.run())
                for lane in self._lanes:
                    tasks.create_task(lane.run())
        finally:
            for post in self._posts:
                await post.close()
            self._thread.shutdown()
            self._drawer.notes()()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        looked, look = loop.time(), _LOOK if self._lanes else _SELDOM_LOOK
        while True:
            told = await self._drawer.do(self._step)
            if told or loop.time() - looked >= _AGAIN:
                looked = loop.time()
                for lane in self._lanes:
                    lane.told()
            if not told:
                await asyncio.sleep(look)

    def _step(self) -> int:
        self._refresh()
        return self._projection.step(self._clock.now())
