"""The lake as a recording: what one pack decided live, for a backtest that needs no replay."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType

import polars as pl

from fairgate.domain.errors import NotAllInLake
from fairgate.domain.event import microseconds
from fairgate.domain.pack import EventType
from fairgate.language.checked import CheckedPack
from fairgate.pipeline.columns import (
    Rows,
    attribute_columns,
    event_columns,
    feature_columns,
    part_columns,
    parts_read,
)
from fairgate.pipeline.compaction import TAIL, Compaction, Tail
from fairgate.pipeline.lookup import first_since
from fairgate.pipeline.recording import FORMAT, About, Recorded
from fairgate.pipeline.records import EventRecord, decode
from fairgate.ports.event_log import EventLog
from fairgate.ports.lake import Lake, LakeFile

#: The rows of each event type, in one or two frames that follow one another.
_Frames = Mapping[str, Sequence[pl.LazyFrame]]


def lake_as_recording(  # noqa: PLR0913, PLR0917 - log and lake, and what brings one up to the other
    log: EventLog,
    lake: Lake,
    checked: CheckedPack,
    compile_pack: Callable[[Mapping[str, str]], CheckedPack],
    refresh: Callable[[], object],
    since: datetime | None = None,
) -> Recorded:
    """All events that the log has, or those received since a time, as this very pack decided on them.

    What is not in the lake yet comes from the log, which `refresh` makes show what was written to it since it was
    opened. The columns are those of any recording by this pack, so that nothing stands for a personal text; sequences
    are the log's. It can be read as long as the lake is open.

    Raises `NotAllInLake` where retention has removed one of these events, or another pack decided on one, and as
    `Compaction` and `Lake` do.
    """
    tail = Compaction(log, lake, compile_pack).tail(refresh, TAIL)
    first, end = log.begin() if since is None else first_since(log, microseconds(since)), log.end()
    if tail.left_out:  # all of it, or none is of use
        raise NotAllInLake(f"it is {end - tail.start:,} records behind the log")
    rows = _rows(lake, tail, first)
    _check_whole(rows, checked.pack.label, log, first, end)
    blank = {name: _blank(each, checked) for name, each in checked.pack.event_types.items()}
    frames = {name: _frame(name, rows.get(name, ()), columns) for name, columns in blank.items()}
    counts = pl.collect_all([frame.select(pl.len()) for frame in frames.values()])
    about = About(
        format=FORMAT,
        pack=checked.pack.name,
        version=checked.pack.version,
        digest=checked.pack.digest,
        inputs=(),
        events={name: int(count.item()) for name, count in zip(frames, counts, strict=True)},
        features={
            name: {column: aggregate.text for column, aggregate in checked.read[name].items()} for name in frames
        },
    )
    return Recorded(about, MappingProxyType(frames))


def _rows(lake: Lake, tail: Tail, first: int) -> _Frames:
    """The rows from a number on: the lake's, and behind them the tail's."""
    asked = pl.col("_sequence") >= first
    files: dict[str, list[LakeFile]] = {}
    for each in lake.files():
        if each.first < tail.start:
            files.setdefault(each.event_type, []).append(each)
    found = {name: [_in_order(lake.scan(name, tail.start), several).filter(asked)] for name, several in files.items()}
    for name, frame in tail.frames.items():
        found.setdefault(name, []).append(frame.lazy().filter(asked))
    return found


def _in_order(rows: pl.LazyFrame, files: Iterable[LakeFile]) -> pl.LazyFrame:
    """Rows as the log has them: only where a clock was put back over midnight, the files' order is another."""
    ordered = all(before.last < after.first for before, after in pairwise(files))
    return rows if ordered else rows.sort("_sequence")


def _check_whole(rows: _Frames, label: str, log: EventLog, first: int, end: int) -> None:
    """Raise `NotAllInLake` unless the rows are all events from one number to another, each decided by one pack."""
    none = pl.LazyFrame(schema={"_sequence": pl.Int64(), "_pack": pl.String()})
    every = pl.concat([none, *(each.select("_sequence", "_pack") for several in rows.values() for each in several)])
    others = every.select(pl.col("_pack").unique().sort()).filter(pl.col("_pack") != label).collect()["_pack"]
    if len(others):
        raise NotAllInLake(f"the old pack is {label}, and {', '.join(others)} decided on some events")
    sequences = every.select("_sequence").collect()["_sequence"].sort()
    edges = pl.concat([pl.Series([first - 1], dtype=pl.Int64), sequences, pl.Series([end], dtype=pl.Int64)])
    for at in (edges.diff() > 1).arg_true():  # what stands there must be no events
        for number, data in log.read(edges[at - 1] + 1, edges[at]):
            record = decode(number, data)
            if isinstance(record, EventRecord):
                raise NotAllInLake(f"retention has removed events of type {record.type}")


def _frame(event_type: str, rows: Sequence[pl.LazyFrame], blank: pl.DataFrame) -> pl.LazyFrame:
    """The rows of a type in a recording's columns. Raises `NotAllInLake` where they are not to be had as such."""
    frames = []
    for each in rows:
        kinds = each.collect_schema()
        strange = [name for name, kind in blank.schema.items() if kinds.get(name) != kind]
        if not strange:
            frames.append(each.select(blank.columns))
        elif each.select(pl.len()).collect().item():
            raise NotAllInLake(f"{', '.join(strange)} of {event_type} had another type once")
    return pl.concat(frames or [blank.lazy()])


def _blank(event_type: EventType, checked: CheckedPack) -> pl.DataFrame:
    """No rows, in the columns that a recording by this pack has for a type."""
    nothing = Rows((), (), (), (), (), (), lambda _: (), b"", lambda _, __: ())
    features = [(name, aggregate.kind) for name, aggregate in checked.read[event_type.name].items()]
    return pl.DataFrame(
        [
            *event_columns(nothing),
            *attribute_columns(event_type, nothing),
            *part_columns(parts_read(event_type, checked), checked, nothing),
            *feature_columns(features, nothing),
        ]
    )
