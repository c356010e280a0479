"""SQL over the lake, by DuckDB, locked up: it sees the lake's files and nothing else, and stops at its limits.

Each query has a data base of its own, in memory, which can open the very files that its views read and no others, and
a folder of its own for what doesn't fit in memory. What DuckDB can't stop is one operation on one huge value, such as a
list of a hundred million numbers: a server should run queries in a process that it can kill.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb
import polars as pl
from duckdb.func import SPECIAL
from duckdb.sqltypes import BIGINT, BLOB, VARCHAR

from fairgate.backends.embedded.lake_manifest import Manifest, schema_of
from fairgate.backends.embedded.lake_query import Query, checked
from fairgate.backends.embedded.lake_views import UNSEALED, Group, Groups, groups_of, literal, statements, view_names
from fairgate.domain.errors import QueryFailed, QueryTooBig, QueryTooLong
from fairgate.ports.lake import Answer, Sight, SqlLimits

#: Disk that a query may use beside its memory, as a multiple of that.
_SPILL: Final = 4
#: Set before anything is asked; the last makes all of it final.
_LOCK: Final = (
    "SET TimeZone = 'UTC'",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
_TOKEN_MACROS: Final = (
    "CREATE MACRO token(clear) AS tokens(clear)[1]",
    # Where personal columns can be read, the value stands there itself.
    "CREATE MACRO is_token(masked, clear) AS masked = clear OR list_contains(tokens(clear), masked)",
)
#: SQL types that have no counterpart in Polars, and are given out as text.
_AS_TEXT: Final = ("GEOMETRY", "INTERVAL", "TIME WITH TIME ZONE", "UNION", "UUID", "VARIANT")
_WIDE: Final = duckdb.decimal_type(38, 0)


def answer(folder: Path, manifest: Manifest, query: str, limits: SqlLimits, sight: Sight) -> Answer:
    """Answer a query; see the port."""
    with TemporaryDirectory(prefix="fairgate-sql-") as scratch, _connected(Path(scratch), limits) as connection:
        groups = groups_of(folder, manifest, _tail(Path(scratch), sight.tail))
        asked = checked(connection, query, ["decisions", "rules", "labels", *view_names(groups)])
        try:
            _add_functions(connection, sight)
            for statement in statements(groups, asked.views, readable=sight.unseal is not None):
                connection.execute(statement).fetchall()
            out = Path(scratch) / "answer.parquet"
            _lock(connection, groups, out)
            return _run(connection, asked, limits, out)
        except duckdb.OutOfMemoryException as error:
            what = f"It may use {limits.megabytes:,} MB: ask for fewer days or columns, or for aggregates."
            raise QueryTooBig(what) from error
        except duckdb.Error as error:
            raise QueryFailed(str(error)) from error


@contextmanager
def _connected(scratch: Path, limits: SqlLimits) -> Iterator[duckdb.DuckDBPyConnection]:
    spill = scratch / "spill"
    config: dict[str, str | bool | int | float | list[str]] = {
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "max_temp_directory_size": f"{_SPILL * limits.megabytes}MB",
        "memory_limit": f"{limits.megabytes}MB",
        "python_enable_replacements": False,
        "temp_directory": str(spill),
        "threads": limits.threads,
    }
    connection = duckdb.connect(":memory:", config=config)
    try:
        yield connection
    finally:
        connection.close()


def _lock(connection: duckdb.DuckDBPyConnection, groups: Groups, out: Path) -> None:
    paths = [out, *(path for each in groups.values() for group in each for path in group.paths)]
    allowed = ", ".join(literal(str(path)) for path in paths)
    for statement in (f"SET allowed_paths = [{allowed}]", *_LOCK):
        connection.execute(statement).fetchall()


def _tail(scratch: Path, tail: Mapping[str, pl.DataFrame]) -> dict[str, Group]:
    """The rows that are not in the lake yet, written to files of their own."""
    groups = {}
    for number, (event_type, frame) in enumerate(tail.items()):
        path = scratch / f"tail-{number}.parquet"
        rows = frame.with_columns(pl.col("_received").dt.date().alias("_day"))
        rows.write_parquet(path, compression="uncompressed")
        groups[event_type] = Group((path,), schema_of(frame), tail=True)
    return groups


def _add_functions(connection: duckdb.DuckDBPyConnection, sight: Sight) -> None:
    if sight.tokens is not None:
        tokens = sight.tokens
        connection.create_function("tokens", lambda of: list(tokens(of)), [VARCHAR], duckdb.list_type(VARCHAR))
        for macro in _TOKEN_MACROS:
            connection.execute(macro).fetchall()
    if sight.unseal is not None:
        unseal = sight.unseal

        def unsealed(
            wanted: list[str], names: str | None, key: int | None, sealed: bytes | None
        ) -> list[str | None] | None:
            if names is None or key is None or sealed is None:
                return None
            values = unseal(key, sealed)
            if values is None:
                return None
            found = dict(zip(names.split(), values, strict=True))
            return [None if found.get(name) is None else str(found[name]) for name in wanted]

        texts = duckdb.list_type(VARCHAR)
        connection.create_function(UNSEALED, unsealed, [texts, VARCHAR, BIGINT, BLOB], texts, null_handling=SPECIAL)


def _run(connection: duckdb.DuckDBPyConnection, query: Query, limits: SqlLimits, out: Path) -> Answer:
    with _Timer(connection, limits.seconds):
        found = connection.sql(f"{query.before}{query.select}")
        types = tuple(str(each) for each in found.types)
        # By way of a file: it holds the memory limit, and handing DuckDB's own buffers over leaks at exit.
        _readable(found.limit(limits.rows + 1), types).write_parquet(str(out))
    frame = pl.read_parquet(out)
    frame = frame.with_columns(_as_integers(each) for each in frame if each.dtype.is_decimal())
    return Answer(frame.head(limits.rows), types, frame.height > limits.rows)


def _readable(found: duckdb.DuckDBPyRelation, types: Sequence[str]) -> duckdb.DuckDBPyRelation:
    """The same rows without the types that Parquet or Polars can't hold as they are."""
    casts = {at: VARCHAR for at, kind in enumerate(types) if any(word in kind for word in _AS_TEXT)}
    casts |= {at: _WIDE for at, kind in enumerate(types) if kind in ("HUGEINT", "UHUGEINT")}
    if not casts:
        return found
    columns = [duckdb.ColumnExpression(name) for name in found.columns]
    return found.select(
        *(
            column.cast(casts[at]).alias(name) if at in casts else column
            for at, (name, column) in enumerate(zip(found.columns, columns, strict=True))
        )
    )


def _as_integers(numbers: pl.Series) -> pl.Series:
    """Decimals without a fraction, such as a sum of integers, as integers where they fit."""
    kind = numbers.dtype
    if not isinstance(kind, pl.Decimal) or kind.scale:
        return numbers
    integers = numbers.cast(pl.Int64, strict=False)
    return integers if integers.null_count() == numbers.null_count() else numbers


class _Timer:
    """Interrupts a connection after some seconds; what comes of that is `QueryTooLong`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, seconds: float) -> None:
        self._seconds = seconds
        self._timer = threading.Timer(seconds, self._interrupt)
        self._connection = connection
        self._over = threading.Lock()
        self._fired = False

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with self._over:
            self._timer.cancel()
        if self._fired and error is not None:
            what = f"It may take {self._seconds:g} seconds: ask for fewer days, or for aggregates."
            raise QueryTooLong(what) from error

    def _interrupt(self) -> None:
        with self._over:
            self._fired = True
            self._connection.interrupt()
