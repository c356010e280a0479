"""`fairgate sql`: one query over the lake and what is not in it yet, with or without a running service."""

from collections.abc import Callable
from typing import Literal

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairgate.ports.lake import SqlLimits
from fairgate.settings import Settings
from fairgate.wiring import catch_up, open_live_lake

Form = Literal["table", "csv", "json"]

#: Columns of a table that isn't shown on a screen.
_WIDE = 4_000


def run(settings: Settings, query: str, form: Form, echo: Callable[..., object], *, personal: bool) -> int:
    """Answer a query; 0. Raises `QueryError`, and what opening log and lake raises.

    `echo` prints as that of click does: the rows, and with `err` that some were left out.
    """
    desk = settings.desk
    limits = SqlLimits(desk.sql_seconds, desk.sql_megabytes, rows=desk.sql_rows)
    catch_up(settings.data)
    with open_live_lake(settings.data) as live:
        asked = live.ask(query, limits, personal=personal)
    echo(_written(asked.answer.frame, form))
    if asked.answer.cut:
        echo(f"Cut after {limits.rows:,} rows: ask for aggregates, or raise desk.sql_rows.", err=True)
    if asked.left_out:
        echo(f"The latest {asked.left_out:,} records are not in this answer: the lake is behind.", err=True)
    return 0


def _written(frame: pl.DataFrame, form: Form) -> str:
    if form == "csv":
        lists = [name for name, kind in frame.schema.items() if kind.is_nested()]
        texts = {name: [None if row is None else str(row) for row in frame[name].to_list()] for name in lists}
        return frame.with_columns(
            **{name: pl.Series(rows, dtype=pl.String) for name, rows in texts.items()}
        ).write_csv()
    return frame.write_ndjson() if form == "json" else _table(frame)


def _table(frame: pl.DataFrame) -> str:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, kind in frame.schema.items():
        table.add_column(Text(name), justify="right" if kind.is_numeric() else "left", overflow="fold")
    for row in frame.rows():
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    console = Console(width=None if Console().is_terminal else _WIDE)
    with console.capture() as captured:
        console.print(table)
    return captured.get().rstrip()
