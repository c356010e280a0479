"""The table of when people review."""

from typing import Final

from sqlalchemy import Column, ForeignKey, Table, Text

from fairgate.backends.sql.tables.metadata import METADATA

REVIEWER: Final = Table(
    "reviewer",
    METADATA,
    Column("person", Text, ForeignKey("person.id", ondelete="CASCADE"), primary_key=True),
    Column("shifts", Text, nullable=False, comment="JSON: their hours, skills, days off, and whom they do not judge"),
    comment="When people review, which stands nowhere else.",
)
