"""From the log to the lake: event records as rows.

A row has the columns that `columns` says, less the parts of personal attributes, and then:

* for each personal text its token, such as `t1:0f3a...`, under the attribute's name, and those of its parts by which
  features are keyed, such as `email.base`;
* the parts of personal texts that tell nobody who it is, such as `email.domain`;
* `_personal` (names, with blanks between), `_key` and `_sealed`: the personal values of these names, sealed under the
  key of this number, null where nothing was;
* `_pack`, the pack that decided, and in labels `_label_of`, the event types that they speak of.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from fairgate.domain.errors import LakeAhead, RecordUnreadable
from fairgate.domain.pack import EventType
from fairgate.domain.secret import token_text
from fairgate.features.plan import plan_features
from fairgate.ingest.identifiers import TYPES
from fairgate.language.checked import CheckedPack
from fairgate.pipeline.columns import (
    Rows,
    attribute_columns,
    event_columns,
    feature_columns,
    field_column,
    part_columns,
    parts_read,
)
from fairgate.pipeline.records import EventRecord, PackRecord, decode
from fairgate.pipeline.seals import NOBODY
from fairgate.ports.event_log import EventLog
from fairgate.ports.lake import Covered, Lake

#: Records of one step: enough for Parquet to pay, and few enough for memory.
STEP = 32_768
#: Rows that a query sees before they are in the lake.
TAIL = 200_000
_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Tail:
    """The rows of the records from `start` on, by event type, and how many records after them were left out.

    The lake has everything before `start`; it may have taken in some of these meanwhile.
    """

    start: int
    frames: Mapping[str, pl.DataFrame]
    left_out: int


class Compaction:
    """Brings a lake up to date with a log. One caller at a time.

    `compile_pack` makes a pack from its files. Raises `RecordUnreadable`, `LakeAhead` where the log is shorter than
    the lake, `PackError` for a pack that is none any more, and what log and lake raise.
    """

    def __init__(self, log: EventLog, lake: Lake, compile_pack: Callable[[Mapping[str, str]], CheckedPack]) -> None:
        self._log = log
        self._lake = lake
        self._compile_pack = compile_pack
        self._live: tuple[int, PackRecord, Mapping[str, _FrameMaker]] | None = None

    def step(self, limit: int = STEP) -> int:
        """Take at most so many durable records into the lake, and return how many; 0 where there are none."""
        covered = self._following(self._lake.covered())
        frames, upto = self._frames(covered, limit)
        if upto != covered:
            self._lake.append(frames, upto)
        return upto.sequence - covered.sequence

    def tail(self, refresh: Callable[[], object], limit: int = TAIL) -> Tail:
        """The next rows, at most so many, which stay where they are.

        `refresh` makes the log show what was written to it since. It is called when the lake's end is known, so that
        the log is never the one that is older, whatever another process takes into the lake meanwhile.
        """
        covered = self._lake.covered()
        refresh()
        at = start = self._following(covered)
        end = self._log.end()
        stop = min(end, start.sequence + limit)
        found: dict[str, list[pl.DataFrame]] = {}
        while at.sequence < stop:
            frames, upto = self._frames(at, stop - at.sequence)
            if upto == at:
                break
            at = upto
            for name, frame in frames.items():
                found.setdefault(name, []).append(frame)
        joined = {name: pl.concat(frames, how="diagonal_relaxed") for name, frames in found.items()}
        return Tail(start.sequence, joined, end - at.sequence)

    def _following(self, covered: Covered) -> Covered:
        """Where the log has what follows the lake's end: a new lake begins where the log does."""
        begin, end = self._log.begin(), self._log.end()
        if covered.sequence > end:
            raise LakeAhead(covered.sequence, end)
        return covered if covered.sequence >= begin else Covered(begin, -1)

    def _frames(self, start: Covered, limit: int) -> tuple[Mapping[str, pl.DataFrame], Covered]:
        """Rows of the records from a place on, to the next pack at most, and the place after them."""
        by_type: dict[str, tuple[list[int], list[EventRecord]]] = {}
        stop, pack = start
        for sequence, data in self._log.read(start.sequence, start.sequence + limit):
            record = decode(sequence, data)
            if isinstance(record, EventRecord):
                sequences, records = by_type.setdefault(record.type, ([], []))
                sequences.append(sequence)
                records.append(record)
            elif isinstance(record, PackRecord):
                if by_type and not record.same(self._record(pack)):
                    break
                pack = sequence
            stop = sequence + 1
        if not by_type:
            return {}, Covered(stop, pack)
        makers = self._makers(pack)
        return {name: makers[name].frame(*several) for name, several in by_type.items()}, Covered(stop, pack)

    def _makers(self, pack: int) -> Mapping[str, "_FrameMaker"]:
        live = self._live
        if live is None or live[0] != pack:
            record = self._record(pack)
            again = live is not None and record.same(live[1])
            makers = live[2] if live and again else _frame_makers(record, self._compile_pack(record.files))
            live = self._live = pack, record, makers
        return live[2]

    def _record(self, pack: int) -> PackRecord:
        record = decode(pack, self._log.get(pack)) if pack >= 0 else None
        if not isinstance(record, PackRecord):
            raise RecordUnreadable(pack, "no pack stands before the events after it")
        return record


