"""A query's rows as bytes: JSON, CSV or Parquet."""

import io
from collections.abc import Sequence

import msgspec
import polars as pl

from fairgate.entrypoints.desk.tasks import Format

_LONG = 1 << 63


class _Column(msgspec.Struct, frozen=True):
    name: str
    type: str


class _Rows(msgspec.Struct, frozen=True):
    """What `SqlAnswer` shows."""

    columns: tuple[_Column, ...]
    rows: list[tuple[object, ...]]
    truncated: bool
    left_out: int
    seconds: float


def json_rows(frame: pl.DataFrame, types: Sequence[str], *, truncated: bool, left_out: int, seconds: float) -> bytes:
    """The answer of `/v1/sql`.

    Times are in RFC 3339, decimals and whole numbers beyond 64 bits texts, bytes base64, and what JSON has no number
    for (infinity, not a number) null.
    """
    columns = tuple(_Column(name, kind) for name, kind in zip(frame.columns, types, strict=True))
    plain = frame.with_columns(_exact(series) for series in frame if series.dtype in {pl.Int128, pl.UInt128})
    return _encoded(_Rows(columns, plain.rows(), truncated, left_out, round(seconds, 6)))


def file_rows(frame: pl.DataFrame, form: Format) -> bytes:
    """The rows as a file: CSV with a header, lists in it as JSON; Parquet; or an array of objects."""
    buffer = io.BytesIO()
    match form:
        case "parquet":
            frame.write_parquet(buffer, compression="zstd")
        case "csv":
            frame.with_columns(_flat(series) for series in frame if series.dtype.is_nested()).write_csv(buffer)
        case "json":
            return _encoded([dict(zip(frame.columns, row, strict=True)) for row in frame.rows()])
    return buffer.getvalue()


def _exact(series: pl.Series) -> pl.Series:
    """Long whole numbers as ordinary ones where all of them are, else as texts."""
    if all(value is None or -_LONG <= value < _LONG for value in (series.min(), series.max())):  # type: ignore[operator]
        return series.cast(pl.Int64)
    return series.cast(pl.String)


def _flat(series: pl.Series) -> pl.Series:
    texts = [None if value is None else _encoded(value).decode() for value in series.to_list()]
    return pl.Series(series.name, texts, pl.String)


def _encoded(value: object) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)
