"""The tables of the ledger."""

from typing import Final

from sqlalchemy import Column, Index, Integer, Table, Text

from fairgate.backends.sql.tables.metadata import METADATA, NUMBER

LEDGER_ENTRY: Final = Table(
    "ledger_entry",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("action", Integer, nullable=False),
    Column("starts", NUMBER, nullable=False),
    Column("ends", NUMBER, nullable=False),
    Column("reasons", Text, nullable=False, comment="JSON: a list of texts"),
    Column("evidence", Text, nullable=False, comment="JSON: a list of texts"),
    Column("pack", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_why", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("undone_at", NUMBER),
    Column("undone_by", Text),
    Column("undone_why", Text),
    Index("ledger_entry_of", "kind", "value", "number"),
    Index("ledger_entry_ends", "ends", "number"),
    comment="Entries of the ledger, each as the log said it last. Times are microseconds since 1970 UTC.",
)

LEDGER_READ: Final = Table(
    "ledger_read",
    METADATA,
    Column("sequence", NUMBER, primary_key=True, autoincrement=False),
    Column("read_at", NUMBER, nullable=False),
    Column("switched_off", Text, nullable=False, comment="JSON: a list of texts"),
    comment="One row, or none: how far the log was read.",
)
