"""The table of challenges."""

from typing import Final

from sqlalchemy import Column, Index, LargeBinary, Table, Text

from fairgate.backends.sql.tables.metadata import METADATA, NUMBER

CHALLENGE: Final = Table(
    "challenge",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("action", NUMBER),
    Column("asked_by", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("made", NUMBER, nullable=False),
    Column("expires", NUMBER, nullable=False),
    Column("most", NUMBER, nullable=False),
    Column("kept", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("attempts", NUMBER, nullable=False),
    Column("state", Text, nullable=False),
    Column("ended", NUMBER, nullable=False),
    # What the door has not been told yet; none while the challenge is open, and once it was.
    Column("event", LargeBinary),
    Column("due", NUMBER),
    Column("tries", NUMBER, nullable=False),
    Index("challenge_ref", "asked_by", "ref", unique=True),
    Index("challenge_of", "account", "kind", "made"),
    Index("challenge_open", "state", "expires", "id"),
    Index("challenge_due", "due", "id"),
    Index("challenge_ended", "ended"),
    comment="Challenges of late, which stand nowhere else. Times are microseconds since 1970 UTC.",
)
