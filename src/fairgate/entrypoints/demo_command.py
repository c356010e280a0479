"""`fairgate demo`: a simulated world, attackers included, played live against a real door."""

import asyncio
import contextlib
import functools
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn
from rich.console import Console
from rich.live import Live

from fairgate.domain.action import Action
from fairgate.domain.event import Event, Refusal
from fairgate.entrypoints.access import Access
from fairgate.entrypoints.demo_gateway import Followed, following
from fairgate.entrypoints.demo_play import Caller, Played
from fairgate.entrypoints.demo_score import Decisions, Score, Shown, Turn
from fairgate.entrypoints.demo_screen import Screen, line, print_summary, told, turn
from fairgate.entrypoints.door.asgi import Application
from fairgate.entrypoints.http_server import stop_on_signals
from fairgate.entrypoints.passes import passes_of
from fairgate.entrypoints.serve_command import application_of, listening, server_of
from fairgate.ingest.decode import Taken
from fairgate.pipeline.online import Outcome
from fairgate.settings import DoorSettings, Settings
from fairgate.simulate.clock import PlayClock
from fairgate.simulate.world_names import world_named
from fairgate.wiring import LivePipeline, calm_collector, open_keys

_POLL_SECONDS = 0.05
_FRAMES_PER_SECOND = 6
#: Where Linux keeps files in memory, and the bytes that should be free there.
_MEMORY, _ROOM = Path("/dev/shm"), 2 << 30  # noqa: S108 - only a folder of a random name in it is used


def run(  # noqa: PLR0913 - one for each option
    *, world: str, days: int, seed: int, port: int, data: Path | None, stop: bool
) -> int:
    """Play so many days of a world, show it, sum it up; then stay open until interrupted, unless `stop`.

    Raises `NoSuchWorld`, `BadWorld`, and what opening a door raises.
    """
    console = Console()
    played = Played(world_named(world), days, seed)
    clock = PlayClock(played.world.begins)
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fairgate-demo-", dir=_memory())))
        settings = Settings(pack="ai_api", data=folder, door=DoorSettings(port=port))
        console.print("Getting ready (the first start compiles the kernel, about 10 seconds) ...")
        keys = stack.enter_context(open_keys(settings))
        live = stack.enter_context(contextlib.closing(LivePipeline(settings, clock)))
        calm_collector()
        access = Access(keys, clock, settings.door.host, passes_of(settings, clock))
        opened = functools.partial(application_of, live, settings, access)
        demo = _Demo(console, played, clock, live, opened)
        # The server's own loop: without it each answer would wait for the caller's system to acknowledge half of it.
        with asyncio.Runner(loop_factory=demo.server.config.get_loop_factory()) as runner:
            return runner.run(demo.play(stop=stop))


def _memory() -> Path | None:
    """A folder in memory, where there is one with room: what nobody keeps need not wait for a disk, event by event."""
    try:
        free = shutil.disk_usage(_MEMORY).free
    except OSError:
        return None
    return _MEMORY if free >= _ROOM and os.access(_MEMORY, os.W_OK) else None


class _Demo:
    def __init__(
        self,
        console: Console,
        played: Played,
        clock: PlayClock,
        live: LivePipeline,
        opened: Callable[..., Application],
    ) -> None:
        self._console = console
        self._played = played
        self._clock = clock
        self._live = live
        self._application = opened(on_taken=self._seen)
        self.server = server_of(self._application)
        self._decisions = Decisions()
        kinds = played.world.world.opponent
        self._score = Score({kind: each.operators for kind, each in kinds.items()})
        self._caller = Caller(played, clock, self._score)

    async def play(self, *, stop: bool) -> int:
        server = self.server
        listener = listening(self._application.door.settings.door)
        port = listener.getsockname()[1]
        stop_on_signals(server)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn sets a flag, no event
            await asyncio.sleep(_POLL_SECONDS)
        if serving.done():
            await serving
            return 1
        async with following(self._application.door.settings.data, self._clock) as followed:
            playing = asyncio.get_running_loop().run_in_executor(None, self._caller.play, port)
            await self._show(followed, playing, serving, server)
        if not server.should_exit:
            await playing
            self._clock.run()
            print_summary(self._played, self._decisions, self._score, self._console)
            self._console.print(told(self._live.pipeline.engine.ledger.following, followed), highlight=False)
            self._farewell(port, stop=stop)
            server.should_exit |= stop  # it may have been told to meanwhile
        self._caller.stop()
        await serving
        # What was being sent when the door was told to close is nobody's loss; any earlier failure was raised above.
        await asyncio.gather(playing, return_exceptions=True)
        return 0

    async def _show(
        self, followed: Followed, playing: asyncio.Future[None], serving: asyncio.Task[None], server: uvicorn.Server
    ) -> None:
        """Draw until the play is over, or the server ends or is told to."""
        screen = Screen(self._played, self._decisions, self._score, followed)
        live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        began, drawn = time.monotonic(), 0
        with live or contextlib.nullcontext():
            while not (playing.done() or serving.done() or server.should_exit):
                await asyncio.sleep(1 / _FRAMES_PER_SECOND)
                if live is not None:
                    rate = self._decisions.events / (time.monotonic() - began)
                    live.update(screen.view(self._clock.now(), rate, self._console.size), refresh=True)
                else:
                    drawn = self._print_new(drawn)

    def _print_new(self, drawn: int) -> int:
        """Where there is no terminal: a line for each account and decision that is new or went on since last time."""
        notable, recent = self._decisions.notable, list(self._decisions.recent.values())
        new = min(notable - drawn, len(recent))
        turns = [self._score.turns.popleft() for _ in range(len(self._score.turns))]
        several: list[Shown | Turn] = [*turns, *(shown for shown, _ in recent[len(recent) - new :])]
        for each in sorted(several, key=lambda one: one.time):
            text = turn(each) if isinstance(each, Turn) else line(each)
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        self._console.file.flush()  # whoever reads through a pipe watches, too
        return notable

    def _farewell(self, port: int, *, stop: bool) -> None:
        if stop:
            return
        data = '{"account":"me","email":"me@mailinator.com"}'
        body = f'{{"specversion":"1.0","id":"try-1","source":"me","type":"account.signup","data":{data}}}'
        self._console.print(f"\nThe door stays open at http://127.0.0.1:{port}. Ctrl-C closes it. Try:")
        command = f"  curl -s http://127.0.0.1:{port}/v1/decide -d '{body}'"
        self._console.print(command, highlight=False, markup=False, soft_wrap=True)
        self._console.file.flush()

    def _seen(self, taken: Taken, outcome: Outcome) -> None:
        """Told by the door of each outcome, once it is durable."""
        if isinstance(outcome, Refusal) or not isinstance(taken, Event):
            self._decisions.refused += 1
            return
        decision, why = outcome.decision, ""
        if decision.rules and decision.action > Action.WATCH:
            pipeline = self._live.pipeline
            why = "; ".join(pipeline.engine.why(pipeline.judged(taken, outcome.sequence)).values())
        account, action = str(taken.data.account), decision.action.word
        self._decisions.count(Shown(taken.time, taken.type, account, action, decision.rules, why))
