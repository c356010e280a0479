"""A Parquet file of rows that come one by one, so many that memory doesn't hold them all."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

import polars as pl

#: Rows of one part: enough for Parquet to pay, and few enough for memory.
PART: Final = 131_072
#: A value of a row; times are microseconds since 1970.
Cell: TypeAlias = str | int | float | bool | None
#: The columns of a table with their types.
Schema: TypeAlias = Mapping[str, pl.DataType | type[pl.DataType]]
#: A time as all tables of a play have it.
TIME: Final = pl.Datetime("us", "UTC")


class ParquetFile:
    """Writes rows of a schema in their order. The file is there after `finish`; until then its parts are, beside it.

    The same rows give the same bytes. Methods raise OSError, or what Polars makes of one.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self._path = path
        self._schema = schema
        self._parts = path.parent / f".{path.stem}"
        self._written: list[Path] = []
        self._waiting: list[tuple[Cell, ...]] = []
        self.rows = 0

    def add(self, row: tuple[Cell, ...]) -> None:
        """Add a row."""
        self._waiting.append(row)
        if len(self._waiting) >= PART:
            self._write()

    def finish(self) -> None:
        """Make one file of the parts."""
        self._write()
        pl.scan_parquet(self._written, glob=False).sink_parquet(self._path, compression="zstd")
        shutil.rmtree(self._parts)

    def _write(self) -> None:
        """Write a part, the first one even if nothing is in it: it has the columns."""
        if not self._waiting and self._written:
            return
        self._parts.mkdir(exist_ok=True)
        path = self._parts / f"{len(self._written):06}.parquet"
        frame = pl.DataFrame(self._waiting, dict(self._schema), orient="row")
        frame.write_parquet(path, compression="zstd")
        self._written.append(path)
        self.rows += len(self._waiting)
        self._waiting = []
