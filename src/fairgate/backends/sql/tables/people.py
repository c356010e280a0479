"""The tables of people and their sessions."""

from typing import Final

from sqlalchemy import Boolean, Column, ForeignKey, Index, LargeBinary, Table, Text

from fairgate.backends.sql.tables.metadata import METADATA, NUMBER

PERSON: Final = Table(
    "person",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created", NUMBER, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("password", Text),
    Column("totp", LargeBinary),
    Column("totp_new", LargeBinary),
    Column("step", NUMBER, nullable=False),
    Column("oidc", Text),
    Column("mapped", Boolean, nullable=False),
    Column("off", NUMBER),
    Index("person_folded", "folded", unique=True),
    Index("person_oidc", "oidc", unique=True),
    comment="People, who stand nowhere else. Times are microseconds since 1970 UTC.",
)

PERSON_SESSION: Final = Table(
    "person_session",
    METADATA,
    Column("token", LargeBinary, primary_key=True),
    Column("id", Text, nullable=False),
    Column("person", Text, ForeignKey("person.id", ondelete="CASCADE"), nullable=False),
    Column("began", NUMBER, nullable=False),
    Column("seen", NUMBER, nullable=False),
    Column("by_oidc", Boolean, nullable=False),
    Index("person_session_of", "person", "id"),
    Index("person_session_seen", "seen"),
    Index("person_session_began", "began"),
    comment="Who is logged in. `token` is the hash of what the cookie holds.",
)
