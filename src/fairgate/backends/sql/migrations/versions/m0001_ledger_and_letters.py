"""The ledger's entries, how far the log was read for them, and letters."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "ledger_entry",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("action", sa.Integer, nullable=False),
        sa.Column("starts", _NUMBER, nullable=False),
        sa.Column("ends", _NUMBER, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False, comment="JSON: a list of texts"),
        sa.Column("evidence", sa.Text, nullable=False, comment="JSON: a list of texts"),
        sa.Column("pack", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("made_why", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("undone_at", _NUMBER),
        sa.Column("undone_by", sa.Text),
        sa.Column("undone_why", sa.Text),
        comment="Entries of the ledger, each as the log said it last. Times are microseconds since 1970 UTC.",
    )
    op.create_index("ledger_entry_of", "ledger_entry", ["kind", "value", "number"])
    op.create_index("ledger_entry_ends", "ledger_entry", ["ends", "number"])
    op.create_table(
        "ledger_read",
        sa.Column("sequence", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("read_at", _NUMBER, nullable=False),
        sa.Column("switched_off", sa.Text, nullable=False, comment="JSON: a list of texts"),
        comment="One row, or none: how far the log was read.",
    )
    op.create_table(
        "letter",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("made", _NUMBER, nullable=False),
        sa.Column("due", _NUMBER, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("dead", sa.Boolean, nullable=False),
        comment="Letters that wait, and those that were given up. Times are microseconds since 1970 UTC.",
        sqlite_autoincrement=True,
    )
    op.create_index("letter_of", "letter", ["receiver", "dead", "number", "made"])
    op.create_index("letter_dead", "letter", ["dead", "number"])


def downgrade() -> None:
    """Drop them, with all that they hold."""
    for table in ("letter", "ledger_read", "ledger_entry"):
        op.drop_table(table)
