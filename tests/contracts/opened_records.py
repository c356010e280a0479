"""Every implementation of the records' ports, by subject, opened on a folder of its own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

import pytest

from fairgate.backends.sql import sqlite
from fairgate.backends.sql.appeals import SqlAppeals
from fairgate.backends.sql.audit import SqlAudit
from fairgate.backends.sql.bulks import SqlBulks
from fairgate.backends.sql.cases import SqlCaseFeed, SqlCaseIntake, SqlCaseQueue, SqlCases
from fairgate.backends.sql.challenges import SqlChallenges, SqlOutcomes
from fairgate.backends.sql.ledger import SqlLedger
from fairgate.backends.sql.looks import SqlGoldCases, SqlLooks
from fairgate.backends.sql.outbox import SqlOutbox
from fairgate.backends.sql.people import SqlPeople
from fairgate.backends.sql.records import Records
from fairgate.backends.sql.rota import SqlRota
from fairgate.ports.appeals import Appeals
from fairgate.ports.audit import Audit
from fairgate.ports.bulks import Bulks
from fairgate.ports.cases import CaseFeed, CaseIntake, CaseQueue, Cases
from fairgate.ports.challenges import Challenges, Outcomes
from fairgate.ports.ledger import LedgerRecords
from fairgate.ports.looks import GoldCases, Looks
from fairgate.ports.outbox import Outbox
from fairgate.ports.people import People
from fairgate.ports.rota import Rota
from tests.contracts import postgres

_Port = TypeVar("_Port")
_Opened: TypeAlias = Callable[[Path], AbstractContextManager[_Port]]
Open: TypeAlias = _Opened[tuple[LedgerRecords, Outbox]]
OpenAppeals: TypeAlias = _Opened[Appeals]
OpenPeople: TypeAlias = _Opened[tuple[People, Audit]]
OpenRota: TypeAlias = _Opened[tuple[People, Rota, Audit]]
OpenBulks: TypeAlias = _Opened[Bulks]
OpenCases: TypeAlias = _Opened["CaseFile"]
OpenLooks: TypeAlias = _Opened["LookFile"]
OpenChallenges: TypeAlias = _Opened[tuple[Challenges, Outcomes]]
OpenAudit: TypeAlias = _Opened[Audit]


def on_every_data_base(of: Callable[[Records], _Port]) -> pytest.MarkDecorator:
    """Runs a test with `opened` for each data base: what opens a port on it, in a folder."""
    return pytest.mark.parametrize(
        "opened",
        [
            pytest.param(_opening(of, _sqlite), id="sqlite"),
            pytest.param(in_postgres(of), id="postgres", marks=pytest.mark.server),
        ],
    )


def in_postgres(of: Callable[[Records], _Port]) -> _Opened[_Port]:
    """Opens a port on PostgreSQL: for tests with the mark `server`."""
    return _opening(of, postgres.open_records)


def ledger_and_outbox(records: Records) -> tuple[LedgerRecords, Outbox]:
    return SqlLedger(records), SqlOutbox(records)


def appeals(records: Records) -> Appeals:
    return SqlAppeals(records)


def people(records: Records) -> tuple[People, Audit]:
    return SqlPeople(records), SqlAudit(records)


def people_and_rota(records: Records) -> tuple[People, Rota, Audit]:
    return SqlPeople(records), SqlRota(records), SqlAudit(records)


def bulks(records: Records) -> Bulks:
    return SqlBulks(records)


class CaseFile(NamedTuple):
    """The ports of cases."""

    cases: Cases
    intake: CaseIntake
    queue: CaseQueue
    feed: CaseFeed


def case_file(records: Records) -> CaseFile:
    return CaseFile(SqlCases(records), SqlCaseIntake(records), SqlCaseQueue(records), SqlCaseFeed(records))


class LookFile(NamedTuple):
    """The ports of looks, and of the cases that they are at."""

    looks: Looks
    gold: GoldCases
    cases: Cases


def look_file(records: Records) -> LookFile:
    return LookFile(SqlLooks(records), SqlGoldCases(records), SqlCases(records))


def challenges_and_outcomes(records: Records) -> tuple[Challenges, Outcomes]:
    return SqlChallenges(records), SqlOutcomes(records)


def audit(records: Records) -> Audit:
    return SqlAudit(records)


def _opening(of: Callable[[Records], _Port], opens: _Opened[Records]) -> _Opened[_Port]:
    @contextmanager
    def opened(folder: Path) -> Iterator[_Port]:
        with opens(folder) as records:
            yield of(records)

    return opened


def _sqlite(folder: Path) -> AbstractContextManager[Records]:
    return sqlite.open_records(folder / "records.db")


#: As the planted mutants are opened: what they have wrong is wrong on every data base.
open_sql: Open = _opening(ledger_and_outbox, _sqlite)
open_sql_appeals: OpenAppeals = _opening(appeals, _sqlite)
open_sql_people: OpenPeople = _opening(people, _sqlite)
open_sql_rota: OpenRota = _opening(people_and_rota, _sqlite)
open_sql_bulks: OpenBulks = _opening(bulks, _sqlite)
open_sql_cases: OpenCases = _opening(case_file, _sqlite)
open_sql_looks: OpenLooks = _opening(look_file, _sqlite)
open_sql_challenges: OpenChallenges = _opening(challenges_and_outcomes, _sqlite)
open_sql_audit: OpenAudit = _opening(audit, _sqlite)
