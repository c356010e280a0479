"""The tables of the records, by subject. A change needs a migration, which makes it where records are there already."""

from fairgate.backends.sql.tables.appeals import APPEAL
from fairgate.backends.sql.tables.audit import AUDIT_ROW
from fairgate.backends.sql.tables.bulks import BULK, BULK_ACCOUNT, BULK_HAPPENING
from fairgate.backends.sql.tables.cases import CASE, CASE_FED, CASE_HAPPENING, CASE_KEPT, CASE_MEMBER
from fairgate.backends.sql.tables.challenges import CHALLENGE
from fairgate.backends.sql.tables.ledger import LEDGER_ENTRY, LEDGER_READ
from fairgate.backends.sql.tables.looks import GOLD_CASE, LOOK, LOOK_GIVEN
from fairgate.backends.sql.tables.metadata import METADATA
from fairgate.backends.sql.tables.outbox import LETTER
from fairgate.backends.sql.tables.people import PERSON, PERSON_SESSION
from fairgate.backends.sql.tables.rota import REVIEWER

__all__ = [
    "APPEAL",
    "AUDIT_ROW",
    "BULK",
    "BULK_ACCOUNT",
    "BULK_HAPPENING",
    "CASE",
    "CASE_FED",
    "CASE_HAPPENING",
    "CASE_KEPT",
    "CASE_MEMBER",
    "CHALLENGE",
    "GOLD_CASE",
    "LEDGER_ENTRY",
    "LEDGER_READ",
    "LETTER",
    "LOOK",
    "LOOK_GIVEN",
    "METADATA",
    "PERSON",
    "PERSON_SESSION",
    "REVIEWER",
]
