"""The lake in a notebook: `fairgate.lake("fairgate-data")`."""

import html
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import polars as pl

from fairgate.ports.lake import SqlLimits
from fairgate.wiring import catch_up, open_live_lake

#: What a query in a notebook may use: its user has the machine, and looks at the result.
LIMITS = SqlLimits(seconds=600.0, megabytes=4_096, rows=5_000_000)


class NotebookLake:
    """All that is durable in a service's log, as SQL and as Polars frames, whether the service runs or not.

    Personal columns hold tokens; `is_token(email, 'a@example.com')` compares them with a clear value.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._stack = ExitStack()
        catch_up(data)
        self._live = self._stack.enter_context(open_live_lake(data))

    def sql(self, query: str, *, limits: SqlLimits = LIMITS) -> pl.DataFrame:
        """The rows of one SELECT. Warns where some were left out. Raises `QueryError`."""
        asked = self._live.ask(query, limits)
        if asked.answer.cut:
            warnings.warn(f"cut after {limits.rows:,} rows", stacklevel=2)
        if asked.left_out:
            warnings.warn(f"the latest {asked.left_out:,} records are not in this: the lake is behind", stacklevel=2)
        return asked.answer.frame

    def frame(self, event_type: str) -> pl.LazyFrame:
        """All events of a type, such as `api.request`, in order of `_sequence`. Raises `NotInLake`."""
        return self._live.frame(event_type)

    def tables(self) -> pl.DataFrame:
        """What there is, by event type: the days, rows and bytes in the lake, and how many columns."""
        rows = [
            (each.event_type, each.day, each.rows, each.bytes, len(each.columns)) for each in self._live.lake.files()
        ]
        names = {"type": pl.String(), "day": pl.Date(), "rows": pl.Int64(), "bytes": pl.Int64(), "columns": pl.Int64()}
        return (
            pl.DataFrame(rows, schema=names, orient="row")
            .group_by("type", maintain_order=True)
            .agg(
                pl.col("day").min().alias("first_day"),
                pl.col("day").max().alias("last_day"),
                pl.col("rows", "bytes").sum(),
                pl.col("columns").max(),
            )
        )

    def close(self) -> None:
        """Let go of log and lake."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        with pl.Config(tbl_rows=-1):
            return f"<p>Lake in {html.escape(str(self._data))}</p>{self.tables()._repr_html_()}"
