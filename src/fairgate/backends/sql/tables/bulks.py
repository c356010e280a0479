"""The tables of bulk actions."""

from typing import Final

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text

from fairgate.backends.sql.tables.metadata import METADATA, NUMBER

BULK: Final = Table(
    "bulk",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("ref", Text, nullable=False),
    Column("drafted", NUMBER, nullable=False),
    Column("drafted_by", Text, nullable=False),
    Column("expires", NUMBER, nullable=False),
    Column("wanted", Text, nullable=False, comment="JSON: what is to be done to each"),
    Column("query", Text, nullable=False),
    Column("preview", Text, nullable=False, comment="JSON"),
    Column("second", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("confirmed_by", Text, nullable=False),
    Column("actor", Text, nullable=False, comment="JSON"),
    Column("problem", Text, nullable=False),
    Column("undo_why", Text, nullable=False),
    Index("bulk_ref", "drafted_by", "ref", unique=True),
    Index("bulk_state", "state", "number"),
    comment="Bulk actions, which stand nowhere else. Times are microseconds since 1970 UTC.",
    sqlite_autoincrement=True,  # a number names a batch at the door, and is never another's
)

BULK_ACCOUNT: Final = Table(
    "bulk_account",
    METADATA,
    Column("bulk", NUMBER, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("account", Text, nullable=False),
    Column("asked", Boolean, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("action", NUMBER, comment="the number of the action taken"),
    Column("refused", Text, comment="why none was"),
    Column("fate", Text, comment="what an undo met"),
    Index("bulk_account_left", "bulk", "settled", "place"),
    Index("bulk_account_of", "bulk", "account", unique=True),
    Index("bulk_account_action", "bulk", "action"),
    comment="The accounts of bulk actions, as they were when each was drafted.",
)

BULK_HAPPENING: Final = Table(
    "bulk_happening",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("bulk", NUMBER, nullable=False),
    Column("happened", NUMBER, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("why", Text, nullable=False),
    Index("bulk_happening_of", "bulk", "number"),
    comment="The history of bulk actions.",
    sqlite_autoincrement=True,
)
