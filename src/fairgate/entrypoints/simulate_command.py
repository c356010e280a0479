"""`fairgate simulate`: a world played with nobody deciding, as files: what production would send, and the truth."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from fairgate.domain.windows import DAY
from fairgate.simulate.arena.many import interrupts
from fairgate.simulate.play_files import EVENTS, PlayFiles
from fairgate.simulate.service import ALLOWED, Verdict
from fairgate.simulate.simulation import Simulation, sampled
from fairgate.simulate.world_file import Loaded
from fairgate.simulate.world_names import world_named
from fairgate.wiring import calm_collector

#: What an interrupted command exits with, as shells have it.
_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class Asked:
    """A world by name or path, of which `honest` accounts are sampled, to be played for so many days from a seed."""

    world: str
    days: int
    seed: int
    honest: int | None = None


def run(asked: Asked, out: Path) -> int:
    """Play, and write it; 130 after an interrupt, with the days that were played by then, else 0.

    Raises `NoSuchWorld`, `BadWorld`, `NotPlayable` or `PlayUnwritable`.
    """
    world = world_named(asked.world)
    if asked.honest is not None:
        world = sampled(world, asked.honest)
    over, console = Event(), Console(stderr=True)
    with _bar(console, world, asked.days) as shown:
        files = PlayFiles(out, world, asked.days, asked.seed, tick=lambda time: shown(time, files.events))
        with interrupts(lambda: _stop(console, over)):
            played = _play(Simulation(world, asked.days, asked.seed, _allowed, files), over)
            files.finish(played)
    days = f"{played} of {asked.days} days" if played < asked.days else "1 day" if played == 1 else f"{played} days"
    click.echo(f"Simulated {days} of the world {world.world.name}: {files.events:,} events in {out / EVENTS}.")
    click.echo(f"The truth about them is beside that folder. Try: fairgate replay --pack ai_api {out / EVENTS}")
    return _INTERRUPTED if over.is_set() else 0


def _play(simulation: Simulation, over: Event) -> int:
    """Play to the end, or to that of the day on which it is over; returns the days that were played."""
    calm_collector()
    played = 0
    for played, _ in enumerate(simulation.play(), 1):  # noqa: B007 - it is what is returned
        if over.is_set():
            break
    return played


def _allowed(_raw: bytes, _time: int) -> Verdict:
    return ALLOWED


def _stop(console: Console, over: Event) -> None:
    over.set()
    words = "Ending with this day, and keeping what there is. Ctrl-C again ends at once."
    console.print(words, soft_wrap=True)


@contextmanager
def _bar(console: Console, world: Loaded, days: int) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr where that is a terminal; what it gives is to be told the time in the world, and the events."""
    columns = (
        TextColumn("day {task.fields[day]} of {task.fields[days]}"), BarColumn(), TaskProgressColumn(),
        TextColumn("{task.fields[events]:,} events"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=days * DAY, day=1, days=days, events=0)

        def shown(time: int, events: int) -> None:
            past = time - world.begins
            bar.update(task, completed=past, day=past // DAY + 1, events=events)

        yield shown
