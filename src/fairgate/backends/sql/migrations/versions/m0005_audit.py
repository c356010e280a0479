"""The audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "audit_row",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("time", _NUMBER, nullable=False),
        sa.Column("done_by", sa.Text, nullable=False),
        sa.Column("api_key", sa.Text, nullable=False, comment="the id of an API key; empty where there was none"),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("case_number", _NUMBER),
        sa.Column("sequence", _NUMBER, comment="the record of the log that it comes from"),
        sa.Column("more", sa.Text, nullable=False, comment="JSON: an object, or empty"),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        comment="The audit log. Each row's hash is over all of it and the hash before."
        " Times are microseconds since 1970 UTC.",
    )
    op.create_index("audit_row_time", "audit_row", ["time"])
    op.create_index("audit_row_by", "audit_row", ["done_by", "number"])
    op.create_index("audit_row_what", "audit_row", ["what", "number"])
    op.create_index("audit_row_of", "audit_row", ["kind", "value", "number"])


def downgrade() -> None:
    """Drop it, with all that it holds: most of it stands nowhere else."""
    op.drop_table("audit_row")
