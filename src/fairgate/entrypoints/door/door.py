"""What stands behind the requests: the live pipeline, its queue and its commits, and its repair when it has failed."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from fairgate.domain.errors import DeadlinePassed, PipelineStopped, QueueFull, ReloadUnderWay
from fairgate.domain.pack import Pack
from fairgate.domain.reading import OpenCase, no_case
from fairgate.entrypoints.door.answers import Words
from fairgate.entrypoints.door.child import Child
from fairgate.entrypoints.door.commits import Commits, Wait
from fairgate.ingest.decode import Taken
from fairgate.monitor.metric_list import Beside, Reading
from fairgate.monitor.metrics import DoorMetrics
from fairgate.monitor.traces import NO_TRACE
from fairgate.pipeline.online import Answer, Outcome, Pipeline
from fairgate.ports.traces import RequestTrace
from fairgate.settings import CallSite, Settings

#: Seconds that anything but a decision waits to become durable, unless the request says.
PATIENCE: Final = 10.0
#: Events that are decided on in one go: other requests are looked at in between.
_PIECE = 250
#: Seconds before the first attempt at a repair, and at most between two; a failure so long after a repair begins anew.
_FIRST_DELAY, _LONGEST_DELAY, _WELL = 1.0, 30.0, 60.0
#: Times that a reload reads what was taken meanwhile, before it holds events up for the rest.
_MOST_LAPS = 20
#: Seconds after which a snapshot is made however few events there were.
_DAY = 86_400.0
_log = logging.getLogger(__name__)


class Live(Protocol):
    """The live pipeline, which can be made anew from its log, or anew by another pack. All but `adopt` take long."""

    pipeline: Pipeline

    def reopen(self) -> Pipeline:
        """The pipeline made anew. Called in another thread, again and again until it no longer raises."""
        ...

    def follow(self) -> Pipeline | None:
        """A pipeline of the pack as it is written now, near the log's end; None where it is the live one's."""
        ...

    def adopt(self, pipeline: Pipeline) -> None:
        """Take note that a pipeline that `follow` made is live."""
        ...

    def cut(self) -> None:
        """Drop what the log no longer has to keep. Called in another thread after a snapshot was kept."""
        ...


class Door:
    """The live pipeline as the handlers of requests use it, from one event loop.

    `on_taken` is told of every outcome once it is durable (the demo's screen listens there). A snapshot is made after
    every `snapshot_events` events, with the first event after a day, and at a graceful stop. `beside` tells how the
    processes beside the door are.
    """

    def __init__(
        self,
        live: Live,
        settings: Settings,
        metrics: DoorMetrics,
        *,
        on_taken: Callable[[Taken, Outcome], None] | None = None,
        beside: Callable[[], Beside] = Beside,
    ) -> None:
        pipeline = live.pipeline
        #: Whether a case is open that somebody names as the reason to read personal values: cases set it.
        self.open_case: OpenCase = no_case
        self.settings = settings
        self.sites: dict[str, CallSite] = {"default": CallSite(), **settings.call_site}
        self.clock = pipeline.clock
        self.decoder = pipeline.decoder
        self.metrics = metrics
        self.draw = random.SystemRandom()
        #: Requests that are being read or wait.
        self.requests = 0
        self._pack = pipeline.engine.checked.pack
        self._live: Pipeline | None = pipeline
        self._pipelines = live
        #: Held while events are decided on in several pieces, and while another pack goes live.
        self._turn = asyncio.Lock()
        self._reloading = False
        self._on_taken = on_taken
        self._beside = beside
        self._words = Words()
        self._commits = Commits(self._committed, self._broken)
        self._snapshot_at = 0
        self._kept_at: float | None = None
        self._tried_at = time.monotonic()
        self._reading = self._read(pipeline)
        self._keeping: asyncio.Task[None] | None = None
        self._repairing: asyncio.Task[None] | None = None
        self._repaired_at = -_WELL
        self._delay = _FIRST_DELAY

    @property
    def pipeline(self) -> Pipeline:
        """The live pipeline. Raises `PipelineStopped` while there is none."""
        if self._live is None:
            raise PipelineStopped
        return self._live

    async def take(
        self, taken: Sequence[Taken], deadline: float | None = None, trace: RequestTrace = NO_TRACE
    ) -> list[Outcome]:
        """Decide on what was decoded; an outcome for each, in order, when all of them are durable.

        `deadline` is on `time.monotonic`, ten seconds from now without one. Raises `QueueFull` where nothing was taken,
        `DeadlinePassed` or `PipelineStopped` where it is not known what of it is in the log.
        """
        if self._commits.events >= self.settings.door.queue_events:
            raise QueueFull
        pipeline = self.pipeline
        with trace.part("decide", len(taken)):
            small = len(taken) <= _PIECE
            outcomes = self._decide(pipeline, taken) if small else await self._in_pieces(pipeline, taken)
        with trace.part("commit", len(taken)):
            _check(await self._commits.wait(pipeline, len(taken), deadline or time.monotonic() + PATIENCE))
        self.metrics.decided(outcomes)
        if self._on_taken is not None:
            for each, outcome in zip(taken, outcomes, strict=True):
                self._on_taken(each, outcome)
        return outcomes

    async def reload(self) -> tuple[Pack, bool]:
        """Let the pack go live as it is written now, while events are taken; returns it, and whether it is another.

        Raises `PackError` where it has faults, `NotPrepared` where it is too far behind, and `PipelineStopped`: the
        live pack stays then. One reload at a time: `ReloadUnderWay`.
        """
        if self._reloading:
            raise ReloadUnderWay
        self._reloading = True
        try:
            return await self._reload(self.pipeline)
        finally:
            self._reloading = False

    async def durable(self, deadline: float | None = None) -> None:
        """Wait until all that was appended before this call is on disk, as `take` does."""
        _check(await self._commits.wait(self.pipeline, 0, deadline or time.monotonic() + PATIENCE))

    def words(self, answer: Answer) -> list[str]:
        """What the user of a caller may be told of a decision."""
        return self._words.of(self._pack, answer)

    def reading(self) -> Reading:
        """How it stands; while there is no pipeline, what was read of the last."""
        if self._live is not None and not self._live.stopped:
            self._reading = self._read(self._live)
        return replace(self._reading, queue_events=self._commits.events, queue_requests=self.requests)

    async def close(self) -> None:
        """Finish: the last commit, a snapshot, and no more repairs."""
        if self._repairing is not None:
            self._repairing.cancel()
        await self._commits.idle()
        if self._keeping is not None:
            await asyncio.wait([self._keeping])
        if self._live is not None:
            await self._snapshot(self._live)
        self._commits.close()

    async def _reload(self, old: Pipeline) -> tuple[Pack, bool]:
        loop = asyncio.get_running_loop()
        new = await loop.run_in_executor(None, self._pipelines.follow)
        if new is None:
            return self._pack, False
        for _ in range(_MOST_LAPS):  # each lap reads what was taken during the one before
            if await loop.run_in_executor(None, new.catch_up) < _PIECE:
                break
        async with self._turn:
            if self._live is not old:
                raise PipelineStopped
            try:
                old.commit()
                new.catch_up()
                new.go_live()
            except Exception as error:
                self._broken(old, error)
                raise PipelineStopped from error
            self._pipelines.adopt(new)
            self._install(new)
        if self._keeping is not None:
            await asyncio.wait([self._keeping])
        self._keeping = asyncio.create_task(self._snapshot(new))  # else a start would count the whole log
        return self._pack, True

    async def _in_pieces(self, pipeline: Pipeline, taken: Sequence[Taken]) -> list[Outcome]:
        async with self._turn:
            if self._live is not pipeline:  # it was decoded for a pack that is no longer live
                raise PipelineStopped
            outcomes = self._decide(pipeline, taken[:_PIECE])
            for start in range(_PIECE, len(taken), _PIECE):
                await asyncio.sleep(0)
                outcomes += self._decide(pipeline, taken[start : start + _PIECE])
        return outcomes

    def _decide(self, pipeline: Pipeline, taken: Sequence[Taken]) -> list[Outcome]:
        try:
            return pipeline.take(taken)
        except Exception as error:
            self._broken(pipeline, error)
            raise PipelineStopped from error

    def _committed(self, events: int, seconds: float) -> None:
        self.metrics.committed(events, seconds)
        if self._live is None:
            return
        count, busy = self._live.engine.counts.events, self._keeping is not None and not self._keeping.done()
        many = count - self._snapshot_at >= self.settings.door.snapshot_events
        if (many or time.monotonic() - self._tried_at >= _DAY) and not busy:
            self._snapshot_at, self._tried_at = count, time.monotonic()
            self._keeping = asyncio.create_task(self._snapshot(self._live))

    async def _snapshot(self, pipeline: Pipeline) -> None:
        """Keep the state. Without a snapshot a start takes longer and loses nothing, so a failure stops nobody.

        A forked process writes it: to copy gigabytes here would hold up every event.
        """
        try:
            kept = await self._kept(pipeline)
        except Exception:  # noqa: BLE001 - as the docstring says
            _log.exception("no snapshot could be made: the next start will read more of the log")
        else:
            self._kept_at = time.monotonic() if kept else self._kept_at
            if not kept:
                _log.error("no snapshot was made: the next start will read more of the log")
            else:
                await self._cut()

    async def _cut(self) -> None:
        """Let the log drop what is old. What can't be dropped now is dropped another day, so a failure stops nobody."""
        if self._reloading:  # which reads the log from its beginning
            return
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._pipelines.cut)
        except Exception:  # noqa: BLE001 - as the docstring says
            _log.exception("the log's old records could not be dropped")

    async def _kept(self, pipeline: Pipeline) -> bool:
        pipeline.restate()
        at = pipeline.mark()
        child = Child(lambda: pipeline.keep(pipeline.capture(at)))
        durable = await self._commits.wait(pipeline, 0, time.monotonic() + PATIENCE)
        ended = child.go if durable is Wait.DURABLE else child.stop
        return await asyncio.get_running_loop().run_in_executor(None, ended)

    def _broken(self, pipeline: Pipeline, error: BaseException) -> None:
        """Begin the repair of a pipeline that has stopped; told of the same one twice, do nothing."""
        if self._live is not pipeline:
            return
        self._live = None
        _log.error("nothing is decided until the log is well again: call sites' policies answer", exc_info=error)
        if time.monotonic() - self._repaired_at > _WELL:
            self._delay = _FIRST_DELAY
        self._repairing = asyncio.create_task(self._repair())

    async def _repair(self) -> None:
        """Make the pipeline anew from the log, as often as it takes."""
        await self._commits.idle()
        if self._keeping is not None:
            await asyncio.wait([self._keeping])
        pipeline = None
        while pipeline is None:
            await asyncio.sleep(self._delay)
            self._delay = min(2 * self._delay, _LONGEST_DELAY)
            try:
                pipeline = await asyncio.get_running_loop().run_in_executor(None, self._pipelines.reopen)
            except Exception as error:  # noqa: BLE001 - whatever it is, the disk may be well the next time
                _log.warning("the log can't be used yet; it is tried again in %g s", self._delay, exc_info=error)
        self._install(pipeline)
        self._repaired_at = time.monotonic()
        _log.warning("the log is well again, and so are decisions")

    def _install(self, pipeline: Pipeline) -> None:
        self._live, self.decoder, self._pack = pipeline, pipeline.decoder, pipeline.engine.checked.pack
        self._snapshot_at = 0
        self.metrics.live(self._pack)

    def _read(self, pipeline: Pipeline) -> Reading:
        counts, kept_at = pipeline.engine.counts, self._kept_at
        return Reading(
            queue_events=0,
            queue_requests=0,
            log_end=pipeline.end,
            rows=pipeline.engine.rows.size(),
            rule_errors=counts.rule_errors,
            feature_errors=counts.feature_errors,
            repeats_waiting=pipeline.remembered.behind,
            snapshot_age=None if kept_at is None else time.monotonic() - kept_at,
            beside=self._beside(),
        )


def _check(how: Wait) -> None:
    if how is not Wait.DURABLE:
        raise DeadlinePassed if how is Wait.LATE else PipelineStopped
