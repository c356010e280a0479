"""The data base of the records: one SQLite file, for any number of processes. `open_records` opens it."""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, Executable, create_engine, event
from sqlalchemy.exc import SQLAlchemyError, StatementError

from fairgate.domain.errors import RecordsUnavailable

#: How long a writer waits for another.
_BUSY_SECONDS = 10.0
_WAL_PAUSE = 0.05
#: An option of connections: what they begin is a writer's transaction.
_WRITES = "fairgate_writes"
_MIGRATIONS = "fairgate.backends.sql:migrations"
#: Alembic keeps the migration that is under way in a module's globals.
_MIGRATING = threading.Lock()

_REMEDY: Final = "Check the path, this user's permissions, and that the disk has room and is well."
_RESTORE: Final = "Restore it from a backup. Appeals stand in it alone; the rest the log has, as far as it goes back."
_REMEDIES: Final = {
    sqlite3.SQLITE_BUSY: "Another process has been writing to it all the while: wait for it, then try again.",
    sqlite3.SQLITE_CORRUPT: _RESTORE,
    sqlite3.SQLITE_NOTADB: _RESTORE,
}

# Alembic would tell of every opening, also where there is nothing to do.
logging.getLogger("alembic").setLevel(logging.WARNING)


@contextmanager
def open_records(path: Path) -> Iterator["Records"]:
    """The records of a file, made where it is missing, readable by its owner alone. Closed on leaving.

    Its tables are brought to what this Fairgate knows. Raises `RecordsUnavailable`, also where a newer one wrote it.
    """
    records = Records(path)
    try:
        records.migrate()
        yield records
    finally:
        records.close()


class Records:
    """The data base of a file, open. Readers and the writer don't wait for each other (WAL). Any thread may call.

    Whatever fails within `reading` or `writing`, in the data base or about what is read from it, is told as
    `RecordsUnavailable`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closed = False
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self.engine = _engine(path)
        self._writer = self.engine.execution_options(**{_WRITES: True})

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._closed = True
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees the records as they are now, whatever is written meanwhile."""
        with self._told(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it is durable afterwards, or after an error nothing of it has happened."""
        with self._told(), self._writer.begin() as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the tables to what this Fairgate knows. Several processes may do so at the same time."""
        config = migrations()
        script = ScriptDirectory.from_config(config)
        with self.reading() as connection:
            if self._revision(connection, script) == script.get_current_head():
                return
        with _MIGRATING, self.writing() as connection:
            self._revision(connection, script)  # which another process may have changed meanwhile
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _revision(self, connection: Connection, script: ScriptDirectory) -> str | None:
        """What the tables were brought to last, which must be known."""
        found = MigrationContext.configure(connection).get_current_revision()
        if found is not None and found not in {each.revision for each in script.walk_revisions()}:
            what = f"it has revision {found}, this Fairgate knows {script.get_current_head()}"
            raise RecordsUnavailable(self._path, what, "Use the Fairgate that wrote it, or a newer one.")
        return found

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell of the file's and the driver's errors as one of Fairgate's own."""
        if self._closed:
            raise RecordsUnavailable(self._path, "it has been closed", "Open it again.")
        try:
            yield
        except (OSError, SQLAlchemyError, ValueError) as error:  # ValueError: what is no action, or no JSON
            cause = (error.orig if isinstance(error, StatementError) else None) or error
            raise RecordsUnavailable(self._path, str(cause), _remedy(cause)) from cause


def migrations() -> Config:
    """Alembic's view of the migrations; `attributes["connection"]` is to be the one that they run on."""
    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    return config


def execute_each(connection: Connection, statement: Executable, rows: Sequence[Mapping[str, object]]) -> None:
    """Execute a statement once for each row; without one, not at all."""
    if rows:
        connection.execute(statement, rows)


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        connect_args={"timeout": _BUSY_SECONDS, "isolation_level": None},  # transactions are begun below
        hide_parameters=True,  # they are personal, and an error is logged
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: sqlite3.Connection, _pooled: object) -> None:
    _use_wal(connection)
    connection.execute("pragma synchronous = full")
    connection.execute("pragma foreign_keys = on")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Wait here for others that do the same at the same time: SQLite does not by itself."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_WAL_PAUSE)
        else:
            return


def _begin(connection: Connection) -> None:
    """Let a writer wait for another at once: one that has read before can't be let in later."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("begin immediate" if writes else "begin")


def _remedy(cause: BaseException) -> str:
    return _RESTORE if isinstance(cause, ValueError) else _REMEDIES.get(_code(cause), _REMEDY)


def _code(error: BaseException) -> int:
    """SQLite's code of an error, without what it says more of it in the higher bytes; 0 where it has none."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
