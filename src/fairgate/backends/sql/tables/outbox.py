"""The table of the outbox."""

from typing import Final

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Table, Text

from fairgate.backends.sql.tables.metadata import METADATA, NUMBER

LETTER: Final = Table(
    "letter",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("receiver", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("made", NUMBER, nullable=False),
    Column("due", NUMBER, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("why", Text, nullable=False),
    Column("dead", Boolean, nullable=False),
    # `made` is for the backlogs: they are counted without a look at the letters themselves.
    Index("letter_of", "receiver", "dead", "number", "made"),
    Index("letter_dead", "dead", "number"),
    comment="Letters that wait, and those that were given up. Times are microseconds since 1970 UTC.",
    sqlite_autoincrement=True,  # or the number of the last letter would be given again once it has arrived
)
