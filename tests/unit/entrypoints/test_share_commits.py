"""Lines that come while one commit is under way share the next, count in their order, and are told when they can't."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from fairgate.entrypoints.share.commits import Commits
from fairgate.entrypoints.share.lines import Line, Switched
from tests.unit.entrypoints.test_share_decisions import switched


class Disk:
    """Notes what is written together. It is as slow as the test likes, and fails for a line of that name."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.free = threading.Event()
        self.free.set()
        self.fails = ""
        self._busy = threading.Lock()

    def write(self, lines: Sequence[Line]) -> None:
        assert self._busy.acquire(blocking=False), "two commits at a time"
        try:
            assert self.free.wait(10)
            names = [line.switch for line in lines if isinstance(line, Switched)]
            if self.fails in names:
                raise OSError(28, "No space left on device")
            self.batches.append(names)
        finally:
            self._busy.release()


class Counted(list[str]):
    """What counts by now."""

    def add(self, commits: Commits, name: str) -> "asyncio.Task[str]":
        """Write a line of that name down, and note when it counts."""

        def then() -> str:
            self.append(name)
            return name

        return asyncio.create_task(commits.add(switched(0, name, off=True), then))


def test_all_that_come_meanwhile_share_one_commit_and_count_in_order() -> None:
    disk, counted = Disk(), Counted()
    names = [str(number) for number in range(200)]

    async def run() -> list[str]:
        commits = Commits(disk.write)
        disk.free.clear()
        first = counted.add(commits, names[0])
        await asyncio.sleep(0.02)
        more = [counted.add(commits, name) for name in names[1:]]
        await asyncio.sleep(0.02)
        assert counted == [], "nothing counts before it is on disk"
        disk.free.set()
        found = await asyncio.gather(first, *more)
        await counted.add(commits, "later")
        return found

    assert asyncio.run(run()) == names
    assert [len(each) for each in disk.batches] == [1, 199, 1]
    assert counted == [*names, "later"]


def test_a_commit_that_fails_is_told_to_all_that_share_it_and_the_next_goes_on() -> None:
    disk, counted = Disk(), Counted()

    async def run() -> None:
        commits = Commits(disk.write)
        disk.fails = "b"
        disk.free.clear()
        adds = [counted.add(commits, "a")]
        await asyncio.sleep(0.02)
        adds += [counted.add(commits, each) for each in "bc"]
        await asyncio.sleep(0.02)
        disk.free.set()
        found = await asyncio.gather(*adds, return_exceptions=True)
        assert [type(each) for each in found] == [str, OSError, OSError]
        await counted.add(commits, "c")

    asyncio.run(run())
    assert counted == ["a", "c"]


def test_who_goes_away_or_breaks_keeps_no_other_from_counting() -> None:
    disk, counted = Disk(), Counted()

    def broken() -> None:
        raise ValueError("broken")

    async def run() -> None:
        commits = Commits(disk.write)
        disk.free.clear()
        gone = counted.add(commits, "gone")
        await asyncio.sleep(0.02)
        line = switched(0, "broken", off=True)
        failing, gone_too = (asyncio.create_task(commits.add(line, broken)) for _ in range(2))
        last = counted.add(commits, "last")
        await asyncio.sleep(0.02)
        gone.cancel()
        gone_too.cancel()
        disk.free.set()
        await last
        with pytest.raises(ValueError, match="broken"):
            await failing

    asyncio.run(run())
    assert counted == ["gone", "last"], "what is on disk counts, as it will after a restart"


def test_what_goes_wrong_when_nobody_waits_any_more_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    disk, counted = Disk(), Counted()
    disk.fails = "b"
    disk.free.clear()

    async def run() -> None:
        commits = Commits(disk.write)
        first = counted.add(commits, "a")
        await asyncio.sleep(0.02)
        gone = [counted.add(commits, each) for each in "bc"]
        await asyncio.sleep(0.02)
        for each in gone:
            each.cancel()
        disk.free.set()
        await first
        await counted.add(commits, "d")

    asyncio.run(run())
    assert counted == ["a", "d"]
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        "[Errno 28] No space left on device"
    ]
