"""`fairgate demo`: a simulated day of an AI API, streamed through a real door in fast time."""

import asyncio
import contextlib
import functools
import http.client
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from rich.console import Console
from rich.live import Live

from fairgate.domain.errors import DoorFailed
from fairgate.domain.event import Event, Refusal, microseconds
from fairgate.entrypoints.access import Access
from fairgate.entrypoints.demo_screen import Day, Shown, line, live_view, print_summary
from fairgate.entrypoints.door.asgi import Application
from fairgate.entrypoints.http_server import stop_on_signals
from fairgate.entrypoints.serve_command import application_of, listening, server_of
from fairgate.ingest.decode import Taken
from fairgate.pipeline.online import Outcome
from fairgate.settings import DoorSettings, Settings
from fairgate.simulate.clock import FastClock
from fairgate.simulate.day_parts import SampleEvent
from fairgate.simulate.sample_day import CustomerKind, SampleDay, sample_day
from fairgate.wiring import LivePipeline, calm_collector, open_keys

#: The simulated day begins here, whatever day it is: the same seed shows the same day.
DAY_BEGINS = microseconds(datetime(2026, 11, 16, tzinfo=UTC))
_DAY_SECONDS = 86_400
_POLL_SECONDS = 0.05
_FRAMES_PER_SECOND = 8
_MOST_AT_ONCE = 1_000
_NDJSON = {"Content-Type": "application/x-ndjson"}


def run(*, seed: int, minutes: float, port: int, data: Path | None, stop: bool) -> int:
    """Play the day in so many minutes, show it, sum it up; then stay open until interrupted, unless `stop`."""
    console = Console()
    day = sample_day(seed, DAY_BEGINS)
    clock = FastClock(DAY_BEGINS, _DAY_SECONDS / (minutes * 60))
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fairgate-demo-")))
        settings = Settings(pack="ai_api", data=folder, door=DoorSettings(port=port))
        console.print("Getting ready (the first start compiles the kernel, about 10 seconds) ...")
        keys = stack.enter_context(open_keys(settings))
        live = stack.enter_context(contextlib.closing(LivePipeline(settings, clock)))
        calm_collector()
        access = Access(keys, clock, settings.door.host)
        opened = functools.partial(application_of, live, settings, access)
        return asyncio.run(_Demo(console, day, clock, live, opened).play(stop=stop))


class _Demo:
    def __init__(
        self, console: Console, day: SampleDay, clock: FastClock, live: LivePipeline, opened: Callable[..., Application]
    ) -> None:
        self._console = console
        self._events = day.events
        self._clock = clock
        self._live = live
        self._application = opened(on_taken=self._seen)
        attacked = frozenset(kind for kind in CustomerKind if not kind.honest)
        self._day = Day(day.kinds, attacked, day.abusive)
        self._over = threading.Event()

    async def play(self, *, stop: bool) -> int:
        server = server_of(self._application)
        listener = listening(self._application.door.settings.door)
        port = listener.getsockname()[1]
        stop_on_signals(server)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn sets a flag, no event
            await asyncio.sleep(_POLL_SECONDS)
        if serving.done():
            await serving
            return 1
        self._clock.restart()
        streaming = asyncio.get_running_loop().run_in_executor(None, self._stream, port)
        await self._show(streaming, serving, server)
        if not server.should_exit:
            await streaming
            print_summary(self._day, self._console)
            self._farewell(port, stop=stop)
            server.should_exit |= stop  # it may have been told to meanwhile
        self._over.set()
        await serving
        # What was being sent when the door was told to close is nobody's loss; any earlier failure was raised above.
        await asyncio.gather(streaming, return_exceptions=True)
        return 0

    async def _show(self, streaming: asyncio.Future[None], serving: asyncio.Task[None], server: uvicorn.Server) -> None:
        """Draw until the day is over, or the server ends or is told to."""
        began, drawn = time.monotonic(), 0
        live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        with live or contextlib.nullcontext():
            while not (streaming.done() or serving.done() or server.should_exit):
                await asyncio.sleep(1 / _FRAMES_PER_SECOND)
                rate = self._day.events / (time.monotonic() - began)
                if live is not None:
                    now = min(self._clock.now(), self._events[-1].time)
                    live.update(live_view(self._day, now, rate), refresh=True)
                else:
                    drawn = self._print_new(drawn)

    def _print_new(self, drawn: int) -> int:
        """Where there is no terminal: a line for each account and decision that is new or went on since last time."""
        new = min(self._day.notable - drawn, len(self._day.recent))
        for shown, _ in list(self._day.recent.values())[len(self._day.recent) - new :]:
            self._console.print(line(shown), highlight=False, markup=False, soft_wrap=True)
        self._console.file.flush()  # whoever reads through a pipe watches, too
        return self._day.notable

    def _farewell(self, port: int, *, stop: bool) -> None:
        if stop:
            return
        data = '{"account":"me","email":"me@mailinator.com"}'
        body = f'{{"specversion":"1.0","id":"try-1","source":"me","type":"account.signup","data":{data}}}'
        self._console.print(f"\nThe door stays open at http://127.0.0.1:{port}. Ctrl-C closes it. Try:")
        command = f"  curl -s http://127.0.0.1:{port}/v1/decide -d '{body}'"
        self._console.print(command, highlight=False, markup=False, soft_wrap=True)
        self._console.file.flush()

    def _stream(self, port: int) -> None:
        """Send each event when its time has come, as another team's service would."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        sent = 0
        while sent < len(self._events) and not self._over.is_set():
            due = self._due(sent)
            if due == sent:
                time.sleep(max(_POLL_SECONDS, self._clock.real_seconds_until(self._events[sent].time)))
                continue
            _post(connection, self._events[sent:due])
            sent = due
        connection.close()

    def _due(self, sent: int) -> int:
        now = self._clock.now()
        due = sent
        most = min(len(self._events), sent + _MOST_AT_ONCE)
        while due < most and self._events[due].time <= now:
            due += 1
        return due

    def _seen(self, taken: Taken, outcome: Outcome) -> None:
        """Told by the door of each outcome, once it is durable."""
        if isinstance(outcome, Refusal) or not isinstance(taken, Event):
            self._day.refused += 1
            return
        decision = outcome.decision
        why = ""
        if decision.rules:
            pipeline = self._live.pipeline
            why = "; ".join(pipeline.engine.why(pipeline.judged(taken, outcome.sequence)).values())
        self._day.count(
            Shown(taken.time, taken.type, str(taken.data.account), decision.action.word, decision.rules, why), taken.id
        )


def _post(connection: http.client.HTTPConnection, events: Sequence[SampleEvent]) -> None:
    connection.request("POST", "/v1/events", b"\n".join(event.body for event in events), _NDJSON)
    answer = connection.getresponse()
    answer.read()
    if answer.status not in (http.client.OK, http.client.UNPROCESSABLE_ENTITY):
        raise DoorFailed(answer.status)
