"""The lake is kept up round after round, and what fails is told, tried again and seen to be mended."""

import asyncio
import logging
from collections.abc import Iterator, Sequence

import pytest

from fairgate.entrypoints.desk.meters import Meters
from fairgate.entrypoints.desk.tasks import Compact, Done, Refused, Task
from fairgate.entrypoints.desk.upkeep import Upkeep
from fairgate.settings import DeskSettings, Settings

BROKEN = Refused(503, "unavailable", "The lake cannot be opened.")


class Answers:
    """A worker that gives these answers, and then waits for ever."""

    def __init__(self, answers: Sequence[Done | Refused]) -> None:
        self.tasks: list[Task] = []
        self.killed = False
        self.all_given = asyncio.Event()
        self._answers: Iterator[Done | Refused] = iter(answers)

    async def run(self, task: Task, _seconds: float) -> tuple[Done, bytes] | Refused:
        self.tasks.append(task)
        answer = next(self._answers, None)
        if answer is None:
            self.all_given.set()
            await asyncio.Event().wait()
        assert answer is not None
        return answer if isinstance(answer, Refused) else (answer, b"")

    async def kill(self) -> None:
        self.killed = True


def after(*answers: Done | Refused) -> tuple[Upkeep, Answers, str]:
    """The upkeep after a worker has answered so, and its metrics."""

    async def run() -> tuple[Upkeep, Answers, str]:
        meters = Meters()
        upkeep = Upkeep(Settings(desk=DeskSettings(compact_seconds=0.001)), meters)
        worker = Answers(answers)
        upkeep._worker = worker  # type: ignore[assignment]
        going = asyncio.create_task(upkeep.run())
        async with asyncio.timeout(60):
            await worker.all_given.wait()
        going.cancel()
        await asyncio.wait([going])
        assert worker.killed
        return upkeep, worker, meters.render().decode()

    return asyncio.run(run())


def test_before_the_first_round_nothing_is_known() -> None:
    lag = after()[0].lag
    assert (lag.records, lag.problem) == (None, "")


def test_the_lag_is_what_the_last_round_left() -> None:
    upkeep, _, metrics = after(Done(end=100, covered=100), Done(end=150, covered=120))
    assert (upkeep.lag.records, upkeep.lag.problem) == (30, "")
    assert "fairgate_lake_lag_records 30.0" in metrics
    assert "fairgate_lake_failures_total 0.0" in metrics


def test_the_lag_in_seconds_grows_while_the_lake_is_behind() -> None:
    behind, whole = after(Done(end=9, covered=1))[0], after(Done(end=9, covered=9))[0]
    first = behind.lag.seconds
    assert behind.lag.seconds > first > 0
    assert whole.lag.seconds > 0


def test_small_files_are_merged_at_the_start_and_then_seldom() -> None:
    worker = after(Done(end=1, covered=1), Done(end=1, covered=1), Done(end=1, covered=1))[1]
    assert worker.tasks == [Compact(tidy=True), *[Compact(tidy=False)] * 3]


def test_a_failure_is_told_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        upkeep, worker, metrics = after(BROKEN, BROKEN, Done(end=5, covered=5))
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "fairgate_lake_failures_total 2.0" in metrics
    assert upkeep.lag.problem == ""
    assert worker.tasks[:4] == [*[Compact(tidy=True)] * 3, Compact(tidy=False)]


def test_while_it_fails_the_reason_can_be_read() -> None:
    upkeep = after(Done(end=5, covered=5), BROKEN)[0]
    assert (upkeep.lag.records, upkeep.lag.problem) == (0, BROKEN.reason)
