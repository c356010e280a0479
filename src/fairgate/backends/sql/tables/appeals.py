"""The table of appeals."""

from typing import Final

from sqlalchemy import Column, Index, Table, Text

from fairgate.backends.sql.tables.metadata import METADATA, NUMBER

APPEAL: Final = Table(
    "appeal",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("action", NUMBER, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("taken_by", Text, nullable=False),
    Column("filed", NUMBER, nullable=False),
    Column("filed_by", Text, nullable=False),
    Column("due", NUMBER, nullable=False),
    Column("words", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_at", NUMBER),
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
