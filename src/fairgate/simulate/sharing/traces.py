"""Traces of requests from files of several kinds, in one shape: when, by whom, how many tokens in and out.

A kind is told by a file's columns: the trace of 27 clients of "Fairness in Serving Large Language Models" (`client,
req_time, prompt_len, output_len`), the Azure LLM inference traces (`TIMESTAMP, ContextTokens, GeneratedTokens`, which
have no accounts), or CloudEvents, a line each, of which the `api.request` count: what `fairgate simulate` writes. Where
the truth about a simulated world stands beside its events, the accounts that opponents made are left out.
"""

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import polars as pl
from polars.exceptions import PolarsError

from fairgate.domain.errors import InputUnreadable
from fairgate.simulate.play_files import ACCOUNTS, EVENTS

#: More tokens than a request has.
_MOST: Final = 10_000_000
_KINDS: Final = (
    "A trace has the columns `client,req_time,prompt_len,output_len` or `TIMESTAMP,ContextTokens,GeneratedTokens`, or "
    "is a file or folder of CloudEvents (.ndjson) as `fairgate simulate` writes them."
)
_SUFFIXES: Final = (".ndjson", ".jsonl")


class Arrival(NamedTuple):
    """A request: seconds since the trace began, the account (empty where the trace has none), and its tokens."""

    time: float
    account: str
    input: int
    output: int


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests in the order of their time, the first at 0. They take `span` seconds; `name` is for people."""

    name: str
    arrivals: tuple[Arrival, ...]

    @property
    def span(self) -> float:
        """From the first to the last, and the mean gap between two: repeated after so long, it goes on as before."""
        count = len(self.arrivals)
        return self.arrivals[-1].time * count / (count - 1)

    @property
    def longest(self) -> int:
        """The longest answer."""
        return max(each.output for each in self.arrivals)


class _Event(msgspec.Struct):
    """What is read of a CloudEvent."""

    type: str
    time: str = ""
    data: dict[str, Any] = {}


class _Bad(ValueError):
    """A line that is none of a trace."""


def read_trace(path: Path) -> Trace:
    """The trace of a file, or of a folder of events. Raises `InputUnreadable`, which names file and line."""
    found: list[Arrival] = []
    for file in _files(path):
        found += _read(file)
    bad = _opponents(path)
    found = sorted(each for each in found if each.account not in bad)
    if len(found) < 2 or found[0].time == found[-1].time:  # noqa: PLR2004 - a time between two
        raise InputUnreadable(path, f"it has {len(found)} requests", "A trace has two or more, at different times.")
    first = found[0].time
    return Trace(path.name, tuple(each._replace(time=each.time - first) for each in found))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    folder = path / EVENTS if (path / EVENTS).is_dir() else path
    files = sorted(each for each in folder.iterdir() if each.suffix in _SUFFIXES)
    if not files:
        raise InputUnreadable(path, "there are no .ndjson files in it", _KINDS)
    return files


def _opponents(path: Path) -> frozenset[str]:
    """The accounts of opponents, by the truth about a simulated world."""
    truth = path / ACCOUNTS
    if not truth.is_file():
        return frozenset()
    try:
        return frozenset(pl.read_parquet(truth).filter(~pl.col("honest"))["account"])
    except (OSError, PolarsError) as error:
        what = str(error).partition("\n")[0]
        raise InputUnreadable(truth, what, "Take it away to replay everybody's requests.") from error


def _read(path: Path) -> Iterator[Arrival]:
    number, lines = 1, _lines(path)
    try:
        if path.suffix in _SUFFIXES:
            for number, line in enumerate(lines, 1):  # noqa: B007 - it is told where a line is bad
                if line.strip() and (arrival := _from_event(line)):
                    yield arrival
        else:
            yield from _from_csv(path, lines)
    except _Bad as bad:
        raise _bad_line(path, number, bad) from bad


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from file
    except OSError as error:
        raise InputUnreadable(path, error.strerror or str(error), "Check its path and who may read it.") from error
    except UnicodeDecodeError as error:
        raise InputUnreadable(path, "it is no text in UTF-8", _KINDS) from error


def _bad_line(path: Path, number: int, bad: _Bad) -> InputUnreadable:
    return InputUnreadable(path, f"line {number}: {bad}", "Correct the line, or take it out.")


# ------------------------------------------------------------------------------------------------------------- columns


def _from_csv(path: Path, lines: Iterable[str]) -> Iterator[Arrival]:
    rows = csv.DictReader(lines)
    columns = set(rows.fieldnames or ())
    make = next((made for needed, made in _MAKERS.items() if columns >= set(needed)), None)
    if make is None:
        what = f"line 1: its columns are {', '.join(map(repr, rows.fieldnames or ())) or 'none'}"
        raise InputUnreadable(path, what, _KINDS)
    try:
        for row in rows:
            yield make(_whole(row))
    except (_Bad, csv.Error) as bad:
        raise _bad_line(path, rows.line_num, _Bad(*bad.args)) from bad


def _whole(row: dict[str, str]) -> dict[str, str]:
    if None in row or None in row.values():
        raise _Bad("it has not as many values as line 1 has columns")
    return row


def _of_27_clients(row: Mapping[str, str]) -> Arrival:
    if not row["client"]:
        raise _Bad("`client` is empty")
    time = _seconds(row["req_time"])
    return Arrival(time, row["client"], _tokens(row, "prompt_len"), _tokens(row, "output_len"))


def _of_azure(row: Mapping[str, str]) -> Arrival:
    time = _moment("TIMESTAMP", row["TIMESTAMP"])
    return Arrival(time, "", _tokens(row, "ContextTokens"), _tokens(row, "GeneratedTokens"))


_MAKERS: Final[Mapping[tuple[str, ...], Callable[[Mapping[str, str]], Arrival]]] = {
    ("client", "req_time", "prompt_len", "output_len"): _of_27_clients,
    ("TIMESTAMP", "ContextTokens", "GeneratedTokens"): _of_azure,
}


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise _Bad(f"`req_time` is {text!r}, and should be seconds from 0 on")
    return value


def _moment(name: str, text: object) -> float:
    """Seconds since 1970 of a time as ISO 8601 has it, in UTC where nothing else is said."""
    try:
        value = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        value = None
    if value is None:
        raise _Bad(f"`{name}` is {text!r}, and should be a time such as 2023-11-16 18:17:03.97")
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def _tokens(row: Mapping[str, object], name: str) -> int:
    value = row.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is not int or not 0 <= value <= _MOST:
        raise _Bad(f"`{name}` is {value!r}, and should be a whole number of tokens from 0 to {_MOST:,}")
    return value


# -------------------------------------------------------------------------------------------------------------- events


def _from_event(line: str) -> Arrival | None:
    try:
        event = msgspec.json.decode(line, type=_Event)
    except msgspec.MsgspecError as error:
        raise _Bad(f"it is no CloudEvent: {error}") from error
    if event.type != "api.request" or event.data.get("status", 200) != 200:  # noqa: PLR2004 - HTTP's own
        return None
    account = event.data.get("account")
    if not isinstance(account, str) or not account:
        raise _Bad("`data.account` is missing")
    tokens = _tokens(event.data, "input_tokens"), _tokens(event.data, "output_tokens")
    return Arrival(_moment("time", event.time), account, *tokens)
