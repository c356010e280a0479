"""`fairgate share simulate`: a trace replayed under several policies of sharing compute, with abusers injected."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from fairgate.domain.errors import NotPlayable, ReportUnwritable
from fairgate.simulate.sharing import words
from fairgate.simulate.sharing.demand import Plan, scene_of
from fairgate.simulate.sharing.names import POLICIES
from fairgate.simulate.sharing.outcome import Report, outcome_of, report_of
from fairgate.simulate.sharing.traces import read_trace

#: Columns of tables where they are not read on a terminal.
_PLAIN_WIDTH: Final = 160
#: Draws a report as a PNG.
Draw: TypeAlias = Callable[[Report, Path], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be replayed, under which policies (all, where none is named), and where the report goes, too.

    `plan` has the fields of a `Plan`.
    """

    trace: Path
    policies: Sequence[str]
    plan: Mapping[str, Any]
    json: Path | None = None
    png: Path | None = None


def run(asked: Asked, draw: Draw | None = None) -> int:
    """Replay, and show what came of it. Raises `InputUnreadable`, `NotPlayable` or `ReportUnwritable`."""
    policies = _policies(asked.policies)
    trace = read_trace(asked.trace)
    scene = scene_of(trace, Plan(**asked.plan))
    with _bar(len(policies) * scene.horizon) as shown:
        outcomes = [
            outcome_of(scene, policy, tick=partial(shown, policy, number * scene.horizon))
            for number, policy in enumerate(policies)
        ]
    report = report_of(trace.name, scene, outcomes)
    _show(report)
    if asked.json is not None:
        _write(asked.json, msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    if asked.png is not None and draw is not None:
        try:
            draw(report, asked.png)
        except OSError as error:
            raise ReportUnwritable(asked.png, error.strerror or str(error)) from error
    return 0


def _policies(asked: Sequence[str]) -> list[str]:
    for name in asked:
        if name not in POLICIES:
            raise NotPlayable(f"There is no policy `{name}`; there are {', '.join(POLICIES)}.")
    return list(dict.fromkeys(asked)) or list(POLICIES)


def _write(path: Path, text: bytes) -> None:
    try:
        path.write_bytes(text)
    except OSError as error:
        raise ReportUnwritable(path, error.strerror or str(error)) from error


def _show(report: Report) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)
    console.print(Text(f"Who gets the compute: {words.title(report)}", style="bold"))
    for each in words.about(report):
        console.print(Text(each))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in words.HEAD:
        table.add_column(name, justify="left" if name == words.HEAD[0] else "right", no_wrap=name == words.HEAD[0])
    for outcome in report.outcomes:
        table.add_row(*map(Text, words.row(outcome)))
    console.print()
    console.print(table)
    console.print()
    console.print(Text(words.LEGEND, style="dim"))


@contextmanager
def _bar(total: float) -> Iterator[Callable[[str, float, float], None]]:
    """A bar on stderr where that is a terminal, over the simulated time of all policies."""
    console = Console(stderr=True)
    columns = (TextColumn("replaying {task.fields[policy]}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, policy="")
        yield lambda policy, before, now: bar.update(task, completed=before + now, policy=policy)
