"""A PostgreSQL server for the tests of a process: started when it is first asked for, ended with the process.

Its programs are in Debian's package `postgresql`; without them whoever asks is skipped. It listens on a socket of its
own alone.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path

import pg8000.dbapi
import pytest
from sqlalchemy import URL

from fairgate.backends.sql import postgres
from fairgate.backends.sql.records import Records

_USER = "fairgate"
_SECONDS = 30.0
#: Nothing here must outlive a power failure.
_NOT_DURABLE = ("-F", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


@contextmanager
def open_records(folder: Path) -> Iterator[Records]:
    """The records of a folder: what its own user of the server has."""
    socket, name = _server(), f"f{sha256(str(folder.resolve()).encode()).hexdigest()[:30]}"
    with closing(_connected(socket)) as connection:
        cursor = connection.cursor()
        cursor.execute("select count(*) from pg_roles where rolname = %s", (name,))
        ((there,),) = cursor.fetchall()
        if not there:  # a schema of the user's name is where they make and look for tables; it is made in no time
            cursor.execute(f"create role {name} login")
            cursor.execute(f"create schema authorization {name}")
    url = URL.create("postgresql", name, database="postgres", query={"unix_sock": str(socket)})
    with postgres.open_records(url) as records:
        yield records


@cache
def _server() -> Path:
    """The socket of the server."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="fairgate-postgres-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    user = "nobody" if os.getuid() == 0 else None  # which it refuses to run as
    if user is not None:
        shutil.chown(folder, user)
    data, log = folder / "data", folder / "log"
    made = [
        str(programs / "initdb"),
        "-D",
        str(data),
        "-U",
        _USER,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
    ]
    made += ["--locale=C", "--no-sync"]
    subprocess.run(made, user=user, cwd=folder, check=True, capture_output=True)
    with log.open("wb") as told:
        started = [str(programs / "postgres"), "-D", str(data), "-k", str(folder), "-h", "", *_NOT_DURABLE]
        server = subprocess.Popen(started, user=user, cwd=folder, stdout=told, stderr=told)
    atexit.register(_end, server)
    socket, until = folder / ".s.PGSQL.5432", time.monotonic() + _SECONDS
    while True:
        try:
            _connected(socket).close()
        except pg8000.dbapi.Error:
            if server.poll() is not None or time.monotonic() > until:
                pytest.fail(f"PostgreSQL did not start: {log.read_text()}")
            time.sleep(0.05)
        else:
            return socket


def _programs() -> Path:
    """Where initdb and postgres are: on the path, or where Debian puts them."""
    found = [Path(each).parent for each in [shutil.which("initdb")] if each is not None]
    found += sorted(each.parent for each in Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL's server programs are missing: install the package postgresql")
    return found[-1]


def _connected(socket: Path) -> pg8000.dbapi.Connection:
    connection = pg8000.dbapi.connect(_USER, unix_sock=str(socket), database="postgres")
    connection.autocommit = True
    return connection


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    server.wait()
