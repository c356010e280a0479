"""The records in a data base, whichever it is. `sqlite.py` and `postgres.py` open one."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.exc import SQLAlchemyError, StatementError

from fairgate.domain.errors import RecordsUnavailable

_MIGRATIONS = "fairgate.backends.sql:migrations"
#: Alembic keeps the migration that is under way in a module's globals.
_MIGRATING = threading.Lock()

# Alembic would tell of every opening, also where there is nothing to do.
logging.getLogger("alembic").setLevel(logging.WARNING)


class DataBase(NamedTuple):
    """A data base: what it is called to people, how it is opened, and what helps where it has failed.

    `settle` lets none of its files have what was overwritten, as far as that can be said here; whether it was done.

    A transaction whose connection has the options `writer` begins only when no other that has them is under way. All
    others see one state from their begin to their end.
    """

    name: str
    open: Callable[[], Engine]
    writer: Mapping[str, object]
    remedy: Callable[[BaseException], str]
    settle: Callable[[Engine], bool]


@contextmanager
def opened(base: DataBase) -> Iterator["Records"]:
    """The records of a data base, closed on leaving.

    Its tables are brought to what this Fairgate knows. Raises `RecordsUnavailable`, also where a newer one wrote it.
    """
    records = Records(base)
    try:
        records.migrate()
        yield records
    finally:
        records.close()


class Records:
    """A data base of records, open. Any thread may call.

    Whatever fails within `reading` or `writing`, in the data base or about what is read from it, is told as
    `RecordsUnavailable`.
    """

    def __init__(self, base: DataBase) -> None:
        self._base = base
        self._closed = False
        with self._told():
            self.engine = base.open()
        self._writer = self.engine.execution_options(**base.writer)

    def close(self) -> None:
        """Close it. Closing twice is harmless."""
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

    def settle(self) -> None:
        """Let nothing of the data base have what was overwritten. Waits for those that read meanwhile.

        Raises `RecordsUnavailable` where one of them goes on for too long.
        """
        with self._told():
            settled = self._base.settle(self.engine)
        if not settled:
            what = "somebody reads it without an end, so what was erased is still in its log"
            raise RecordsUnavailable(self._base.name, what, "It is tried again; end whoever reads it.")

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
            raise RecordsUnavailable(self._base.name, what, "Use the Fairgate that wrote it, or a newer one.")
        return found

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell of the data base's and the driver's errors as one of Fairgate's own."""
        if self._closed:
            raise RecordsUnavailable(self._base.name, "it has been closed", "Open it again.")
        try:
            yield
        except (OSError, SQLAlchemyError, ValueError) as error:  # ValueError: what is no action, or no JSON
            cause = (error.orig if isinstance(error, StatementError) else None) or error
            raise RecordsUnavailable(self._base.name, str(cause), self._base.remedy(cause)) from cause


def migrations() -> Config:
    """Alembic's view of the migrations; `attributes["connection"]` is to be the one that they run on."""
    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    return config


def execute_each(connection: Connection, statement: Executable, rows: Sequence[Mapping[str, object]]) -> None:
    """Execute a statement once for each row; without one, not at all."""
    if rows:
        connection.execute(statement, rows)
