"""Rows of foreign files (NDJSON, CSV, Parquet) as frames: one column for each path that a pack maps."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import polars as pl

from fairgate.domain.errors import InputUnreadable
from fairgate.domain.event import Refusal
from fairgate.ingest.lines import BadRow, Lines, open_lines

#: Rows of one slice.
SLICE = 16_384
#: The column with each row's number in its file, from 1: its first line, or its position in a Parquet file.
LINE = "\0line"
_DAMAGED = "Write or copy the file again."
SUFFIXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"ndjson": (".ndjson", ".jsonl"), "csv": (".csv",), "parquet": (".parquet",)}
)


@dataclass(frozen=True, slots=True)
class Slice:
    """Some rows of a file, in its order: `LINE` and a column for each path, of text but for Parquet, null where empty.

    `refused` are rows that could not be read; `read` the bytes of the file read so far (of Parquet, in proportion).
    """

    path: Path
    frame: pl.DataFrame
    refused: list[Refusal]
    read: int


def read_rows(path: Path, kind: str, wanted: Sequence[str]) -> Iterator[Slice]:
    """The rows of a file of a kind ("ndjson", "csv", "parquet").

    A path is a column's name, or names joined by dots that lead into nested values. Raises `InputUnreadable` where the
    file as a whole can't be read: it is missing or damaged, or a column is.
    """
    if path.suffix.lower() not in SUFFIXES[kind]:
        what = f"its name does not end in {' or '.join(SUFFIXES[kind])}"
        raise InputUnreadable(path, what, f"The pack's [source] is for {kind} files.")
    readers: Mapping[str, Callable[[Path, Sequence[str]], Iterator[Slice]]] = {
        "ndjson": _ndjson,
        "csv": _csv,
        "parquet": _parquet,
    }
    return readers[kind](path, wanted)


def located(refusal: Refusal, path: Path, line: int) -> Refusal:
    """The refusal with the place in its file."""
    return Refusal(refusal.code, refusal.field, f"{path}:{line}: {refusal.reason}", refusal.id)


def _ndjson(path: Path, wanted: Sequence[str]) -> Iterator[Slice]:
    ways = [each.split(".") for each in wanted]
    with open_lines(path) as lines:
        yield from _sliced(path, lines, map(partial(_cells, ways), lines), wanted)


def _cells(ways: Sequence[Sequence[str]], line: bytes) -> list[str | None]:
    """The texts of an object's values; none for an empty line."""
    if not line or line.isspace():
        return []
    try:
        row = msgspec.json.decode(line)
    except UnicodeDecodeError as error:
        raise BadRow("malformed", "", "this is not UTF-8") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRow("malformed", "", f"this is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise BadRow("malformed", "", "this is not a JSON object")
    return [_cell(row, way) for way in ways]


def _cell(row: Mapping[str, Any], way: Sequence[str]) -> str | None:
    value: Any = row
    for name in way:
        value = value.get(name) if isinstance(value, dict) else None
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"{value:.0f}" if value.is_integer() else repr(value)
        case _:
            name = ".".join(way)
            raise BadRow("mistyped", name, f"`{name}` is {'an object' if isinstance(value, dict) else 'an array'}")


class _Texts:
    """Lines of UTF-8 as text. After an error the iteration can go on, as a generator's could not."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def __iter__(self) -> "_Texts":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        try:
            return line.decode() + "\n"
        except UnicodeDecodeError as error:
            raise BadRow("malformed", "", f"this is not UTF-8: {error.reason} at byte {error.start}") from error


def _csv(path: Path, wanted: Sequence[str]) -> Iterator[Slice]:
    with open_lines(path) as lines:
        rows = csv.reader(_Texts(lines), strict=True)
        try:
            header = next(rows)
        except (BadRow, csv.Error) as error:
            what = f"its header line is broken: {error}"
            raise InputUnreadable(path, what, "The first line names the columns.") from error
        _all_there(path, wanted, header)
        pick = partial(_picked, len(header), [header.index(each) for each in wanted])
        yield from _sliced(path, lines, map(pick, rows), wanted)


def _picked(width: int, positions: Sequence[int], row: Sequence[str]) -> list[str | None]:
    """The cells at positions, None where empty; none for an empty line."""
    if not row:
        return []
    if len(row) != width:
        raise BadRow("malformed", "", f"the row has {len(row)} cells, the header has {width}")
    return [row[at] or None for at in positions]


def _sliced(path: Path, lines: Lines, rows: Iterator[list[str | None]], wanted: Sequence[str]) -> Iterator[Slice]:
    """Rows of text gathered into slices; a bad row is refused, and the next is read."""
    more = True
    while more:
        cells: list[list[str | None]] = []
        numbers: list[int] = []
        refused: list[Refusal] = []
        while more and len(cells) + len(refused) < SLICE:
            number = lines.number + 1
            try:
                row = next(rows, None)
            except BadRow as bad:
                refused.append(located(Refusal(bad.code, bad.field, bad.reason), path, number))
                continue
            except csv.Error as error:
                refused.append(located(Refusal("malformed", "", f"this is not CSV: {error}"), path, number))
                continue
            if row is None:
                more = False
            elif row:
                cells.append(row)
                numbers.append(number)
        columns = zip(*cells, strict=True) if cells else ((),) * len(wanted)
        series = [pl.Series(LINE, numbers, pl.Int64)]
        series += [pl.Series(name, column, pl.String) for name, column in zip(wanted, columns, strict=True)]
        yield Slice(path, pl.DataFrame(series), refused, lines.read)


def _parquet(path: Path, wanted: Sequence[str]) -> Iterator[Slice]:
    if not path.is_file():
        raise InputUnreadable(path, "there is no such file", "Check its path.")
    size, done = path.stat().st_size, 0
    try:
        scanned = pl.scan_parquet(path, glob=False)
        schema = scanned.collect_schema()
        columns = [_column(path, each, schema) for each in wanted]
        rows = int(scanned.select(pl.len()).collect().item())
        for frame in scanned.select(columns).collect_batches(chunk_size=SLICE, maintain_order=True):
            first, done = done + 1, done + frame.height
            numbers = pl.int_range(first, done + 1, dtype=pl.Int64).alias(LINE)
            yield Slice(path, frame.with_columns(numbers), [], size * done // max(1, rows))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise InputUnreadable(path, f"after {done:,} rows: {_first_line(error)}", _DAMAGED) from error
    if done != rows:
        raise InputUnreadable(path, f"it promises {rows:,} rows and has {done:,}", _DAMAGED)


def _column(path: Path, wanted: str, schema: pl.Schema) -> pl.Expr:
    """A column by its name, or the field of nested structs that a dotted path leads to."""
    if wanted in schema:
        return pl.col(wanted)
    name, *fields = wanted.split(".")
    _all_there(path, [name if fields else wanted], list(schema))
    found = pl.col(name)
    dtype: object = schema[name]
    for field in fields:
        inner = {each.name: each.dtype for each in dtype.fields} if isinstance(dtype, pl.Struct) else {}
        if field not in inner:
            raise InputUnreadable(path, f"there is no `{wanted}` in it", f"`{field}` is none of: {', '.join(inner)}.")
        found, dtype = found.struct.field(field), inner[field]
    return found.alias(wanted)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def _all_there(path: Path, wanted: Sequence[str], present: Sequence[str]) -> None:
    for each in wanted:
        if each not in present:
            shown = [name if name.isprintable() else ascii(name) for name in present[:30]]
            remedy = f"Its columns are {', '.join(shown)}. Mend the file, or the pack's [source]."
            raise InputUnreadable(path, f"there is no column `{each}`", remedy)
