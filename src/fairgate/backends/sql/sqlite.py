"""The records in one SQLite file, for any number of processes."""

import os
import sqlite3
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, Engine, create_engine, event

from fairgate.backends.sql.records import DataBase, Records, opened

#: An option of connections: what they begin is a writer's transaction.
_WRITES = "fairgate_writes"
#: How long a writer waits for another.
_BUSY_SECONDS = 10.0
_WAL_PAUSE = 0.05

_REMEDY: Final = "Check the path, this user's permissions, and that the disk has room and is well."
_RESTORE: Final = (
    "Restore it from a backup. Appeals and audit log stand in it alone; the rest the log has, as far as it goes back."
)
_REMEDIES: Final = {
    sqlite3.SQLITE_BUSY: "Another process has been writing to it all the while: wait for it, then try again.",
    sqlite3.SQLITE_CORRUPT: _RESTORE,
    sqlite3.SQLITE_NOTADB: _RESTORE,
}


def open_records(path: Path) -> AbstractContextManager[Records]:
    """The records of a file, made where it is missing, readable by its owner alone. See `opened`.

    Readers and the writer don't wait for each other (WAL).
    """
    return opened(DataBase(str(path), lambda: _opened(path), {_WRITES: True}, _remedy, _settle))


def _opened(path: Path) -> Engine:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    return _engine(path)


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
    connection.execute("pragma secure_delete = on")  # what is erased is overwritten, too


def _settle(engine: Engine) -> bool:
    """Bring all of the log into the file, and empty it."""
    with engine.connect() as connection:
        cursor = connection.connection.cursor()  # not by SQLAlchemy, which would begin a transaction
        return bool(cursor.execute("pragma wal_checkpoint(truncate)").fetchone() == (0, 0, 0))


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
