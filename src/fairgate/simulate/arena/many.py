"""Many runs at once: each in a process of its own, with what it has done so far, until they end or are told to."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from queue import Empty
from typing import Any, Generic, TypeVar

J = TypeVar("J")
R = TypeVar("R")

_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one job is, by its place among the jobs."""

    job: int
    days: int
    events: int


class Reporter:
    """What a job in a process tells the others by. Calling it says how far it is, and returns whether to go on."""

    def __init__(self, job: int, queue: Any, stop: Event) -> None:  # noqa: ANN401 - a queue of multiprocessing has no type at run time
        self._job = job
        self._queue = queue
        self._stop = stop

    def __call__(self, days: int, events: int) -> bool:
        """Tell how far it is."""
        self._queue.put(Progress(self._job, days, events))
        return not self._stop.is_set()


class Runs(Generic[J, R]):
    """Jobs that are done in processes, `most` at a time, each by `do`, which must be importable by its name.

    Jobs go in the order given. After `stop` those that run end at their next day, and no other begins.
    """

    def __init__(self, do: Callable[[J, Reporter], R], jobs: Sequence[J], most: int) -> None:
        self._do = do
        self._jobs = jobs
        self._most = most
        context = multiprocessing.get_context("spawn")
        self._context = context
        self._queue: Any = context.Queue()
        self._stop = context.Event()

    def stop(self) -> None:
        """Let no other job begin, and those that run end soon."""
        self._stop.set()

    def results(self, told: Callable[[Progress], None]) -> Iterator[tuple[int, R]]:
        """What each job returned, with its place, as they end. `told` hears how far they are. Raises what one does."""
        with ProcessPoolExecutor(
            self._most, self._context, initializer=_begin, initargs=(self._queue, self._stop)
        ) as pool:
            waiting = list(enumerate(self._jobs))
            running: dict[Future[R], int] = {}
            while waiting or running:
                while waiting and len(running) < self._most and not self._stop.is_set():
                    place, job = waiting.pop(0)
                    with _held_back(signal.SIGINT):
                        running[pool.submit(_done, self._do, job, place)] = place
                if not running:
                    return
                ended, _ = wait(running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
                for each in self._heard():
                    told(each)
                for future in ended:
                    yield running.pop(future), future.result()

    def _heard(self) -> Iterator[Progress]:
        while True:
            try:
                yield self._queue.get_nowait()
            except Empty:
                return


@contextmanager
def _held_back(number: signal.Signals) -> Iterator[None]:
    """Within this, a signal waits; processes begun meanwhile never get it.

    A terminal's interrupt goes to all processes of its group, and whoever began them tells them to stop.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def interrupts(stop: Callable[[], None]) -> Iterator[None]:
    """Within this, the first interrupt calls `stop`; the second is as always."""

    def first(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        stop()

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


#: What a process was begun with: the queue and the event of its `Runs`.
_mine: list[Any] = []


def _begin(queue: Any, stop: Event) -> None:  # noqa: ANN401 - as above
    _mine[:] = [queue, stop]


def _done(do: Callable[[J, Reporter], R], job: J, place: int) -> R:
    queue, stop = _mine
    return do(job, Reporter(place, queue, stop))
