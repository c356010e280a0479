"""`fairgate arena`: a world whose opponents learn, played against packs: what came of it, a story, or a foresight."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from fairgate.domain.errors import NotPlayable, ReportUnwritable
from fairgate.domain.pack import Pack, Rule
from fairgate.entrypoints.arena_jobs import Job, Setting, checked_live, play
from fairgate.simulate.arena import foresee, words
from fairgate.simulate.arena.many import Progress as Told
from fairgate.simulate.arena.many import Runs, interrupts
from fairgate.simulate.arena.outcome import Outcome
from fairgate.simulate.arena.report import report_of
from fairgate.simulate.arena.run import Game, run
from fairgate.simulate.arena.story import Chronicle
from fairgate.simulate.arena.tables import Section, markdown
from fairgate.simulate.scarcity import Scarcity
from fairgate.simulate.simulation import Simulation
from fairgate.simulate.world_file import World
from fairgate.wiring import calm_collector, load_checked

#: Columns of tables where they are not read on a terminal.
_PLAIN_WIDTH: Final = 140
#: What an interrupted command exits with, as shells have it.
_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be played, and how it is to be shown. `processes` run at a time; `page` is written as Markdown.

    With `scarcity`, compute is scarce, and one pack is played with fair shares and with one queue for all.
    """

    setting: Setting
    days: int
    seeds: Sequence[int]
    processes: int | None = None
    as_json: bool = False
    page: Path | None = None
    scarcity: Scarcity | None = None


def compare(asked: Asked, packs: Sequence[str], left_out: Sequence[str]) -> int:
    """Play packs and print what came of it; 1 where the first is worse than the second for certain, else 0.

    130 after an interrupt, with what there was by then. Raises `PackError`, `BadWorld`, `NotPlayable` or
    `ReportUnwritable`.
    """
    world = asked.setting.load().world
    for kind in left_out:
        _check_archetype(kind, world)
    files = [load_checked(each).pack.files for each in packs]
    games = [(each, frozenset[str](), asked.scarcity) for each in files]
    if asked.scarcity is not None and len(files) == 1:
        games.append((files[0], frozenset[str](), msgspec.structs.replace(asked.scarcity, fair=False)))
    groups, stopped = _played(asked, games)
    report = report_of(groups, left_out)
    _show(asked, report, words.TITLE, words.sections(report))
    if stopped:
        return _INTERRUPTED
    return int(report.comparison is not None and bool(report.comparison.worse))


def tell(asked: Asked, pack: str, archetype: str) -> int:
    """Play one run and tell the story of an opponent; 130 after an interrupt, else 0. Raises as `compare`."""
    world, checked = asked.setting.load(), load_checked(pack)
    _check_archetype(archetype, world.world)
    chronicles: list[Chronicle] = []
    over = Event()

    def watch(simulation: Simulation) -> Chronicle:
        chronicles.append(Chronicle(simulation, archetype))
        return chronicles[0]

    calm_collector()
    with _bar(1, asked.days) as told, interrupts(over.set):

        def go_on(days: int, events: int) -> bool:
            told(Told(0, days, events))
            return not over.is_set()

        run(Game(world, checked, asked.days, asked.seeds[0]), go_on, watch)
    story = list(chronicles[0].sections())
    _show(asked, story, f"The story of a {archetype.replace('_', ' ')} against {checked.pack.label}", story)
    return _INTERRUPTED if over.is_set() else 0


def foretell(asked: Asked, pack: str, candidate: Path) -> int:
    """Play a pack with and without the rules of a file, and print what is to be expected of them.

    130 after an interrupt, else 0. Raises as `compare`, and `NotPlayable` where the file changes no rule.
    """
    checked = load_checked(pack)
    files = {**checked.pack.files, candidate.name: _text(candidate)}
    rules = _changed(checked.pack, checked_live(files, frozenset()).pack, candidate)
    groups, stopped = _played(asked, [(checked.pack.files, frozenset(), None), (files, rules, None)])
    found = foresee.foreseen(sorted(rules), *groups)
    _show(asked, found, f"Before it goes live: {candidate.name}", foresee.sections(found))
    return _INTERRUPTED if stopped else 0


