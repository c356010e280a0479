"""Recorded features: what each event was decided on, and what came of it, as Parquet files by event type.

A recording is a folder: `recording.json` says what it is, `events/<event type>/part-*.parquet` hold a row for each
event, with the columns that `columns` says. `_sequence` counts from 0 over all types.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import msgspec
import polars as pl

from fairgate.domain.errors import RecordingUnusable
from fairgate.domain.pack import EventType
from fairgate.pipeline.columns import Rows, attribute_columns, event_columns, feature_columns, part_columns, parts_read
from fairgate.pipeline.engine import Engine, Judged

FORMAT = 1
#: Rows of one file: enough for Parquet to pay, and few enough for memory.
PART = 131_072

_ABOUT = "recording.json"


class About(msgspec.Struct, frozen=True):
    """What a recording is of: a pack, its input files, how many events of each type.

    `features` has, for each event type, the canonical text of the aggregate that stands in each of its columns.
    """

    format: int
    pack: str
    version: str
    digest: str
    inputs: tuple[str, ...]
    events: dict[str, int]
    features: dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A finished recording: what it is of, and a frame for each event type of its pack, in order of `_sequence`."""

    about: About
    frames: Mapping[str, pl.LazyFrame]


class Recording:
    """Writes a recording while events are decided on. It is one only after `finish`.

    About `PART` rows of each type are held in memory. Raises `RecordingUnusable` where the folder holds anything.
    """

    def __init__(self, folder: Path, engine: Engine) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise RecordingUnusable(folder, "it is not empty", "Name a new folder, or empty this one.")
        except OSError as error:
            raise RecordingUnusable(folder, error.strerror or str(error), "Name a folder that can be made.") from error
        self._folder = folder
        self._checked = engine.checked
        self._types = {
            name: _TypeFiles(_events_folder(folder, name), each, engine)
            for name, each in engine.checked.pack.event_types.items()
        }

    def write(self, judged: Sequence[Judged], first: int) -> None:
        """Record events; the first has the number `first` among all, the others those that follow."""
        by_type: dict[str, tuple[list[int], list[Judged]]] = {}
        for number, each in enumerate(judged, first):
            numbers, several = by_type.setdefault(each.event.type, ([], []))
            numbers.append(number)
            several.append(each)
        for name, (numbers, several) in by_type.items():
            self._types[name].add(numbers, several)

    def finish(self, inputs: Iterable[Path]) -> None:
        """Write what is left, and what the recording is of."""
        pack = self._checked.pack
        made = About(
            format=FORMAT,
            pack=pack.name,
            version=pack.version,
            digest=pack.digest,
            inputs=tuple(str(path) for path in inputs),
            events={name: files.finish() for name, files in self._types.items()},
            features={
                name: {column: aggregate.text for column, aggregate in self._checked.read[name].items()}
                for name in self._types
            },
        )
        (self._folder / _ABOUT).write_bytes(msgspec.json.format(msgspec.json.encode(made)) + b"\n")


def open_recording(folder: Path) -> Recorded:
    """The recording in a folder; raises `RecordingUnusable` where there is none that is finished and of this format."""
    path = folder / _ABOUT
    try:
        about = msgspec.json.decode(path.read_bytes(), type=About)
    except OSError as error:
        what = f"{_ABOUT} in it can't be read: {error.strerror}"
        raise RecordingUnusable(folder, what, "Make one with `fairgate replay --out`, and let it finish.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordingUnusable(folder, f"{_ABOUT} in it is broken: {error}", "Replay again.") from error
    if about.format != FORMAT:
        what = f"it is of format {about.format}, and this Fairgate reads {FORMAT}"
        raise RecordingUnusable(folder, what, "Replay again with this version.")
    return Recorded(about, MappingProxyType({name: _frame(folder, name) for name in about.events}))


def _frame(folder: Path, event_type: str) -> pl.LazyFrame:
    parts = sorted(_events_folder(folder, event_type).glob("part-*.parquet"))
    if not parts:
        raise RecordingUnusable(folder, f"the events of type {event_type} are gone", "Replay again.")
    return pl.scan_parquet(parts, glob=False)


def _events_folder(folder: Path, event_type: str) -> Path:
    return folder / "events" / event_type  # a checked name: it has no separator and does not begin with a dot


class _TypeFiles:
    """The files of one event type."""

    def __init__(self, folder: Path, event_type: EventType, engine: Engine) -> None:
        self._folder = folder
        self._type = event_type
        self._checked = engine.checked
        self._parts_read = parts_read(event_type, engine.checked)
        self._recorded = engine.recorded(event_type.name)
        self._text = engine.texts.text
        self._frames: list[pl.DataFrame] = []
        self._waiting = self._written = self._parts = 0

    def add(self, numbers: Sequence[int], judged: Sequence[Judged]) -> None:
        rows = self._rows(numbers, judged)
        self._frames.append(
            pl.DataFrame(
                [
                    *event_columns(rows),
                    *attribute_columns(self._type, rows),
                    *part_columns(self._parts_read, self._checked, rows),
                    *feature_columns(self._recorded, rows),
                ]
            )
        )
        self._waiting += len(judged)
        if self._waiting >= PART:
            self._write()

    def finish(self) -> int:
        """Write what is waiting, if only to have a file with the columns in it; returns how many events there were."""
        if self._waiting or not self._parts:
            if not self._frames:
                self.add([], [])
            self._write()
        return self._written

    def _rows(self, numbers: Sequence[int], judged: Sequence[Judged]) -> Rows:
        events = [each.event for each in judged]
        return Rows(
            sequences=numbers,
            times=[each.time for each in events],
            received=[each.received for each in events],
            sources=[each.source for each in events],
            ids=[each.id for each in events],
            decisions=[each.decision for each in judged],
            values=lambda name: [getattr(each.data, name) for each in events],
            packed=b"".join([each.packed for each in judged]),
            texts=lambda _, stand_ins: [self._text(number) for number in stand_ins],
        )

    def _write(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        pl.concat(self._frames).write_parquet(self._folder / f"part-{self._parts:05}.parquet", compression="zstd")
        self._parts += 1
        self._written += self._waiting
        self._frames, self._waiting = [], 0
