"""Jobs: what takes minutes. They run one after the other, in a process of their own, and stay listed for some days."""

import asyncio
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from fairgate.domain.errors import DeskUnwritable
from fairgate.domain.event import moment
from fairgate.entrypoints.desk.meters import Meters
from fairgate.entrypoints.desk.tasks import Refused, Task
from fairgate.entrypoints.desk.workers import Worker
from fairgate.ports.clock import Clock
from fairgate.settings import Settings

JobKind: TypeAlias = Literal["backtest", "export"]
JobState: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
GOING: Final = frozenset[JobState]({"queued", "running"})

_ABOUT = "job.json"
#: Old jobs are looked for at least so often.
_SWEEP_SECONDS = 3_600.0
_log = logging.getLogger(__name__)


class Busy(Exception):
    """As many jobs wait as may."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `interrupted` is what the desk's end did to it.

    `by` is the name of the API key that asked, empty where the desk asks for none. `progress` is how far it is and
    `problem` why it failed, in words. `file` is what can be downloaded when it is done; `personal` says that personal
    values can be read in it.
    """

    id: str
    kind: JobKind
    by: str
    about: str
    created: datetime
    state: JobState = "queued"
    started: datetime | None = None
    ended: datetime | None = None
    progress: str = ""
    problem: str = ""
    file: str = ""
    personal: bool = False


class JobFolders:
    """Jobs as folders: what each is stands in `job.json`, beside what it made.

    Raises `DeskUnwritable` where the disk fails.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: dict[str, Job] = {}
        with _writing(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in folder.iterdir():
                about = path / _ABOUT
                if about.exists():
                    job = msgspec.json.decode(about.read_bytes(), type=Job)
                    self._jobs[job.id] = job
                else:  # its making was cut short
                    shutil.rmtree(path)

    def all(self) -> list[Job]:
        """Every job, the newest first."""
        return sorted(self._jobs.values(), key=lambda job: (job.created, job.id), reverse=True)

    def get(self, job_id: str) -> Job | None:
        """The job of an id."""
        return self._jobs.get(job_id)

    def folder(self, job: Job) -> Path:
        """Where a job keeps what it makes."""
        return self._folder / job.id

    def put(self, job: Job) -> Job:
        """Keep a job as it is now, and return it. A crash leaves it as it was or as it is."""
        folder = self.folder(job)
        with _writing(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            draft = folder / f"{_ABOUT}.tmp"
            with draft.open("wb") as file:
                file.write(msgspec.json.encode(job))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(folder / _ABOUT)
        self._jobs[job.id] = job
        return job

    def remove(self, job: Job) -> None:
        """Forget a job and delete what it made."""
        with _writing(self.folder(job)):
            shutil.rmtree(self.folder(job))
        del self._jobs[job.id]


class Jobs:
    """Takes jobs, runs them one at a time, and removes those that ended long ago."""

    def __init__(self, settings: Settings, clock: Clock, folder: Path, meters: Meters) -> None:
        self.folders = JobFolders(folder)
        self._meters = meters
        self._settings = settings.desk
        self._clock = clock
        self._worker = Worker(settings)
        self._waiting: asyncio.Queue[tuple[str, Task]] = asyncio.Queue()
        self._running: tuple[str, asyncio.Task[object]] | None = None
        for job in self.folders.all():
            if job.state in GOING:
                self._end(job, "interrupted", "the desk ended before it was done; ask again")

    def submit(self, job: Job, task: Callable[[Path], Task]) -> Job:
        """Take a job; `task` is told the folder that is made for it. Raises `Busy` where as many wait as may."""
        if sum(each.state == "queued" for each in self.folders.all()) > self._settings.jobs_waiting:
            raise Busy
        kept = self.folders.put(job)
        self._waiting.put_nowait((job.id, task(self.folders.folder(kept))))
        return kept

    def new(self, kind: JobKind, by: str, about: str, *, file: str, personal: bool = False) -> Job:
        """A job that is not taken yet."""
        created = moment(self._clock.now())
        return Job(secrets.token_hex(8), kind, by, about, created, file=file, personal=personal)

    def cancel(self, job: Job) -> Job:
        """End a job that is going."""
        if self._running is not None and self._running[0] == job.id:
            self._running[1].cancel()
        return self._end(job, "cancelled", "")

    def remove_old(self) -> None:
        """Remove what ended too many days ago."""
        limit = moment(self._clock.now()) - timedelta(days=self._settings.job_days)
        for job in self.folders.all():
            if job.ended is not None and job.ended < limit:
                self.folders.remove(job)

    async def run(self) -> None:
        """Run jobs until cancelled."""
        try:
            while True:
                self.remove_old()
                try:
                    async with asyncio.timeout(_SWEEP_SECONDS):
                        job_id, task = await self._waiting.get()
                except TimeoutError:
                    continue
                job = self.folders.get(job_id)
                if job is not None and job.state == "queued":
                    await self._run(job, task)
        finally:
            await self._worker.kill()

    async def _run(self, job: Job, task: Task) -> None:
        self.folders.put(replace(job, state="running", started=moment(self._clock.now())))
        running = asyncio.create_task(
            self._worker.run(task, self._settings.job_seconds, lambda words: self._told(job.id, words))
        )
        self._running = job.id, running
        try:
            await asyncio.wait([running])
        finally:
            self._running = None
            running.cancel()
            await asyncio.wait([running])
            await self._worker.kill()  # gives back what it took
        self._ended(job.id, running)

    def _ended(self, job_id: str, running: asyncio.Task[object]) -> None:
        job = self.folders.get(job_id)
        if job is None or job.state not in GOING:  # cancelled
            return
        error = running.exception()
        if error is not None:
            _log.error("a job failed", exc_info=error)
            self._end(job, "failed", "something in Fairgate is broken; its log says what")
        elif isinstance(refused := running.result(), Refused):
            self._end(job, "failed", refused.reason)
        else:
            self._end(job, "done", "")

    def _told(self, job_id: str, words: str) -> None:
        job = self.folders.get(job_id)
        if job is not None and job.state == "running":
            self.folders.put(replace(job, progress=words))

    def _end(self, job: Job, state: JobState, problem: str) -> Job:
        self._meters.jobs.labels(job.kind, state).inc()
        return self.folders.put(replace(job, state=state, ended=moment(self._clock.now()), problem=problem))


@contextmanager
def _writing(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DeskUnwritable(where, error.strerror or str(error)) from error
