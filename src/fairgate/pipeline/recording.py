"""Recorded features: what each event was decided on, and what came of it, as Parquet files by event type.

A recording is a folder: `recording.json` says what it is, `events/<event type>/part-*.parquet` hold a row for each
event. The columns are, in this order:

* `_sequence` (the order over all types, from 0), `_time`, `_received`, `_source`, `_id`;
* `_action`, `_log_odds`, `_probability`, `_segment`, `_rules` (all that fired), `_silent` (those that changed nothing),
  `_propensity`;
* the attributes that are not personal, as sent;
* the parts that the pack's rules, their words and its segments read, such as `email.domain`, a canonical form as
  `ip.value`; of a personal attribute, only those that don't tell who it is;
* the recorded features, under their names.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from fairgate.domain.action import Action
from fairgate.domain.errors import RecordingUnusable
from fairgate.domain.event import microseconds
from fairgate.domain.pack import EventType
from fairgate.language.checked import CheckedPack
from fairgate.language.tree import PLAIN_TYPES, Attr, Kind, Node, walk
from fairgate.pipeline.engine import Engine, Judged

FORMAT = 1
#: Rows of one file: enough for Parquet to pay, and few enough for memory.
PART = 131_072

_ABOUT = "recording.json"
_MOMENT = pl.Datetime("us", "UTC")
_DTYPES: Mapping[Kind, Any] = MappingProxyType(
    {Kind.NUMBER: pl.Float64(), Kind.TEXT: pl.String(), Kind.BOOL: pl.Boolean(), Kind.TIME: _MOMENT}
)
_WORDS = tuple(action.word for action in Action)

#: Some events of one type to a column.
_Column: TypeAlias = Callable[[Sequence[Judged]], pl.Series]


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
            name: _TypeFiles(_events_folder(folder, name), _columns(each, engine.checked), _Features(name, engine))
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
        about = About(
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
        (self._folder / _ABOUT).write_bytes(msgspec.json.format(msgspec.json.encode(about)) + b"\n")


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

    def __init__(self, folder: Path, columns: Sequence[_Column], features: "_Features") -> None:
        self._folder = folder
        self._columns = columns
        self._features = features
        self._frames: list[pl.DataFrame] = []
        self._waiting = self._written = self._parts = 0

    def add(self, numbers: Sequence[int], judged: Sequence[Judged]) -> None:
        sequence = pl.Series("_sequence", numbers, pl.Int64)
        attributes = [column(judged) for column in self._columns]
        self._frames.append(pl.DataFrame([sequence, *attributes, *self._features.columns(judged)]))
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

    def _write(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        pl.concat(self._frames).write_parquet(self._folder / f"part-{self._parts:05}.parquet", compression="zstd")
        self._parts += 1
        self._written += self._waiting
        self._frames, self._waiting = [], 0


# ------------------------------------------------------------------------------------------------------------- columns


def _columns(event_type: EventType, checked: CheckedPack) -> list[_Column]:
    columns: list[_Column] = [
        partial(_moments, "_time", attrgetter("event.time")),
        partial(_moments, "_received", attrgetter("event.received")),
        partial(_values, "_source", attrgetter("event.source"), pl.String()),
        partial(_values, "_id", attrgetter("event.id"), pl.String()),
        partial(_values, "_action", lambda judged: _WORDS[judged.decision.action], pl.String()),
        partial(_values, "_log_odds", attrgetter("decision.log_odds"), pl.Float64()),
        partial(_values, "_probability", attrgetter("decision.probability"), pl.Float64()),
        partial(_values, "_segment", attrgetter("decision.segment"), pl.String()),
        partial(_names, "_rules", attrgetter("decision.rules")),
        partial(_names, "_silent", attrgetter("decision.silent")),
        partial(_values, "_propensity", attrgetter("decision.propensity"), pl.Float64()),
    ]
    columns += [_attribute(each.name, each.type) for each in event_type.attributes if not each.personal]
    return columns + [_part(attr, checked) for attr in _parts_read(event_type, checked)]


def _values(name: str, get: Callable[[Judged], object], dtype: pl.DataType, judged: Sequence[Judged]) -> pl.Series:
    return pl.Series(name, list(map(get, judged)), dtype)


def _moments(name: str, get: Callable[[Judged], int | None], judged: Sequence[Judged]) -> pl.Series:
    return _values(name, get, pl.Int64(), judged).cast(_MOMENT)


def _names(name: str, get: Callable[[Judged], Sequence[str]], judged: Sequence[Judged]) -> pl.Series:
    """Rules' names as lists. Most are empty, and no name has a space, so joined texts are the quickest way there."""
    joined = pl.Series(name, [" ".join(get(each)) or None for each in judged], pl.String)
    return joined.str.split(" ").fill_null([])


def _attribute(name: str, kind: str) -> _Column:
    get = attrgetter(f"event.data.{name}")
    if kind == "time":
        return partial(_moments, name, lambda judged: microseconds(time) if (time := get(judged)) is not None else None)
    dtype = pl.Int64() if kind == "integer" else _DTYPES[PLAIN_TYPES.get(kind, Kind.TEXT)]
    return partial(_values, name, get, dtype)


def _parts_read(event_type: EventType, checked: CheckedPack) -> list[Attr]:
    """The parts of this type's attributes that rules, their words and segments read, and that may be kept."""
    rules = checked.rules_on(event_type.name)
    nodes: list[Node] = [node for rule in rules for node in (rule.when, *(rule.why.values if rule.why else ()))]
    nodes += [each.when for each in checked.segments if each.when is not None]
    read = dict.fromkeys(each for node in nodes for each in walk(node) if isinstance(each, Attr))
    return [attr for attr in read if _may_keep(attr, event_type, checked)]


def _may_keep(attr: Attr, event_type: EventType, checked: CheckedPack) -> bool:
    declared = event_type.attribute(attr.name)
    if declared is None or attr.semantic is None or attr.semantic != declared.type or attr.part == "raw":
        return False
    return not declared.personal or (attr.part or "value") not in checked.semantics[attr.semantic].revealing


def _part(attr: Attr, checked: CheckedPack) -> _Column:
    part = attr.part or "value"
    get, parse = attrgetter(f"event.data.{attr.name}"), checked.semantics[attr.semantic or ""].parse
    return partial(
        _values,
        f"{attr.name}.{part}",
        lambda judged: getattr(parse(text), part) if (text := get(judged)) is not None else None,
        _DTYPES[attr.kind],
    )


class _Features:
    """The recorded features of one event type."""

    def __init__(self, event_type: str, engine: Engine) -> None:
        self._recorded = engine.recorded(event_type)
        self._text = engine.texts.text

    def columns(self, judged: Sequence[Judged]) -> list[pl.Series]:
        packed = b"".join([each.packed for each in judged])
        numbers = np.frombuffer(packed, np.float64).reshape(len(judged), len(self._recorded))
        return [self._column(name, kind, numbers[:, at]) for at, (name, kind) in enumerate(self._recorded)]

    def _column(self, name: str, kind: Kind, numbers: NDArray[np.float64]) -> pl.Series:
        if kind == Kind.TEXT:
            return pl.Series(name, [self._text(number) for number in numbers.tolist()], pl.String)
        values = pl.Series(name, np.ascontiguousarray(numbers), nan_to_null=True)
        if kind == Kind.NUMBER:
            return values
        return values.cast(pl.Boolean if kind == Kind.BOOL else pl.Int64).cast(_DTYPES[kind])
