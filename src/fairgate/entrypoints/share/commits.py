"""Lines on their way to the disk: all that come while one commit is under way share the next."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fairgate.entrypoints.share.lines import Line

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Commits:
    """Writes lines in a thread, one commit at a time; `write` has them on disk when it returns.

    One event loop uses it.
    """

    def __init__(self, write: Callable[[Sequence[Line]], None]) -> None:
        self._write = write
        self._waiting: list[tuple[Line, Callable[[], Any], asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, line: Line, then: Callable[[], T]) -> T:
        """Write a line down, then do what makes it count; returns what that does.

        Lines count in the order in which they are in the file, also where nobody waits for them any more. Raises what
        `write` does, for all lines of a commit: then none of them counts.
        """
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((line, then, outcome))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await outcome

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    await asyncio.get_running_loop().run_in_executor(None, self._write, [line for line, _, _ in batch])
                except Exception as error:  # noqa: BLE001 - whatever it is, all who wait hear of it, or else the log does
                    _fail([outcome for _, _, outcome in batch], error)
                else:
                    for _, then, outcome in batch:
                        _count(then, outcome)
        finally:
            self._task = None


def _count(then: Callable[[], Any], outcome: "asyncio.Future[Any]") -> None:
    """Let a line count. One that can't must not keep those behind it from counting."""
    try:
        found = then()
    except Exception as error:  # noqa: BLE001 - whatever it is, who waits hears of it, or else the log does
        _fail([outcome], error)
        return
    if not outcome.done():
        outcome.set_result(found)


def _fail(outcomes: Sequence["asyncio.Future[Any]"], error: Exception) -> None:
    """Tell those who still wait what went wrong; where nobody does, it must not be lost."""
    waiting = [each for each in outcomes if not each.done()]
    for each in waiting:
        each.set_exception(error)
    if not waiting:
        _log.error("what was said of the share does not count, and whoever said it has gone", exc_info=error)
