"""`fairgate replay`: files of events through the whole path, with a summary, and recorded features where asked for."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from fairgate.backends.embedded.segments import open_log
from fairgate.domain.errors import InputUnreadable
from fairgate.domain.event import moment
from fairgate.domain.pack import Pack
from fairgate.entrypoints.log_command import log_folder
from fairgate.ingest.decode import Taken
from fairgate.ingest.sources import files_in, read_events
from fairgate.language.checked import CheckedPack
from fairgate.pipeline.history import logged_events
from fairgate.pipeline.recording import Recording
from fairgate.pipeline.replay import Replay, ReplayReport
from fairgate.secret_file import secrets_of
from fairgate.wiring import load_checked, open_seals

#: The key of a replay's hashes and canary draws: fixed, so that the same files and pack give the same summary anywhere.
REPLAY_SECRET = 0x_FA1B_6A7E


class Summary(msgspec.Struct, frozen=True):
    """What `--json` prints: the pack, the report (see `ReplayReport`, but times in RFC 3339), and how long it took."""

    pack: str
    version: str
    digest: str
    inputs: tuple[str, ...]
    events: int
    repeats: int
    refused: Mapping[str, int]
    examples: tuple[str, ...]
    types: Mapping[str, int]
    rule_hits: Mapping[str, int]
    asked: Mapping[str, int]
    actions: Mapping[str, int]
    degraded: int
    out_of_order: int
    first: str | None
    last: str | None
    seconds: float
    events_per_second: float


def run(
    pack: Path, inputs: Sequence[Path], *, as_json: bool = False, out: Path | None = None, limit: int | None = None
) -> int:
    """Replay files and print what came of it; 1 where there were rows but no event among them, else 0.

    Raises `PackError`, `InputUnreadable` or `RecordingUnusable`; what was recorded until then is no recording.
    """
    checked = load_checked(str(pack))
    inputs = files_of(inputs, checked)
    replay = Replay(checked, secret_for(inputs))
    recording = Recording(out, replay.engine) if out is not None else None
    started = perf_counter()
    with ExitStack() as stack:
        told = stack.enter_context(progress(inputs, replay))
        report = replay.run(stack.enter_context(batches(inputs, replay, told)), recording=recording, limit=limit)
    if recording is not None:
        recording.finish(inputs)
    summary = _summary(checked.pack, inputs, report, perf_counter() - started)
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(summary)).decode() + "\n")
    else:
        _show(summary, Console())
    return 1 if summary.refused and not summary.events else 0


def files_of(inputs: Sequence[Path], checked: CheckedPack) -> list[Path]:
    """The inputs, with the files of events in a folder, by name, in the place of one that is no event log.

    Raises `InputUnreadable` for a folder that is neither.
    """
    found: list[Path] = []
    for path in inputs:
        if not path.is_dir() or any(log_folder(path).glob("*.log")):
            found.append(path)
            continue
        files = files_in(path, checked)
        if not files:
            remedy = "Name files of events, a folder of them, or a service's data folder."
            raise InputUnreadable(path, "there are neither events for this pack in it nor an event log", remedy)
        found += files
    return found


@contextmanager
def batches(inputs: Sequence[Path], replay: Replay, told: Callable[[int], None]) -> Iterator[Iterable[Sequence[Taken]]]:
    """The events of files, or of the one event log that is named instead of them."""
    if not inputs[0].is_dir():
        yield read_events(inputs, replay.engine.checked, replay.decoder, told)
        return
    if len(inputs) > 1:
        raise InputUnreadable(inputs[1], "an event log is replayed by itself", "Replay one input at a time.")
    folder = log_folder(inputs[0])
    with open_log(folder, read_only=True) as log, open_seals(folder.parent) as seals:
        yield logged_events(log, replay.engine, replay.decoder.wires, seals.open)


def secret_for(inputs: Sequence[Path]) -> int:
    """What a replay of these is keyed with: a log's own secret, or a fixed one for files.

    Raises `BadSettings` where a log's secret isn't there.
    """
    if not inputs or not inputs[0].is_dir():
        return REPLAY_SECRET
    return secrets_of(log_folder(inputs[0]).parent, make=False).current


def _summary(pack: Pack, inputs: Sequence[Path], report: ReplayReport, seconds: float) -> Summary:
    return Summary(
        pack=pack.name,
        version=pack.version,
        digest=pack.digest,
        inputs=tuple(str(path) for path in inputs),
        events=report.events,
        repeats=report.repeats,
        refused=report.refused,
        examples=tuple(each.reason for each in report.examples),
        types=report.types,
        rule_hits=report.rule_hits,
        asked=report.asked,
        actions=report.actions,
        degraded=report.degraded,
        out_of_order=report.out_of_order,
        first=_written(report.first),
        last=_written(report.last),
        seconds=round(seconds, 3),
        events_per_second=round(report.events / seconds, 1),
    )


def _written(time: int | None) -> str | None:
    return moment(time).isoformat() if time is not None else None


@contextmanager
def progress(inputs: Sequence[Path], replay: Replay) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where that is a terminal; what it gives is to be told the bytes read so far."""
    total = sum(path.stat().st_size for path in inputs if path.is_file())
    words = TextColumn("{task.fields[events]:,} events")
    console = Console(stderr=True)
    columns = (BarColumn(), TaskProgressColumn(), words, TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("replay", total=total, events=0)
        yield lambda read: bar.update(task, completed=read, events=replay.events)


def _show(summary: Summary, console: Console) -> None:
    span = f", from {summary.first} to {summary.last}" if summary.first else ""
    title = f"{summary.pack} {summary.version} ({summary.digest}): {summary.events:,} events{span}"
    console.print(Text(title), soft_wrap=True)
    console.print(f"{summary.seconds:,.1f} s, {summary.events_per_second:,.0f} events/s", highlight=False)
    _counts(console, "Events", summary.types, summary.events)
    _counts(console, "Actions", {word: count for word, count in summary.actions.items() if count}, summary.events)
    _counts(console, "Asked for by rules", summary.asked, summary.events)
    _counts(console, "Rules that fired", summary.rule_hits, summary.events)
    notes = {
        "repeats skipped": summary.repeats,
        "out of order (sort the files by time)": summary.out_of_order,
        "decided with something left out": summary.degraded,
        **{f"refused: {code}": count for code, count in summary.refused.items()},
    }
    _counts(console, "Not as it should be", {words: count for words, count in notes.items() if count}, summary.events)
    for reason in summary.examples:
        console.print(Text(f"  {reason}"), soft_wrap=True)


def _counts(console: Console, title: str, counts: Mapping[str, int], events: int) -> None:
    """A small table, the largest first."""
    if not counts:
        return
    table = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(Text(name), f"{count:,}", f"{count / events:.2%}" if events else "")
    console.print()
    console.print(table)
