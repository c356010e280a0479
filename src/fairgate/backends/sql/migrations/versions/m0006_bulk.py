"""Bulk actions."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "bulk",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("drafted", _NUMBER, nullable=False),
        sa.Column("drafted_by", sa.Text, nullable=False),
        sa.Column("expires", _NUMBER, nullable=False),
        sa.Column("wanted", sa.Text, nullable=False, comment="JSON: what is to be done to each"),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("preview", sa.Text, nullable=False, comment="JSON"),
        sa.Column("second", sa.Boolean, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("confirmed_by", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False, comment="JSON"),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("undo_why", sa.Text, nullable=False),
        comment="Bulk actions, which stand nowhere else. Times are microseconds since 1970 UTC.",
        sqlite_autoincrement=True,
    )
    op.create_index("bulk_ref", "bulk", ["drafted_by", "ref"], unique=True)
    op.create_index("bulk_state", "bulk", ["state", "number"])
    op.create_table(
        "bulk_account",
        sa.Column("bulk", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("asked", sa.Boolean, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("action", _NUMBER, comment="the number of the action taken"),
        sa.Column("refused", sa.Text, comment="why none was"),
        sa.Column("fate", sa.Text, comment="what an undo met"),
        comment="The accounts of bulk actions, as they were when each was drafted.",
    )
    op.create_index("bulk_account_left", "bulk_account", ["bulk", "settled", "place"])
    op.create_index("bulk_account_of", "bulk_account", ["bulk", "account"], unique=True)
    op.create_index("bulk_account_action", "bulk_account", ["bulk", "action"])
    op.create_table(
        "bulk_happening",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("bulk", _NUMBER, nullable=False),
        sa.Column("happened", _NUMBER, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        comment="The history of bulk actions.",
        sqlite_autoincrement=True,
    )
    op.create_index("bulk_happening_of", "bulk_happening", ["bulk", "number"])


def downgrade() -> None:
    """Drop them, with all that they hold: bulk actions stand nowhere else."""
    for table in ("bulk_happening", "bulk_account", "bulk"):
        op.drop_table(table)
