"""The data base of the records: its file, its migrations, what is refused, and what a failure or a crash leaves."""

import io
import os
import re
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, MetaData, Table, Text, create_engine, event, inspect, make_url

from fairgate.backends.sql import records as records_module
from fairgate.backends.sql import sqlite as module
from fairgate.backends.sql.appeals import SqlAppeals
from fairgate.backends.sql.cases import SqlCaseQueue, SqlCases
from fairgate.backends.sql.challenges import SqlChallenges, SqlOutcomes
from fairgate.backends.sql.ledger import SqlLedger
from fairgate.backends.sql.outbox import SqlOutbox
from fairgate.backends.sql.records import Records, migrations
from fairgate.backends.sql.sqlite import open_records
from fairgate.backends.sql.tables import METADATA
from fairgate.domain.action import Action
from fairgate.domain.appeal import Appeal, AppealState, Ruling
from fairgate.domain.case import Case, Facts
from fairgate.domain.challenge import Challenge
from fairgate.domain.errors import RecordsUnavailable
from fairgate.domain.ledger import FOREVER, Entry, Subject
from fairgate.domain.worth import Stake
from fairgate.ports.appeals import Wanted
from fairgate.ports.ledger import Message, Read

ROOT = Path(__file__).parents[3]
SUBJECT = Subject("account", "acct_1")
RECEIVERS = ("books", "mail")
POSTGRES = make_url("postgresql://").get_dialect()()
#: How many entries, with a message each, are taken in at once.
MANY = 50


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "records.db"


def entry(number: int) -> Entry:
    return Entry(number, SUBJECT, Action.HOLD, number, FOREVER, ("burst",), ("rule",), "pack@1")


def message(number: int) -> Message:
    return Message(f"action_{number}_taken", SUBJECT, "standing.changed", b"{}")


def take(records: Records, sequence: int) -> None:
    """Take in the `sequence`th batch."""
    numbers = range(MANY * (sequence - 1), MANY * sequence)
    SqlLedger(records).take(
        Read(sequence, sequence), [entry(n) for n in numbers], [message(n) for n in numbers], RECEIVERS
    )


def counted(records: Records) -> tuple[int, int, list[int]]:
    """How far the log was read, and how many entries there are, and letters to each receiver."""
    ledger, outbox = SqlLedger(records), SqlOutbox(records)
    held = ledger.held(0, -1, 1_000_000)
    assert held == [entry(number) for number in range(len(held))]
    return ledger.read().sequence, len(held), [len(outbox.waiting(each, -1, 1_000_000)) for each in RECEIVERS]


def batches(count: int) -> tuple[int, int, list[int]]:
    return count, MANY * count, [MANY * count] * len(RECEIVERS)


# ------------------------------------------------------------------------------------------------------------- the file


