"""Every implementation of the records, such as ledger, outbox, appeals and challenges, on a folder of its own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from fairgate.backends.sql.appeals import SqlAppeals
from fairgate.backends.sql.challenges import SqlChallenges, SqlOutcomes
from fairgate.backends.sql.ledger import SqlLedger
from fairgate.backends.sql.outbox import SqlOutbox
from fairgate.backends.sql.records import open_records
from fairgate.ports.appeals import Appeals
from fairgate.ports.challenges import Challenges, Outcomes
from fairgate.ports.ledger import LedgerRecords
from fairgate.ports.outbox import Outbox

Open = Callable[[Path], AbstractContextManager[tuple[LedgerRecords, Outbox]]]
OpenAppeals = Callable[[Path], AbstractContextManager[Appeals]]
OpenChallenges = Callable[[Path], AbstractContextManager[tuple[Challenges, Outcomes]]]


@contextmanager
def open_sql(folder: Path) -> Iterator[tuple[LedgerRecords, Outbox]]:
    with open_records(folder / "records.db") as records:
        yield SqlLedger(records), SqlOutbox(records)


@contextmanager
def open_sql_appeals(folder: Path) -> Iterator[Appeals]:
    with open_records(folder / "records.db") as records:
        yield SqlAppeals(records)


@contextmanager
def open_sql_challenges(folder: Path) -> Iterator[tuple[Challenges, Outcomes]]:
    with open_records(folder / "records.db") as records:
        yield SqlChallenges(records), SqlOutcomes(records)


IMPLEMENTATIONS: dict[str, Open] = {"sql": open_sql}
APPEALS: dict[str, OpenAppeals] = {"sql": open_sql_appeals}
CHALLENGES: dict[str, OpenChallenges] = {"sql": open_sql_challenges}