def retain(lake: Lake, event_type: str, today: date, days: int | None, megabytes: int | None) -> int:
    """Forget a type's rows that are older than some days or, the oldest days first, beyond a size; return how many.

    The last day stays whatever its size.
    """
    by_day: dict[date, int] = {}
    for each in lake.files():
        if each.event_type == event_type:
            by_day[each.day] = by_day.get(each.day, 0) + each.bytes
    oldest = today - timedelta(days=days) if days is not None else date.min
    room = megabytes * _MEGABYTE if megabytes is not None else None
    for day in sorted(by_day, reverse=True):
        if room is None:
            break
        room -= by_day[day]
        if room < 0 and day != max(by_day):
            oldest = max(oldest, day + timedelta(days=1))
            break
    return lake.drop(event_type, oldest)


def _frame_makers(record: PackRecord, checked: CheckedPack) -> Mapping[str, "_FrameMaker"]:
    plan = plan_features(checked, 0)  # names and types of the features, which no salt changes
    return {
        name: _FrameMaker(
            each, record, checked, tuple(zip(plan.types[name].names, plan.types[name].kinds, strict=True))
        )
        for name, each in checked.pack.event_types.items()
    }


class _FrameMaker:
    """Makes rows of the records of one event type under one pack."""

    def __init__(
        self, event_type: EventType, record: PackRecord, checked: CheckedPack, recorded: Sequence[Any]
    ) -> None:
        name = event_type.name
        self._type = event_type
        self._checked = checked
        self._recorded = recorded
        self._public = record.public[name]
        self._personal = " ".join(record.personal[name])
        self._tokens = record.tokens[name]
        self._facts = record.facts[name]
        self._prefix = token_text(record.secret, b"")
        declared = {each.name: each for each in event_type.attributes}
        self._parts = [attr for attr in parts_read(event_type, checked) if not declared[attr.name].personal]
        self._kinds = {each: TYPES[declared[each].type].fields for each in self._facts}

    def frame(self, sequences: Sequence[int], records: Sequence[EventRecord]) -> pl.DataFrame:
        """The rows of some records."""
        rows = self._rows(sequences, records)
        return pl.DataFrame(
            [
                *event_columns(rows),
                *attribute_columns(self._type, rows),
                *part_columns(self._parts, self._checked, rows),
                *self._token_columns(records),
                *self._fact_columns(records),
                *feature_columns(self._recorded, rows),
                *self._sealed_columns(records),
                *self._constant_columns(records),
            ]
        )

    def _rows(self, sequences: Sequence[int], records: Sequence[EventRecord]) -> Rows:
        public = dict(zip(self._public, zip(*[each.public for each in records], strict=True), strict=True))
        return Rows(
            sequences=sequences,
            times=[each.time for each in records],
            received=[each.received for each in records],
            sources=[each.source for each in records],
            ids=[each.id for each in records],
            decisions=[each.decision for each in records],
            values=public.__getitem__,
            packed=b"".join([each.features for each in records]),
            texts=lambda at, _: [each.texts[at] for each in records],
        )

    def _token_columns(self, records: Sequence[EventRecord]) -> Iterator[pl.Series]:
        for name, tokens in zip(self._tokens, zip(*[each.tokens for each in records], strict=True), strict=True):
            yield (self._prefix + pl.Series(name, tokens, pl.Binary).bin.encode("hex")).alias(name)

    def _fact_columns(self, records: Sequence[EventRecord]) -> Iterator[pl.Series]:
        for at, (name, parts) in enumerate(self._facts.items()):
            nothing = (None,) * len(parts)
            columns = zip(*[each.facts[at] or nothing for each in records], strict=True)
            for part, values in zip(parts, columns, strict=True):
                yield field_column(f"{name}.{part}", self._kinds[name][part], values)

    def _sealed_columns(self, records: Sequence[EventRecord]) -> Iterator[pl.Series]:
        if self._personal:
            yield pl.repeat(self._personal, len(records), dtype=pl.String, eager=True).alias("_personal")
            yield pl.Series("_key", [None if each.key == NOBODY else each.key for each in records], pl.Int64)
            yield pl.Series("_sealed", [each.sealed or None for each in records], pl.Binary)

    def _constant_columns(self, records: Sequence[EventRecord]) -> Iterator[pl.Series]:
        yield pl.Series("_pack", [each.decision.pack for each in records], pl.String)
        if self._type.label_of:
            yield pl.Series("_label_of", [self._type.label_of] * len(records), pl.List(pl.String))