def test_the_file_is_its_owners_alone_and_durable(path: Path) -> None:
    with open_records(path) as records:
        take(records, 1)
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
        with records.reading() as connection:
            said = {
                name: connection.exec_driver_sql(f"pragma {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
    assert said == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    assert [file.name for file in path.parent.iterdir()] == ["records.db"]


def test_what_is_no_data_base_is_told_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are no records" * 100)
    told = r"can't be used\. .*records\.db: file is not a database\. Restore it from a backup\."
    with pytest.raises(RecordsUnavailable, match=told), open_records(path):
        pass
    assert path.read_bytes() == b"these are no records" * 100


def test_a_damaged_data_base_is_told(path: Path) -> None:
    with open_records(path) as records:
        take(records, 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    with (
        pytest.raises(RecordsUnavailable, match=r"malformed\. Restore it from a backup\."),
        open_records(path) as records,
    ):
        counted(records)


def test_a_path_that_can_t_be_is_told(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(RecordsUnavailable, match=r"Is a directory: .*Check the path"), open_records(path):
        pass
    (path / "file").touch()
    with (
        pytest.raises(RecordsUnavailable, match="Not a directory"),
        open_records(path / "file" / "below" / "records.db"),
    ):
        pass


@contextmanager
def powerless() -> Iterator[Path]:
    """A folder in which this user may not write, with a file that they may, for a while: root plays somebody else."""
    with tempfile.TemporaryDirectory() as made:
        folder, user = Path(made), os.geteuid()
        (folder / "records.db").touch(0o600)
        if user == 0:
            user = 65534
            os.chown(folder / "records.db", user, -1)
        folder.chmod(0o555)
        before = os.geteuid()
        os.seteuid(user)
        try:
            yield folder
        finally:
            os.seteuid(before)
            folder.chmod(0o755)


def test_a_folder_that_is_read_only_is_told() -> None:
    with powerless() as folder:
        for name, told in {"other.db": "Permission denied", "records.db": "unable to open|readonly"}.items():
            with pytest.raises(RecordsUnavailable, match=told), open_records(folder / name):
                pass


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file can grow beyond so many bytes for a while."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_and_nothing_is_half_done(path: Path) -> None:
    with open_records(path) as records:
        take(records, 1)
        with full_disk(0), pytest.raises(RecordsUnavailable, match=r"disk.*Check the path, .* the disk has room"):
            take(records, 2)
        assert counted(records) == batches(1)
        take(records, 2)
        assert counted(records) == batches(2)
    with full_disk(0), pytest.raises(RecordsUnavailable, match="disk"), open_records(path.parent / "other.db"):
        pass


def test_what_makes_no_sense_is_told(path: Path) -> None:
    with open_records(path) as records:
        take(records, 1)
        for change, told in (("action = 99", "99 is not a valid Action"), ("action = 1, reasons = '['", "truncated")):
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(f"update ledger_entry set {change}")  # noqa: S608 - from this file
            with pytest.raises(RecordsUnavailable, match=rf"{told}\. Restore it from a backup"):
                SqlLedger(records).of(SUBJECT, 10, 10)


def test_errors_tell_nothing_of_what_was_to_be_kept(path: Path) -> None:
    with open_records(path) as records:
        ledger = SqlLedger(records)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("drop table letter")
        with pytest.raises(RecordsUnavailable) as caught:
            ledger.take(Read(1, 1), [entry(1)], [message(1)], RECEIVERS)
    context = caught.value.__context__
    told = "".join([*traceback.format_exception(caught.value), *traceback.format_exception(context)])
    assert "INSERT INTO letter" in told
    assert SUBJECT.value not in told


def test_closed_records_can_t_be_used(path: Path) -> None:
    with open_records(path) as records:
        pass
    records.close()
    with pytest.raises(RecordsUnavailable, match="it has been closed"):
        take(records, 1)
    assert [file.name for file in path.parent.iterdir()] == ["records.db"]


# ------------------------------------------------------------------------------------------------------- the migrations


def differences(connection: Connection, metadata: MetaData) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_server_default": True})
    return list(compare_metadata(context, metadata))


def made(connection: Connection) -> set[str]:
    """The statements that SQLite would make its tables and indexes with, but for what is Alembic's."""
    rows = connection.exec_driver_sql("select sql from sqlite_master where tbl_name != 'alembic_version'")
    return {re.sub(r"\s+", " ", sql) for (sql,) in rows if sql is not None}


def test_the_migrations_make_what_the_tables_say(path: Path) -> None:
    other = create_engine("sqlite://")
    METADATA.create_all(other)
    with open_records(path) as records, records.reading() as connection, other.connect() as plain:
        assert differences(connection, METADATA) == []
        assert made(connection) == made(plain)
        assert len(made(plain)) > 6
        changed = MetaData()
        for table in METADATA.sorted_tables:
            table.to_metadata(changed)
        Table("letter", changed, Column("planted", Text), extend_existing=True)
        assert [each[0] for each in differences(connection, changed)] == ["add_column"]
    other.dispose()


def test_each_migration_goes_up_and_down(path: Path) -> None:
    config = migrations()
    script = ScriptDirectory.from_config(config)
    revisions = [each.revision for each in script.walk_revisions()]
    assert script.get_heads() == revisions[:1]

    def tables(records: Records, revision: str, way: Callable[[Config, str], None]) -> list[str]:
        with records.writing() as connection:
            config.attributes["connection"] = connection
            way(config, revision)
        with records.reading() as connection:
            return sorted(set(inspect(connection).get_table_names()) - {"alembic_version"})

    with open_records(path) as records:
        take(records, 1)
        for revision in [*revisions[1:], "base"]:
            left = tables(records, revision, command.downgrade)
        assert left == []
        for revision in reversed(revisions):
            left = tables(records, revision, command.upgrade)
        assert left == sorted(METADATA.tables)
        take(records, 1)
        assert counted(records) == batches(1)


def test_the_desk_files_while_the_clerk_writes(path: Path) -> None:
    """Neither waits in vain for the other, and nothing of either is lost."""
    count = 30

    def file() -> None:
        for number in range(count):
            with open_records(path) as records:  # as the desk does: for each use
                asked = Appeal(-1, number, SUBJECT, "", 5, "help desk", 5, "why?", f"{number}")
                assert SqlAppeals(records).file(asked).new

    with open_records(path) as records, ThreadPoolExecutor(1) as other:
        filing = other.submit(file)
        for sequence in range(1, count + 1):
            take(records, sequence)
        filing.result()
        assert counted(records) == batches(count)
        assert len(SqlAppeals(records).found(Wanted(), None, 1_000)) == count


def test_what_an_older_fairgate_kept_is_still_there_with_appeals_beside_it(path: Path) -> None:
    config = migrations()
    asked = Appeal(-1, 5, SUBJECT, "", 5, "help desk", 5, "why?", "1")
    with open_records(path) as records:
        with records.writing() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "0001")
        take(records, 1)
    with open_records(path) as records:
        assert counted(records) == batches(1)
        filed = SqlAppeals(records).file(asked)
        SqlAppeals(records).decide(filed.appeal.number, Ruling(granted=True, at=6, by="ann", why="a friend"))
        take(records, 2)  # the clerk goes on, and leaves them alone
        assert counted(records) == batches(2)
        assert [each.state for each in SqlAppeals(records).found(Wanted(), None, 9)] == [AppealState.GRANTED]


def test_cases_that_were_drawn_before_that_was_noted_are_found_by_the_migration(path: Path) -> None:
    stake = Stake(0.5, 1.0, 24.0, 0.0, 100.0, Action.ALLOW, 5.0, 5)
    odd = 'a "propensity":1.0 in "it"'
    config = migrations()
    with open_records(path) as records:
        asked = [
            Case(-1, (f"a{at}",), Facts(stake), 5, "ann", odd, propensity=each) for at, each in enumerate((1.0, 0.5))
        ]
        opened = [SqlCases(records).open(each).case for each in asked]
        with records.writing() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "0007")
    with open_records(path) as records:
        assert SqlCaseQueue(records).kept(9, 9) == opened[1:]


def test_a_data_base_from_before_the_first_migration_is_brought_up(path: Path) -> None:
    config = migrations()
    with open_records(path) as records, records.writing() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with open_records(path) as records:
        take(records, 1)
        assert counted(records) == batches(1)


def test_what_a_newer_fairgate_migrated_is_left_alone(path: Path) -> None:
    with open_records(path) as records:
        take(records, 1)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update alembic_version set version_num = 'later'")
    head = ScriptDirectory.from_config(migrations()).get_current_head()
    told = f"it has revision later, this Fairgate knows {head}. Use the Fairgate that wrote it, or a newer one."
    with pytest.raises(RecordsUnavailable, match=re.escape(told)), open_records(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select count(*) from ledger_entry").fetchone() == (MANY,)


def test_a_newer_fairgate_that_migrates_it_at_the_same_time_is_noticed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_records(path):
        pass
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("delete from alembic_version")

    @contextmanager
    def late() -> Iterator[None]:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("insert into alembic_version values ('later')")
        yield

    monkeypatch.setattr(records_module, "_MIGRATING", late())
    with pytest.raises(RecordsUnavailable, match="it has revision later"), open_records(path):
        pass


def test_the_tables_can_be_made_in_postgres() -> None:
    text = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": text, "target_metadata": METADATA}
    )
    script = ScriptDirectory.from_config(migrations())
    with Operations.context(context):
        for revision in reversed(list(script.walk_revisions())):
            revision.module.upgrade()
    assert "number BIGSERIAL NOT NULL" in text.getvalue()
    assert "ends BIGINT NOT NULL" in text.getvalue()


# ---------------------------------------------------------------------------------------------------------- the queries


def test_queries_go_by_an_index_and_can_be_asked_of_postgres(path: Path) -> None:
    with open_records(path) as records:
        take(records, 1)
        ledger, outbox = SqlLedger(records), SqlOutbox(records)
        asked: list[tuple[str, Any]] = []
        event.listen(records.engine, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
        event.listen(records.engine, "before_execute", lambda *given: given[1].compile(dialect=POSTGRES))
        ledger.standing(SUBJECT, 5)
        ledger.of(SUBJECT, 5, 5)
        ledger.held(5, 5, 5)
        ledger.ended(5, 10, 5)
        outbox.waiting("books", 5, 5)
        outbox.dead("books", 5, 5)
        outbox.dead(None, 5, 5)
        outbox.backlogs()
        ledger.get(5)
        appeals = SqlAppeals(records)
        place = appeals.file(Appeal(-1, 5, SUBJECT, "", 5, "help desk", 5, "why?", "1")).appeal
        appeals.get(5)
        for wanted in (Wanted(), Wanted(AppealState.OPEN), Wanted(None, SUBJECT), Wanted(None, None, 5)):
            appeals.found(wanted, place, 5)
        appeals.docket(5)
        challenges, outcomes = SqlChallenges(records), SqlOutcomes(records)
        asked_for = Challenge("c", "captcha", "acct_1", None, "shop", "1", 5, 9, 5, "", "{}")
        challenges.put(asked_for, 9, 5)
        challenges.get("c")
        challenges.overdue(5, 5)
        outcomes.untold(5, 5)
        outcomes.waiting()
        challenges.forget(5)
        selects = [each for each in asked if each[0].startswith("SELECT")]
        with records.reading() as connection:
            plans = [
                row.detail
                for sql, values in selects
                for row in connection.exec_driver_sql(f"explain query plan {sql}", values)
            ]
    assert plans == [
        "SEARCH ledger_entry USING INDEX ledger_entry_of (kind=? AND value=?)",
        "SEARCH ledger_entry USING INDEX ledger_entry_of (kind=? AND value=? AND number<?)",
        "SEARCH ledger_entry USING INTEGER PRIMARY KEY (rowid>?)",
        "SEARCH ledger_entry USING INDEX ledger_entry_ends (ends>? AND ends<?)",
        "SCALAR SUBQUERY 1",
        "SEARCH ledger_entry USING INDEX ledger_entry_ends (ends>? AND ends<?)",
        "SEARCH letter USING INDEX letter_of (receiver=? AND dead=? AND number>?)",
        "SEARCH letter USING INDEX letter_of (receiver=? AND dead=? AND number>?)",
        "SEARCH letter USING INDEX letter_dead (dead=? AND number>?)",
        "SCAN letter USING COVERING INDEX letter_of",
        "SEARCH ledger_entry USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH appeal USING INDEX appeal_ref (filed_by=? AND ref=?)",
        "SEARCH appeal USING INDEX appeal_against (action=? AND state=?)",
        "SEARCH appeal USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH appeal USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH appeal USING INDEX appeal_due (due>?)",
        "SEARCH appeal USING INDEX appeal_state (state=? AND due>?)",
        "SEARCH appeal USING INDEX appeal_of (kind=? AND value=? AND due>?)",
        "SEARCH appeal USING INDEX appeal_against (action=?)",
        "USE TEMP B-TREE FOR ORDER BY",  # against one action there are few
        "SEARCH appeal USING COVERING INDEX appeal_state (state=?)",
        "SEARCH challenge USING INDEX challenge_ref (asked_by=? AND ref=?)",
        "SEARCH challenge USING COVERING INDEX challenge_of (account=? AND kind=? AND made>?)",
        "SEARCH challenge USING INDEX sqlite_autoindex_challenge_1 (id=?)",
        "SEARCH challenge USING INDEX sqlite_autoindex_challenge_1 (id=?)",
        "SEARCH challenge USING INDEX challenge_open (state=? AND expires<?)",
        "SEARCH challenge USING INDEX challenge_due (due<?)",
        "SEARCH challenge USING COVERING INDEX challenge_due (due>?)",
    ]


# ----------------------------------------------------------------------------------------- several at once, and crashes

CHILD = """
import sys
from pathlib import Path
from fairgate.backends.sql.sqlite import open_records
from tests.unit.backends.test_sql_records import take

print("ready", flush=True)
path, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
sys.stdin.readline()
with open_records(path) as records:
    for sequence in range(first, last):
        take(records, sequence)
        print(sequence, flush=True)
"""


def child(path: Path, first: int, last: int) -> subprocess.Popen[str]:
    """A process that opens the file when it is told to, and takes in batches."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), str(first), str(last)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_processes_may_be_the_first_to_open_it_at_the_same_time(path: Path) -> None:
    children = [child(path, number, number + 1) for number in range(1, 5)]
    for each in children:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in children:
        each.communicate(timeout=60)
        assert each.returncode == 0
    with open_records(path) as records:
        _, entries, letters = counted(records)
    assert (entries, letters) == batches(4)[1:]


def test_threads_may_be_the_first_to_open_it_and_write_at_once(path: Path) -> None:
    start, failed = threading.Barrier(4), []

    def write(number: int) -> None:
        start.wait()
        try:
            with open_records(path) as records:
                take(records, number)
        except RecordsUnavailable as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    with open_records(path) as records:
        assert counted(records)[1:] == batches(4)[1:]


def test_opening_waits_for_another_that_makes_the_file_but_not_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        with monkeypatch.context() as impatient:
            impatient.setattr(module, "_BUSY_SECONDS", 0.01)
            with pytest.raises(RecordsUnavailable, match=r"locked\. Another process"), open_records(path):
                pass
        monkeypatch.setattr(time, "sleep", lambda _: other.execute("rollback"))
        with closing(sqlite3.connect(path, timeout=0)) as late:  # told at once that it is locked
            module._use_wal(late)
            assert late.execute("pragma journal_mode").fetchone() == ("wal",)


def test_readers_don_t_wait_for_a_writer_and_see_nothing_of_what_is_not_done(path: Path) -> None:
    with open_records(path) as writer, open_records(path) as reader:
        take(writer, 1)
        with writer.writing() as connection:
            connection.execute(METADATA.tables["letter"].delete())
            with open_records(path) as late:
                assert counted(reader) == counted(late) == batches(1)
        assert counted(reader)[2] == [0, 0]


def test_a_writer_waits_for_another_but_not_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_records(path) as records:
        take(records, 1)
    monkeypatch.setattr(module, "_BUSY_SECONDS", 0.1)
    told = pytest.raises(RecordsUnavailable, match=r"locked\. Another process has been writing")
    with open_records(path) as one, open_records(path) as other, one.writing(), told:
        take(other, 2)
    with open_records(path) as records:
        assert counted(records) == batches(1)


@pytest.mark.parametrize("after", [0.0, 0.003, 0.02])
def test_a_writer_that_was_killed_leaves_whole_takes(path: Path, after: float) -> None:
    process = child(path, 1, 1_000_000)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    while int(process.stdout.readline()) < 20:
        pass
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    done = int(said.split("\n")[-2]) if "\n" in said else 20
    with open_records(path) as records:
        found = counted(records)
        assert found in (batches(done), batches(done + 1))
        take(records, found[0] + 1)
        assert counted(records) == batches(found[0] + 1)
