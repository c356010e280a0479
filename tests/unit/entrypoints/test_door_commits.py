"""Group commit: who waits, how long, and what each is told."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from fairgate.entrypoints.door import commits as door_commits
from fairgate.entrypoints.door.commits import Commits, Wait
from fairgate.pipeline.online import Pipeline


@dataclass
class Committing:
    """A pipeline of which only the commit is used: each takes what the test says, one after another."""

    steps: list[Callable[[], None]] = field(default_factory=list)
    count: int = 0
    reached: threading.Event = field(default_factory=threading.Event)

    def commit(self) -> None:
        self.count += 1
        self.reached.set()
        if self.steps:
            self.steps.pop(0)()

    async def begun(self) -> None:
        """Wait until a commit is going on."""
        await asyncio.to_thread(self.reached.wait, 20)

    @property
    def pipeline(self) -> Pipeline:
        return cast(Pipeline, self)


@dataclass
class Told:
    """What the commits have called back."""

    committed: list[int] = field(default_factory=list)
    broken: list[BaseException] = field(default_factory=list)

    def commits(self) -> Commits:
        return Commits(lambda events, _: self.committed.append(events), lambda _, error: self.broken.append(error))


def later(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


def fail() -> None:
    raise OSError(28, "No space left on device")


def test_those_who_come_during_a_commit_share_the_next() -> None:
    async def test() -> None:
        told, go_on = Told(), threading.Event()
        behind = Committing([lambda: cast(None, go_on.wait(20))])
        commits = told.commits()
        first = [commits.wait(behind.pipeline, 1, later()) for _ in range(3)]
        await behind.begun()
        second = [commits.wait(behind.pipeline, 2, later()) for _ in range(4)]
        assert commits.events == 11
        assert not any(each.done() for each in first + second)
        go_on.set()
        assert await asyncio.gather(*first, *second) == [Wait.DURABLE] * 7
        await commits.idle()
        assert (behind.count, told.committed, told.broken, commits.events) == (2, [3, 8], [], 0)
        commits.close()

    run(test())


def test_each_is_told_when_its_own_deadline_passes() -> None:
    async def test() -> None:
        told, go_on = Told(), threading.Event()
        behind = Committing([lambda: cast(None, go_on.wait(20))])
        commits = told.commits()
        patient = commits.wait(behind.pipeline, 1, later())
        late = [commits.wait(behind.pipeline, 1, later(seconds)) for seconds in (0.05, 0.01, -1.0, 0.03)]
        await behind.begun()
        next_late = commits.wait(behind.pipeline, 1, later(0.02))
        assert await asyncio.gather(*late, next_late) == [Wait.LATE] * 5
        assert not patient.done()
        assert commits.events == 6  # they are on their way to the disk all the same
        go_on.set()
        assert await patient == Wait.DURABLE
        await commits.idle()
        assert (behind.count, told.committed, commits.events) == (2, [5, 1], 0)
        commits.close()

    run(test())


@pytest.mark.parametrize("error", [fail, lambda: 1 / 0])
def test_a_failed_commit_is_told_to_all_who_wait(error: Callable[[], None]) -> None:
    async def test() -> None:
        told, go_on = Told(), threading.Event()

        def wait_and_fail() -> None:
            go_on.wait(20)
            error()

        behind, commits = Committing([wait_and_fail]), told.commits()
        first = commits.wait(behind.pipeline, 1, later())
        await behind.begun()
        second = commits.wait(behind.pipeline, 1, later())
        go_on.set()
        assert list(await asyncio.gather(first, second)) == [Wait.BROKEN, Wait.BROKEN]
        await commits.idle()
        assert (behind.count, told.committed, len(told.broken), commits.events) == (1, [], 1, 0)
        mended = Committing()
        assert await commits.wait(mended.pipeline, 1, later()) == Wait.DURABLE
        assert (mended.count, told.committed) == (1, [1])
        commits.close()

    run(test())


def test_who_has_given_up_holds_up_nobody() -> None:
    async def test() -> None:
        told = Told()
        behind, commits = Committing([lambda: time.sleep(0.05)]), told.commits()
        gone, here = (commits.wait(behind.pipeline, 1, later()) for _ in range(2))
        gone.cancel()
        assert await here == Wait.DURABLE
        await commits.idle()
        commits.close()
        assert told.committed == [2]

    run(test())


def test_after_a_shared_commit_the_next_one_waits_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_commits, "_PACE", 0.3)

    async def test() -> None:
        told, behind = Told(), Committing()
        commits = told.commits()
        await asyncio.gather(*(commits.wait(behind.pipeline, 1, later()) for _ in range(2)))
        soon = commits.wait(behind.pipeline, 1, later())
        await asyncio.sleep(0.02)
        sooner_or_later = commits.wait(behind.pipeline, 1, later())
        assert [*await asyncio.gather(soon, sooner_or_later)] == [Wait.DURABLE] * 2
        assert (behind.count, told.committed) == (2, [2, 2])
        commits.close()

    run(test())


def test_a_lone_caller_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_commits, "_PACE", 3_600)

    async def test() -> None:
        behind, commits = Committing(), Told().commits()
        for _ in range(3):
            assert await commits.wait(behind.pipeline, 1, later()) == Wait.DURABLE
        await commits.idle()
        commits.close()
        assert behind.count == 3

    run(test())
