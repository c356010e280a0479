"""Looks at cases, and gold cases."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "look",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("of_case", _NUMBER, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("ready_at", _NUMBER, nullable=False),
        sa.Column("by_whom", sa.Text, nullable=False, comment="empty until somebody has said something"),
        sa.Column("ended", _NUMBER, nullable=False),
        sa.Column("holds", sa.Boolean, nullable=False),
        sa.Column("looked", sa.Text, nullable=False, comment="JSON: all of it"),
        comment="Looks at cases, which stand nowhere else. Times are microseconds since 1970 UTC.",
        sqlite_autoincrement=True,
    )
    op.create_index("look_of_case", "look", ["of_case", "number"])
    op.create_index("look_waiting", "look", ["state", "kind", "holds", "number", "ready_at"])
    op.create_index("look_done", "look", ["state", "ended"])
    op.create_table(
        "look_given",
        sa.Column("who", sa.Text, primary_key=True),
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=False),
        comment="To whom looks were ever given.",
    )
    op.create_table(
        "gold_case",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("truth", sa.Text, nullable=False),
        sa.Column("at", _NUMBER, nullable=False),
        sa.Column("by_whom", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        comment="Decided cases of which the truth is known.",
    )


def downgrade() -> None:
    """Drop them, with all that they hold: looks stand nowhere else."""
    for name in ("gold_case", "look_given", "look"):
        op.drop_table(name)
