"""Jobs run one after the other, can be cancelled, survive as what they were, and go after some days."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from fairgate.domain.errors import DeskUnwritable
from fairgate.domain.windows import DAY
from fairgate.entrypoints.desk import workers
from fairgate.entrypoints.desk.jobs import Busy, Job, JobFolders, Jobs
from fairgate.entrypoints.desk.meters import Meters
from fairgate.entrypoints.desk.tasks import Query, Task
from fairgate.settings import DeskSettings, Settings
from tests.support import SetClock


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    child = Path(__file__).with_name("desk_child.py")
    monkeypatch.setattr(workers, "WORKER", (sys.executable, str(child)))
    return Settings(data=tmp_path, desk=DeskSettings(jobs_waiting=2, job_days=7))


def jobs_in(settings: Settings, clock: SetClock | None = None) -> Jobs:
    return Jobs(settings, clock or SetClock(), settings.data / "jobs", Meters())


def task(text: str) -> Callable[[Path], Task]:
    return lambda _: Query(text, 1, "json", personal=False)


def submitted(jobs: Jobs, text: str) -> Job:
    return jobs.submit(jobs.new("export", "me", text, file="made"), task(text))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


def running(jobs: Jobs, test: Callable[[], Awaitable[None]]) -> None:
    """Run a test while the jobs run."""

    async def run() -> None:
        runner = asyncio.create_task(jobs.run())
        try:
            await test()
            assert not runner.done(), runner.exception()
        finally:
            runner.cancel()
            await asyncio.wait([runner])

    asyncio.run(run())


def state(jobs: Jobs, job: Job) -> str:
    found = jobs.folders.get(job.id)
    return found.state if found is not None else "gone"


def test_jobs_run_in_order_and_tell_what_became_of_them(settings: Settings) -> None:
    jobs = jobs_in(settings)

    async def test() -> None:
        first, second, third = (submitted(jobs, text) for text in ("say x", "refuse bad_query", "die"))
        await until(lambda: state(jobs, third) == "failed")
        done, failed, ended = (jobs.folders.get(each.id) for each in (first, second, third))
        assert done is not None
        assert failed is not None
        assert ended is not None
        assert (done.state, done.progress, done.problem) == ("done", "at it", "")
        assert (failed.state, failed.problem) == ("failed", "so it is")
        assert "its process ended" in ended.problem
        assert all(each.started is not None and each.ended is not None for each in (done, failed, ended))

    running(jobs, test)
    assert JobFolders(settings.data / "jobs").all() == jobs.folders.all()


def test_what_waits_and_what_runs_can_be_cancelled(settings: Settings) -> None:
    jobs = jobs_in(settings)

    async def test() -> None:
        slow, waiting, last = (submitted(jobs, text) for text in ("sleep", "say x", "say y"))
        await until(lambda: state(jobs, slow) == "running")
        assert jobs.cancel(waiting).state == "cancelled"
        assert jobs.cancel(slow).state == "cancelled"
        await until(lambda: state(jobs, last) == "done")
        assert state(jobs, slow) == state(jobs, waiting) == "cancelled"

    running(jobs, test)


def test_no_more_wait_than_may(settings: Settings) -> None:
    jobs = jobs_in(settings)
    for _ in range(3):  # one of them would run
        submitted(jobs, "say x")
    with pytest.raises(Busy):
        submitted(jobs, "say x")
    assert len(jobs.folders.all()) == 3


def test_what_was_going_when_the_desk_ended_is_told_as_interrupted(settings: Settings) -> None:
    jobs = jobs_in(settings)

    async def test() -> None:
        slow = submitted(jobs, "sleep")
        submitted(jobs, "say x")
        await until(lambda: state(jobs, slow) == "running")

    running(jobs, test)
    assert {each.state for each in jobs.folders.all()} == {"running", "queued"}
    again = jobs_in(settings)
    assert {each.state for each in again.folders.all()} == {"interrupted"}
    assert all("ask again" in each.problem for each in again.folders.all())


def test_old_jobs_go_with_their_files_and_others_stay(settings: Settings) -> None:
    clock = SetClock()
    jobs = jobs_in(settings, clock)
    going = submitted(jobs, "say x")
    old = jobs.cancel(submitted(jobs, "say x"))
    (jobs.folders.folder(old) / "made").write_text("personal")
    clock.time += 6 * DAY
    young = jobs.cancel(submitted(jobs, "say x"))
    jobs.remove_old()
    assert {each.id for each in jobs.folders.all()} == {going.id, old.id, young.id}
    clock.time += 2 * DAY
    jobs.remove_old()
    assert {each.id for each in jobs.folders.all()} == {going.id, young.id}
    assert not jobs.folders.folder(old).exists()


def test_the_newest_stands_first(settings: Settings) -> None:
    jobs = jobs_in(settings)
    first, second = submitted(jobs, "say x"), submitted(jobs, "say y")
    jobs.folders.put(replace(second, created=first.created + timedelta(seconds=1)))
    assert [each.id for each in jobs.folders.all()] == [second.id, first.id]


def test_what_a_crash_left_half_made_is_removed(settings: Settings) -> None:
    jobs = jobs_in(settings)
    kept = submitted(jobs, "say x")
    half = settings.data / "jobs" / "half"
    half.mkdir()
    (half / "job.json.tmp").write_bytes(b"{")
    assert [each.id for each in JobFolders(settings.data / "jobs").all()] == [kept.id]
    assert not half.exists()


def test_a_disk_that_fails_is_named(settings: Settings) -> None:
    jobs = jobs_in(settings)
    job = submitted(jobs, "say x")
    folder = jobs.folders.folder(job)
    (folder / "job.json").unlink()
    folder.rmdir()
    folder.write_text("in the way")
    with pytest.raises(DeskUnwritable, match="has room"):
        jobs.folders.put(job)
