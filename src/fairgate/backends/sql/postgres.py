"""The records in a data base of a PostgreSQL server (10 or newer), for any number of processes on any machines.

By the driver pg8000, which is free for every use.
"""

import ssl
from contextlib import AbstractContextManager
from typing import Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select

from fairgate.backends.sql.records import DataBase, Records, opened

#: The lock that writers hold, one at a time: a number of our own among those of the data base.
_LOCK: Final = 0x666169726761
#: The part of an address that names a socket of this machine.
_SOCKET: Final = "unix_sock"
_WRITES = "fairgate_writes"
_WRITER: Final = {_WRITES: True, "isolation_level": "READ COMMITTED"}
_REMEDY: Final = "Check that the server runs and is well, its address, and that this user may use the data base."


def open_records(url: URL) -> AbstractContextManager[Records]:
    """The records of a data base, which must be there (`postgresql://user@host/name`). See `opened`.

    Another machine must speak TLS, and have a certificate that this one trusts; `?unix_sock=` names a socket instead.
    One writer at a time, as in a file: what it has read is still so when it writes.
    """
    return opened(DataBase(url.render_as_string(), lambda: _engine(url), _WRITER, lambda _: _REMEDY, _settle))


def _engine(url: URL) -> Engine:
    trusted = False if _SOCKET in url.query else ssl.create_default_context()  # else it would trust any certificate
    engine = create_engine(
        url.set(drivername="postgresql+pg8000"),
        connect_args={"ssl_context": trusted},
        isolation_level="REPEATABLE READ",  # a reader sees one state
        hide_parameters=True,  # they are personal, and an error is logged
        pool_pre_ping=True,  # the server may have been started anew
    )
    event.listen(engine, "begin", _begin)
    return engine


def _settle(_engine: Engine) -> bool:
    """The server's own vacuum overwrites what is dead; how long it keeps its log is for who runs it to say."""
    return True


def _begin(connection: Connection) -> None:
    """Let a writer wait for another. Each of its statements sees what is committed by then, so also that one's."""
    if connection.get_execution_options().get(_WRITES, False):
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
