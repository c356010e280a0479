"""The records in PostgreSQL: their tables there, writers one after another, and a server that can't be reached."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, make_url, select, update

from fairgate.backends.sql.postgres import open_records as open_postgres
from fairgate.backends.sql.records import Records, migrations
from fairgate.backends.sql.tables import LEDGER_READ, METADATA
from fairgate.domain.errors import RecordsUnavailable
from tests.contracts.postgres import open_records

ROUNDS = 20


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with open_records(tmp_path) as opened:
        yield opened


@pytest.mark.server
def test_the_tables_are_those_that_are_declared_and_can_be_taken_down_again(records: Records) -> None:
    with records.reading() as connection:
        assert not compare_metadata(MigrationContext.configure(connection), METADATA)
    config = migrations()
    with records.writing() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    records.migrate()
    with records.reading() as connection:
        assert set(inspect(connection).get_table_names()) == {*METADATA.tables, "alembic_version"}


@pytest.mark.server
def test_writers_come_one_after_another_and_see_what_those_before_have_done(records: Records) -> None:
    with records.writing() as connection:
        connection.execute(LEDGER_READ.insert(), {"sequence": 0, "read_at": 0, "switched_off": "[]"})

    def count() -> None:
        for _ in range(ROUNDS):
            with records.writing() as connection:
                so_far = connection.execute(select(LEDGER_READ.c.read_at)).scalar_one()
                connection.execute(update(LEDGER_READ).values(read_at=so_far + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with records.reading() as connection:
        assert connection.execute(select(LEDGER_READ.c.read_at)).scalar_one() == 4 * ROUNDS


@pytest.mark.server
def test_a_reader_sees_one_state_whatever_is_written_meanwhile(records: Records) -> None:
    with records.writing() as connection:
        connection.execute(LEDGER_READ.insert(), {"sequence": 0, "read_at": 0, "switched_off": "[]"})
    with records.reading() as reader:
        before = reader.execute(select(LEDGER_READ.c.read_at)).scalar_one()
        with records.writing() as writer:
            writer.execute(update(LEDGER_READ).values(read_at=7))
        assert reader.execute(select(LEDGER_READ.c.read_at)).scalar_one() == before


@pytest.mark.server
def test_what_failed_half_way_has_not_happened(records: Records) -> None:
    row = {"sequence": 1, "read_at": 1, "switched_off": "[]"}

    def twice() -> None:
        with records.writing() as connection:
            connection.execute(LEDGER_READ.insert(), row)
            connection.execute(LEDGER_READ.insert(), row)

    with pytest.raises(RecordsUnavailable, match="Check that the server runs"):
        twice()
    with records.reading() as connection:
        assert connection.execute(select(LEDGER_READ)).all() == []


def test_a_server_that_does_not_answer_is_told_without_its_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = make_url(f"postgresql://fairgate:geheim@127.0.0.1:{port}/records")
    with pytest.raises(RecordsUnavailable, match="Check that the server runs") as told, open_postgres(url):
        pass
    assert "geheim" not in str(told.value)


def test_a_server_without_tls_is_not_told_the_password() -> None:
    heard: list[bytes] = []

    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            heard.append(connection.recv(8))
            connection.sendall(b"N")  # no TLS here, as the protocol has it
            heard.append(connection.recv(1024))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        url = make_url(f"postgresql://fairgate:geheim@127.0.0.1:{server.getsockname()[1]}/records")
        with pytest.raises(RecordsUnavailable), open_postgres(url):
            pass
        thread.join()
    assert heard[0] == bytes.fromhex("0000000804d2162f")  # asks for TLS
    assert heard[1] == b""  # and says nothing else where there is none
