"""The desk's worker processes: whatever may run away, crash or take memory happens in one that can be killed.

DuckDB can be interrupted, but not always, and where it crashes or is killed for its memory it takes its process with
it. So the desk itself runs no query and no backtest: it hands them to processes that wait for tasks, kills the one
that is too slow or not wanted any more, and starts another. Between two tasks a process is kept, since starting one
takes longer than most queries.
"""

import asyncio
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

import msgspec

from fairgate.entrypoints.desk.lifeline import settings_line
from fairgate.entrypoints.desk.tasks import Done, Refused, Reply, Task, Told
from fairgate.settings import Settings

#: `-P` as in the supervisor. Its input is the settings, and then a task a line.
WORKER = (sys.executable, "-P", "-m", "fairgate.entrypoints.desk.worker")
#: The argument of a worker that must get its share of the processor; others only get what nobody else wants.
KEEPS_UP = "--keeps-up"
#: What leaves a process that is gone, still at work, holds memory that it can't use, or files that it can't read.
_SPOILT = frozenset({"worker_ended", "too_slow", "too_big", "unavailable", "failed"})
#: The longest line of a reply; results follow a line and are not limited by this.
_LINE_BYTES = 1 << 20
_decode = msgspec.json.Decoder(Reply).decode
_encode = msgspec.json.Encoder().encode


def scratch_of(settings: Settings) -> Path:
    """Where worker processes put what doesn't outlive them, each in a folder named after its id."""
    return settings.data / "desk" / "scratch"


class Worker:
    """One worker process, for one task at a time. It is started when it is needed."""

    def __init__(self, settings: Settings, *arguments: str) -> None:
        self._command = (*WORKER, *arguments)
        self._greeting = settings_line(settings)
        self._scratch = scratch_of(settings)
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start the process where there is none, so that it is warm for the next task."""
        if self._process is not None and self._process.returncode is not None:
            await self.kill()  # it ended by itself, between two tasks
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, limit=_LINE_BYTES
            )
            await self._send(self._greeting)

    async def run(
        self, task: Task, seconds: float, told: Callable[[str], None] = lambda _: None
    ) -> tuple[Done, bytes] | Refused:
        """The answer to a task with its result; `told` hears of its progress.

        The process is killed where the task takes longer than `seconds`, and where this call is cancelled. A process
        that ended over a task is a `Refused`, too.
        """
        try:
            async with asyncio.timeout(seconds):
                await self.start()
                await self._send(_encode(task) + b"\n")
                answer = await self._answer(told)
        except TimeoutError:
            answer = Refused(422, "too_slow", f"it took longer than {seconds:g} seconds and was ended")
        except (asyncio.IncompleteReadError, OSError):
            answer = Refused(503, "worker_ended", "its process ended, perhaps for want of memory: ask for less")
        except BaseException:
            await self.kill()
            raise
        if isinstance(answer, Refused) and answer.code in _SPOILT:
            await self.kill()
        return answer

    async def kill(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        await asyncio.to_thread(shutil.rmtree, self._scratch / str(process.pid), ignore_errors=True)

    async def _send(self, line: bytes) -> None:
        pipe = self._pipes[0]
        if pipe.is_closing():  # else uvloop would raise an error that says less
            raise BrokenPipeError
        pipe.write(line)
        await pipe.drain()

    async def _answer(self, told: Callable[[str], None]) -> tuple[Done, bytes] | Refused:
        pipe = self._pipes[1]
        while True:
            match _decode(await pipe.readuntil(b"\n")):
                case Told(words):
                    told(words)
                case Done() as done:
                    return done, await pipe.readexactly(done.bytes)
                case Refused() as refused:
                    return refused

    @property
    def _pipes(self) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ConnectionError
        return process.stdin, process.stdout


class Workers:
    """Worker processes for tasks that may run side by side; those beyond wait for their turn, up to a limit."""

    def __init__(self, settings: Settings) -> None:
        desk = settings.desk
        self._idle = [Worker(settings) for _ in range(desk.sql_at_once)]
        self._all = tuple(self._idle)
        self._turn = asyncio.Semaphore(desk.sql_at_once)
        self._most = desk.sql_at_once + desk.sql_waiting
        #: Tasks that run or wait.
        self.taken = 0

    async def start(self) -> None:
        """Warm one process up."""
        await self._idle[-1].start()

    async def run(self, task: Task, seconds: float) -> tuple[Done, bytes] | Refused:
        """As `Worker.run`, when it is this task's turn; waiting does not count."""
        if self.taken >= self._most:
            return Refused(429, "busy", "too many queries wait already: ask again later")
        self.taken += 1
        try:
            async with self._turn:
                worker = self._idle.pop()
                try:
                    return await worker.run(task, seconds)
                finally:
                    self._idle.append(worker)
        finally:
            self.taken -= 1

    async def close(self) -> None:
        """End all processes."""
        for worker in self._all:
            await worker.kill()
