"""Columns of foreign files as values of the pack's types: null where a cell is empty or can't be one."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TypeAlias

import polars as pl

from fairgate.domain.event import microseconds
from fairgate.ingest.wire import TIME_YEARS

#: The reading of an event's own time, in microseconds.
TIMES = "microseconds"
#: A column, or None where columns of its type can't be read so at all. The unit ("s", "ms", "us") is that of times
#: given as numbers.
Reading: TypeAlias = Callable[[pl.Series, str | None], pl.Series | None]

#: No event is before 1970, no time an attribute holds before 1900, and none after 2500: somebody has mistaken the unit.
START_OF_TIME = microseconds(datetime(TIME_YEARS[0], 1, 1, tzinfo=UTC))
END_OF_TIME = microseconds(datetime(TIME_YEARS[1], 12, 31, tzinfo=UTC))
_UNITS: Mapping[str, int] = MappingProxyType({"s": 1_000_000, "ms": 1_000, "us": 1})
_TRUTHS = MappingProxyType({"true": True, "True": True, "1": True, "false": False, "False": False, "0": False})
#: Whole numbers up to here are exact as floats.
_EXACT = 2.0**53


def reading_of(kind: str) -> Reading:
    """How a column is read as values of an attribute's type: `TIMES`, or one that a pack may name.

    Whole numbers become texts without a fraction, and texts numbers where they are decimal. A time is a date, a
    datetime (UTC where it says nothing else), a text in ISO 8601, or, given a unit, a number since 1970. 1 and 0 are
    bools too.
    """
    return _READINGS.get(kind, _texts)


def _texts(column: pl.Series, _unit: str | None) -> pl.Series | None:
    if column.dtype == pl.String:
        return column
    if column.dtype == pl.Boolean:
        return column.replace_strict({True: "true", False: "false"}, return_dtype=pl.String)
    if column.dtype.is_float():
        whole = column.is_finite() & (column == column.floor()) & (column.abs() <= _EXACT)
        exact = column.cast(pl.Int64, strict=False).cast(pl.String)
        texts = exact.zip_with(whole.fill_null(value=False), column.cast(pl.String))
        return texts.set(~column.is_finite(), None)
    return None if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object) else column.cast(pl.String)


def _numbers(column: pl.Series, _unit: str | None) -> pl.Series | None:
    suited = column.dtype.is_numeric() or column.dtype in (pl.String, pl.Null)
    return column.cast(pl.Float64, strict=False) if suited else None


def _integers(column: pl.Series, _unit: str | None) -> pl.Series | None:
    if column.dtype.is_float() or column.dtype.is_decimal():
        whole = column.cast(pl.Int64, strict=False)
        return whole.set(whole.cast(column.dtype, strict=False) != column, None)
    suited = column.dtype.is_integer() or column.dtype in (pl.String, pl.Null)
    return column.cast(pl.Int64, strict=False) if suited else None


def _bools(column: pl.Series, _unit: str | None) -> pl.Series | None:
    if column.dtype == pl.Boolean:
        return column
    if not (column.dtype.is_integer() or column.dtype in (pl.String, pl.Null)):
        return None
    return column.cast(pl.String).replace_strict(_TRUTHS, default=None, return_dtype=pl.Boolean)


def _microseconds(column: pl.Series, unit: str | None) -> pl.Series | None:
    found = _any_microseconds(column, unit)
    return found.set((found < 0) | (found > END_OF_TIME), None) if found is not None else None


def _any_microseconds(column: pl.Series, unit: str | None) -> pl.Series | None:
    if column.dtype in (pl.Date, pl.Datetime, pl.Null):
        return column.cast(pl.Datetime("us")).cast(pl.Int64)
    if column.dtype == pl.String and unit is None:
        return pl.Series(column.name, [_iso(text) for text in column], pl.Int64)
    if unit is None or not (column.dtype.is_numeric() or column.dtype == pl.String):
        return None
    scale = _UNITS[unit]
    scaled = (column.cast(pl.Float64, strict=False) * scale).round().cast(pl.Int64, strict=False)
    if column.dtype.is_float():
        return scaled
    whole = column.cast(pl.Int64, strict=False)
    # A whole number is exact however large; one that overflows is out of range as a float too.
    exact = whole.set(whole.abs() > END_OF_TIME // scale, None) * scale
    return exact.zip_with(exact.is_not_null(), scaled)


def _iso(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return microseconds(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


def _times(column: pl.Series, unit: str | None) -> pl.Series | None:
    found = _any_microseconds(column, unit)
    if found is None:
        return None
    return found.set((found < START_OF_TIME) | (found > END_OF_TIME), None).cast(pl.Datetime("us", "UTC"))


_READINGS: Mapping[str, Reading] = MappingProxyType(
    {
        "number": _numbers,
        "integer": _integers,
        "bool": _bools,
        "time": _times,
        TIMES: _microseconds,
    }
)
