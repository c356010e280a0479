"""The tables of the records. A change here needs a migration, which makes it where the records are there already."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text

#: 64 bits. SQLite gives its own row numbers only to a column of just this type, which has 64 bits there.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")

METADATA: Final = MetaData()

LEDGER_ENTRY: Final = Table(
    "ledger_entry",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("action", Integer, nullable=False),
    Column("starts", _NUMBER, nullable=False),
    Column("ends", _NUMBER, nullable=False),
    Column("reasons", Text, nullable=False, comment="JSON: a list of texts"),
    Column("evidence", Text, nullable=False, comment="JSON: a list of texts"),
    Column("pack", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_why", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("undone_at", _NUMBER),
    Column("undone_by", Text),
    Column("undone_why", Text),
    Index("ledger_entry_of", "kind", "value", "number"),
    Index("ledger_entry_ends", "ends", "number"),
    comment="Entries of the ledger, each as the log said it last. Times are microseconds since 1970 UTC.",
)

LEDGER_READ: Final = Table(
    "ledger_read",
    METADATA,
    Column("sequence", _NUMBER, primary_key=True, autoincrement=False),
    Column("read_at", _NUMBER, nullable=False),
    Column("switched_off", Text, nullable=False, comment="JSON: a list of texts"),
    comment="One row, or none: how far the log was read.",
)

LETTER: Final = Table(
    "letter",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("receiver", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("made", _NUMBER, nullable=False),
    Column("due", _NUMBER, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("why", Text, nullable=False),
    Column("dead", Boolean, nullable=False),
    # `made` is for the backlogs: they are counted without a look at the letters themselves.
    Index("letter_of", "receiver", "dead", "number", "made"),
    Index("letter_dead", "dead", "number"),
    comment="Letters that wait, and those that were given up. Times are microseconds since 1970 UTC.",
    sqlite_autoincrement=True,  # or the number of the last letter would be given again once it has arrived
)

APPEAL: Final = Table(
    "appeal",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("action", _NUMBER, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("taken_by", Text, nullable=False),
    Column("filed", _NUMBER, nullable=False),
    Column("filed_by", Text, nullable=False),
    Column("due", _NUMBER, nullable=False),
    Column("words", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_at", _NUMBER),
    Column("decided_by", Text),
    Column("decided_why", Text),
    Index("appeal_ref", "filed_by", "ref", unique=True),
    Index("appeal_against", "action", "state"),
    Index("appeal_of", "kind", "value", "due", "number"),
    Index("appeal_state", "state", "due", "number"),
    Index("appeal_due", "due", "number"),
    comment="Appeals, which stand nowhere else. Times are microseconds since 1970 UTC.",
    sqlite_autoincrement=True,  # a number that was told to somebody is never another's
)
