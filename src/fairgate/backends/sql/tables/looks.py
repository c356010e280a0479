"""The tables of looks at cases, and of gold cases."""

from typing import Final

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text

from fairgate.backends.sql.tables.metadata import METADATA, NUMBER

LOOK: Final = Table(
    "look",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("of_case", NUMBER, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("ready_at", NUMBER, nullable=False),
    Column("by_whom", Text, nullable=False, comment="empty until somebody has said something"),
    Column("ended", NUMBER, nullable=False),
    Column("holds", Boolean, nullable=False),
    Column("looked", Text, nullable=False, comment="JSON: all of it"),
    Index("look_of_case", "of_case", "number"),
    Index("look_waiting", "state", "kind", "holds", "number", "ready_at"),
    Index("look_done", "state", "ended"),
    comment="Looks at cases, which stand nowhere else. Times are microseconds since 1970 UTC.",
    sqlite_autoincrement=True,  # a number that was told to somebody is never another's
)

LOOK_GIVEN: Final = Table(
    "look_given",
    METADATA,
    Column("who", Text, primary_key=True),
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    comment="To whom looks were ever given.",
)

GOLD_CASE: Final = Table(
    "gold_case",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    Column("truth", Text, nullable=False),
    Column("at", NUMBER, nullable=False),
    Column("by_whom", Text, nullable=False),
    Column("why", Text, nullable=False),
    comment="Decided cases of which the truth is known.",
)
