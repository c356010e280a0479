"""The lake: every event with its features and decision, as columns, for people who ask and models that learn.

It is a projection of the log and can be made from it again. Rows are kept by event type and by the day they were
received (UTC). A type's columns may change with the pack: a row has no value in a column that its pack did not have.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import NamedTuple, Protocol

import polars as pl


class Covered(NamedTuple):
    """How far a lake goes: it holds all events of the log below `sequence`.

    `pack` is the number of the pack record that the events from there on were written under; -1 before the first.
    """

    sequence: int
    pack: int


@dataclass(frozen=True, slots=True)
class LakeFile:
    """One file: the rows of a type and a day of receipt, with sequences from `first` to `last`.

    `columns` has each column's type as Polars writes it.
    """

    event_type: str
    day: date
    first: int
    last: int
    rows: int
    bytes: int
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """What one query may use: time, memory (as much again four times over on disk), threads, rows of its answer."""

    seconds: float = 30.0
    megabytes: int = 2_048
    threads: int = 2
    rows: int = 10_000


@dataclass(frozen=True, slots=True)
class Sight:
    """What a query sees: of the lake the rows with a `_sequence` below `before` (None: all), and `tail` behind them.

    `tail` are rows by event type, in the same columns. Where they begin at `before`, no row is seen twice, though the
    lake may have taken in some of them meanwhile. `tokens` gives what may stand for a text where it is masked. With
    `unseal`, which is given `_key` and `_sealed` and returns the values under the names in `_personal` (None: erased),
    personal columns can be read; without it they are masked.
    """

    tail: Mapping[str, pl.DataFrame] = field(default_factory=lambda: MappingProxyType({}))
    before: int | None = None
    tokens: Callable[[str], Sequence[str]] | None = None
    unseal: Callable[[int, bytes], Sequence[object] | None] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A query's rows, the SQL types of its columns, and whether rows were cut off behind the limit."""

    frame: pl.DataFrame
    types: tuple[str, ...]
    cut: bool


class Lake(Protocol):
    """Rows by event type and day, with one writer and any number of readers.

    Every frame has `_sequence` (Int64), `_received` (Datetime in microseconds, UTC), and whatever else its type has; in
    files of one type and day sequences go up. What has been appended survives a crash at any instant, and a crash
    leaves everything as it was before the call or as it is after it. Readers see whole calls only. Using a closed lake
    is a `ValueError`, writing to one that was opened for reading only an `io.UnsupportedOperation`. Every method raises
    `LakeUnavailable` or `LakeDamaged` where the files fail.
    """

    def covered(self) -> Covered:
        """Return how far the lake goes; `Covered(0, -1)` when it is new."""
        ...

    def append(self, frames: Mapping[str, pl.DataFrame], upto: Covered) -> None:
        """Add the rows of all events from `covered()` up to `upto`, by event type; there may be none.

        A sequence outside of that, one that is there twice, or an `upto` that goes back is a `ValueError`, and nothing
        is added.
        """
        ...

    def merge(self, today: date) -> int:
        """Make few files of many, and return how many went: of a day before `today`, files of a million rows or so.

        Rows stay as they are, and only files with the same columns become one. Files that went are deleted when nobody
        reads them any more, at the latest by a later call that finds no reader.
        """
        ...

    def drop(self, event_type: str, before: date) -> int:
        """Forget the rows of a type that were received before a day, and return how many they were."""
        ...

    def files(self) -> tuple[LakeFile, ...]:
        """Return the live files in order of type, day and sequence."""
        ...

    def scan(self, event_type: str, before: int | None = None) -> pl.LazyFrame:
        """Return the rows of a type, by day of receipt, which is in `_day`, and within a day by `_sequence`.

        With `before`, only those with a `_sequence` below it: as if the lake had no others. A column that had several
        types over time comes as a number where all were numbers, else as a text. What is returned can be collected as
        long as the lake is open. Raises `NotInLake`.
        """
        ...

    def sql(self, query: str, limits: SqlLimits, sight: Sight) -> Answer:
        """Answer one SELECT (or DESCRIBE, SHOW, SUMMARIZE, EXPLAIN) over the views that the reference names.

        The query can read nothing else and write nowhere. Raises `QueryRefused` for anything that isn't such a query,
        `QueryFailed` where it is wrong, `QueryTooLong` and `QueryTooBig` at the limits of time and of memory.
        """
        ...
