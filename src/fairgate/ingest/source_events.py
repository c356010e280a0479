"""Rows of a foreign file made into events of one kind, as one [[source.event]] of a pack says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from fairgate.domain.errors import InputUnreadable
from fairgate.domain.event import Event, Refusal
from fairgate.domain.pack import SourceEvent
from fairgate.ingest.decode import Decoder, Taken
from fairgate.ingest.source_rows import LINE, located
from fairgate.ingest.source_values import TIMES, reading_of

#: The column with each row's time, in microseconds.
TIME = "\0time"
_EXPECTED: Mapping[str, str] = MappingProxyType(
    {"number": "a number", "integer": "a whole number", "bool": "true or false", "time": "a time", TIMES: "a time"}
)


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of the event: the column it is read from, None for none, and the type it is read as."""

    name: str
    column: str | None
    kind: str
    required: bool


class EventMaker:
    """Makes the events of one kind. `paths` are the columns of the file that it needs."""

    def __init__(self, spec: SourceEvent, source: str, unit: str | None, decoder: Decoder) -> None:
        wire = decoder.wires[spec.type]
        declared = {each.name: each for each in wire.event_type.attributes}
        self.paths = (spec.id, spec.time, *spec.when, *spec.attributes.values())
        self._spec = spec
        self._source = source
        self._unit = unit
        self._decoder = decoder
        self._data = wire.data
        self._id = _Field("id", spec.id, "text", required=True)
        self._time = _Field("time", spec.time, TIMES, required=True)
        self._fields = [
            _Field(f"data.{name}", spec.attributes.get(name), declared[name].type, declared[name].required)
            for name in wire.data.__struct_fields__
        ]
        self._when = {name: _as_cell(value) for name, value in spec.when.items()}

    def times(self, path: Path, rows: pl.DataFrame) -> pl.Series:
        """The rows' own times in microseconds, null where there is none; `delay` is not in them."""
        return self._read(path, rows, self._spec.time, TIMES).alias(TIME)

    def wanted(self, path: Path, rows: pl.DataFrame) -> pl.Series:
        """Whether each row is such an event."""
        wanted = pl.repeat(value=True, n=rows.height, eager=True)
        for name, text in self._when.items():
            wanted &= self._read(path, rows, name, "text") == text
        return wanted.fill_null(value=False)

    def untimed(self, path: Path, rows: pl.DataFrame) -> list[Taken]:
        """Refusals of rows that have no `TIME`."""
        faults: dict[int, Refusal] = {}
        _note(faults, self._time, rows[self._spec.time], rows[TIME])
        return [located(fault, path, rows[LINE][at]) for at, fault in sorted(faults.items())]

    def make(self, path: Path, rows: pl.DataFrame) -> list[Taken]:
        """An event or a refusal for each row; the rows have a `TIME`."""
        faults: dict[int, Refusal] = {}
        ids: Iterable[str] = self._values(path, rows, self._id, faults)
        if self._spec.id_prefix:
            ids = (f"{self._spec.id_prefix}{each}" for each in ids)
        times = (rows[TIME] + self._spec.delay).to_list()
        columns = [self._values(path, rows, each, faults) for each in self._fields]
        data = map(self._data, *columns) if columns else (self._data() for _ in times)
        events = map(Event, repeat(self._source), ids, repeat(self._spec.type), times, times, data)
        taken = [faults.get(at) or self._decoder.admit(event) for at, event in enumerate(events)]
        for at, each in enumerate(taken):
            if isinstance(each, Refusal):
                taken[at] = located(each, path, rows[LINE][at])
        return taken

    def _values(self, path: Path, rows: pl.DataFrame, field: _Field, faults: dict[int, Refusal]) -> Iterable[Any]:
        """The values of a field, with a fault noted wherever there is none but should be."""
        if field.column is None:
            return repeat(None)
        values = self._read(path, rows, field.column, field.kind)
        if values.null_count():
            _note(faults, field, rows[field.column], values)
        return values.to_list()

    def _read(self, path: Path, rows: pl.DataFrame, column: str, kind: str) -> pl.Series:
        values = reading_of(kind)(rows[column], self._unit)
        if values is None:
            dtype = rows[column].dtype
            what = f"its column `{column}` is of type {dtype}, not {_EXPECTED.get(kind, 'a text')}"
            no_unit = kind in ("time", TIMES) and dtype.is_numeric()
            remedy = 'Say time_format = "s", "ms" or "us"' if no_unit else "Map another column"
            raise InputUnreadable(path, what, f"{remedy} in the pack's [source].")
        return values


def _note(faults: dict[int, Refusal], field: _Field, cells: pl.Series, values: pl.Series) -> None:
    """Note a refusal for each row where a value is missing but required, or could not be read; the first one stays."""
    empty = cells.is_null()
    if field.required:
        for at in empty.arg_true():
            reason = f"{field.name} is required, and `{cells.name}` is empty"
            faults.setdefault(at, Refusal("missing", field.name, reason))
    for at in (values.is_null() & ~empty).arg_true():
        reason = f"`{cells.name}` is not {_EXPECTED.get(field.kind, 'a text')}"
        faults.setdefault(at, Refusal("mistyped", field.name, reason))


def _as_cell(value: str | float) -> str:
    """A constant of a `when` as the text that a cell with that value has; True and False are constants too."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
