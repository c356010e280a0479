"""Worker processes do tasks, are kept while they are well, and are ended and replaced when they are not."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fairgate.entrypoints.desk import workers
from fairgate.entrypoints.desk.tasks import Done, Query, Refused
from fairgate.entrypoints.desk.workers import Worker, Workers, scratch_of
from fairgate.settings import DeskSettings, Settings
from tests.e2e.desks import lives


def query(text: str) -> Query:
    return Query(text, 10, "json", personal=False)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    child = Path(__file__).with_name("desk_child.py")
    monkeypatch.setattr(workers, "WORKER", (sys.executable, str(child)))
    return Settings(data=tmp_path, desk=DeskSettings(sql_at_once=2, sql_waiting=1))


def with_worker(settings: Settings, test: Callable[[Worker], Awaitable[None]]) -> None:
    async def run() -> None:
        worker = Worker(settings)
        try:
            await test(worker)
        finally:
            await worker.kill()

    asyncio.run(run())


async def said(worker: Worker | Workers, word: str = "hello") -> int:
    """Let a worker say a word, and return its process id."""
    answer = await worker.run(query(f"say {word}"), 60)
    assert isinstance(answer, tuple), answer
    done, body = answer
    spoken, pid = body.split()
    assert (spoken, done) == (word.encode(), Done(bytes=len(body), rows=1))
    return int(pid)


def test_a_task_is_done_with_its_progress_and_the_process_kept(settings: Settings) -> None:
    async def test(worker: Worker) -> None:
        told: list[str] = []
        await worker.run(query("say x"), 60, told.append)
        assert told == ["at it"]
        assert await said(worker) == await said(worker) == worker.pid

    with_worker(settings, test)


@pytest.mark.parametrize(
    ("task", "seconds", "status", "code"),
    [
        ("sleep", 0.3, 422, "too_slow"),
        ("die", 60, 503, "worker_ended"),
        ("break", 60, 503, "worker_ended"),
        ("refuse too_big", 60, 422, "too_big"),
        ("refuse unavailable", 60, 422, "unavailable"),
    ],
)
def test_a_process_that_is_not_well_after_a_task_is_ended_and_another_follows(
    settings: Settings, task: str, seconds: float, status: int, code: str
) -> None:
    async def test(worker: Worker) -> None:
        first = await said(worker)
        scratch = scratch_of(settings) / str(first)
        scratch.mkdir(parents=True)
        answer = await worker.run(query(task), seconds)
        assert isinstance(answer, Refused)
        assert (answer.status, answer.code) == (status, code)
        assert not lives(first)
        assert not scratch.exists()
        assert await said(worker) != first

    with_worker(settings, test)


def test_an_ordinary_refusal_costs_no_process(settings: Settings) -> None:
    async def test(worker: Worker) -> None:
        first = await said(worker)
        assert await worker.run(query("refuse bad_query"), 60) == Refused(422, "bad_query", "so it is")
        assert await said(worker) == first

    with_worker(settings, test)


def test_a_cancelled_task_ends_its_process(settings: Settings) -> None:
    async def test(worker: Worker) -> None:
        first = await said(worker)
        running = asyncio.create_task(worker.run(query("sleep"), 60))
        await asyncio.sleep(0.1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not lives(first)
        assert worker.pid is None

    with_worker(settings, test)


def test_what_cannot_be_started_is_a_refusal(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "WORKER", ("/no/such/program",))

    async def test(worker: Worker) -> None:
        answer = await worker.run(query("say x"), 60)
        assert isinstance(answer, Refused)
        assert (answer.status, answer.code) == (503, "worker_ended")

    with_worker(settings, test)


def test_tasks_run_side_by_side_wait_for_their_turn_and_are_turned_away_beyond_that(settings: Settings) -> None:
    async def run() -> None:
        pool = Workers(settings)
        slow = [asyncio.create_task(pool.run(query("sleep"), 60)) for _ in range(2)]
        waiting = asyncio.create_task(said(pool))
        await asyncio.sleep(0.1)
        assert pool.taken == 3
        refused = await pool.run(query("say x"), 60)
        assert isinstance(refused, Refused)
        assert (refused.status, refused.code) == (429, "busy")
        assert not waiting.done()
        slow[0].cancel()
        first = await waiting
        slow[1].cancel()
        await asyncio.wait(slow)
        assert pool.taken == 0
        assert await said(pool) > 0
        await pool.close()
        assert not lives(first)

    asyncio.run(run())


def test_waiting_for_a_turn_can_be_given_up(settings: Settings) -> None:
    async def run() -> None:
        pool = Workers(settings)
        slow = [asyncio.create_task(pool.run(query("sleep"), 60)) for _ in range(2)]
        waiting = asyncio.create_task(pool.run(query("say x"), 60))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert pool.taken == 2
        for each in slow:
            each.cancel()
        await asyncio.wait(slow)
        assert await said(pool) > 0
        await pool.close()

    asyncio.run(run())
