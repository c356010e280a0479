"""The tables of cases."""

from typing import Final

from sqlalchemy import Boolean, Column, Float, Index, Integer, Table, Text

from fairgate.backends.sql.tables.metadata import METADATA, NUMBER

CASE: Final = Table(
    "review_case",  # `case` is a word of SQL's
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("escalated", Boolean, nullable=False),
    Column("ready_at", NUMBER, nullable=False),
    Column("claimed_by", Text, nullable=False),
    Column("opened", NUMBER, nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("handled", Text, nullable=False, comment="JSON: what people did to it, and all else but its facts"),
    Column("facts", Text, nullable=False, comment="JSON: what decisions did to it"),
    Column("value", Float, nullable=False, comment="dollars that a minute of review saves, as of `ranked`"),
    Column("ranked", NUMBER, nullable=False),
    Column("uncertain", Boolean, nullable=False),
    Column("minutes", Float, nullable=False),
    Index("review_case_best", "state", "escalated", "value", "number", "ready_at"),
    Index("review_case_drawn", "state", "escalated", "number", "ready_at", "uncertain"),
    Index("review_case_ranked", "state", "value", "ranked"),
    Index("review_case_ref", "opened_by", "ref"),
    Index("review_case_claimed", "claimed_by", "number"),
    # For how many wait: they are counted without a look at the cases themselves.
    Index("review_case_waiting", "state", "opened", "ready_at", "minutes"),
    comment="Cases, which stand nowhere else. Times are microseconds since 1970 UTC.",
    sqlite_autoincrement=True,  # a number that was told to somebody is never another's
)

CASE_MEMBER: Final = Table(
    "review_case_member",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    Column("open", Boolean, nullable=False),
    Index("review_case_member_open", "open", "account"),
    Index("review_case_member_of", "number"),
    comment="Whom cases are about.",
)

CASE_KEPT: Final = Table(
    "review_case_kept",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    comment="Open cases that were drawn by lot.",
)

CASE_HAPPENING: Final = Table(
    "review_case_happening",
    METADATA,
    Column("place", NUMBER, primary_key=True, autoincrement=True),
    Column("number", NUMBER, nullable=False),
    Column("at", NUMBER, nullable=False),
    Column("by_whom", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("said", Text, nullable=False),
    Index("review_case_happening_of", "number", "place"),
    comment="What happened to cases, in order.",
)

CASE_FED: Final = Table(
    "review_case_fed",
    METADATA,
    Column("sequence", NUMBER, primary_key=True, autoincrement=False),
    comment="One row, or none: how far the log was read for cases.",
)
