"""The table of the audit log."""

from typing import Final

from sqlalchemy import Column, Index, Table, Text

from fairgate.backends.sql.tables.metadata import METADATA, NUMBER

AUDIT_ROW: Final = Table(
    "audit_row",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    Column("time", NUMBER, nullable=False),
    Column("done_by", Text, nullable=False),
    Column("api_key", Text, nullable=False, comment="the id of an API key; empty where there was none"),
    Column("what", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("case_number", NUMBER),
    Column("sequence", NUMBER, comment="the record of the log that it comes from"),
    Column("more", Text, nullable=False, comment="JSON: an object, or empty"),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("audit_row_time", "time"),
    Index("audit_row_by", "done_by", "number"),
    Index("audit_row_what", "what", "number"),
    Index("audit_row_of", "kind", "value", "number"),
    comment="The audit log. Each row's hash is over all of it and the hash before."
    " Times are microseconds since 1970 UTC.",
)