def _text(candidate: Path) -> str:
    try:
        return candidate.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotPlayable(f"{candidate} can't be read: {error}.") from error


def _changed(old: Pack, new: Pack, candidate: Path) -> frozenset[str]:
    """The rules of the candidate's file that the pack has not got like that."""
    had = {each.name: _meaning(each) for each in old.rules}
    mine = [each for each in new.rules if each.place.file == candidate.name]
    changed = frozenset(each.name for each in mine if had.get(each.name) != _meaning(each))
    if not changed:
        raise NotPlayable(f"{candidate} has no rule that {old.label} has not got like that.")
    return changed


def _meaning(rule: Rule) -> tuple[object, ...]:
    """What makes a rule another."""
    return rule.on, rule.when.source, rule.score, rule.actions, rule.group, rule.mode, rule.daily_cap


def _check_archetype(kind: str, world: World) -> None:
    if kind not in world.opponent:
        raise NotPlayable(
            f"There is no `{kind}` in the world {world.name}; it has {', '.join(sorted(world.opponent))}."
        )


def _played(
    asked: Asked, packs: Sequence[tuple[Mapping[str, str], frozenset[str], Scarcity | None]]
) -> tuple[list[list[Outcome]], bool]:
    """The runs of each pack that have ended, and whether somebody stopped them. Seed by seed, so pairs end early."""
    jobs = [
        Job(asked.setting, dict(files), live, asked.days, seed, scarcity)
        for seed in asked.seeds
        for files, live, scarcity in packs
    ]
    runs = Runs(play, jobs, min(asked.processes or os.cpu_count() or 1, len(jobs)))
    over = Event()

    def stop() -> None:
        over.set()
        runs.stop()

    groups: list[list[Outcome]] = [[] for _ in packs]
    with _bar(len(jobs), asked.days) as told, interrupts(stop):
        for place, outcome in runs.results(told):
            if outcome.days:
                groups[place % len(packs)].append(outcome)
    for group in groups:
        group.sort(key=lambda each: each.seed)
    return groups, over.is_set()


@contextmanager
def _bar(jobs: int, days: int) -> Iterator[Callable[[Told], None]]:
    """A bar on stderr where that is a terminal, over the days of all jobs."""
    console = Console(stderr=True)
    shown = Progress(
        TextColumn("playing"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    done: dict[int, Told] = {}
    with shown:
        task = shown.add_task("", total=jobs * days, told="")

        def tell(each: Told) -> None:
            done[each.job] = each
            events, past = sum(one.events for one in done.values()), sum(one.days for one in done.values())
            shown.update(task, completed=past, told=f"{past:,} days, {events:,} events")

        yield tell


def _show(asked: Asked, found: object, title: str, sections: Iterable[Section]) -> None:
    """Print a report as JSON or in tables, and write it as a page where that was asked for."""
    several = list(sections)
    if asked.page is not None:
        try:
            asked.page.write_text(markdown(title, several), "utf-8")
        except OSError as error:
            raise ReportUnwritable(asked.page, error.strerror or str(error)) from error
    if asked.as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
        return
    console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)
    console.print(Text(title, style="bold"))
    for each in several:
        _draw(each, console)


def _draw(section: Section, console: Console) -> None:
    console.print()
    console.print(Text(section.title, style="bold"))
    for words_ in section.words:
        console.print(Text(words_))
    if section.rows:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for at, name in enumerate(section.head):
            figures = at > 0 and all(_is_figure(row[at]) for row in section.rows)
            table.add_column(name, justify="right" if figures else "left", no_wrap=at == 0)
        for row in section.rows:
            table.add_row(*map(Text, row))
        console.print(table)


def _is_figure(cell: str) -> bool:
    return cell[:1] in "0123456789-+>" or cell == "none seen"
