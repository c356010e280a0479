"""Challenges."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "challenge",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("action", _NUMBER),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("made", _NUMBER, nullable=False),
        sa.Column("expires", _NUMBER, nullable=False),
        sa.Column("most", _NUMBER, nullable=False),
        sa.Column("kept", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("attempts", _NUMBER, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("ended", _NUMBER, nullable=False),
        sa.Column("event", sa.LargeBinary),
        sa.Column("due", _NUMBER),
        sa.Column("tries", _NUMBER, nullable=False),
        comment="Challenges of late, which stand nowhere else. Times are microseconds since 1970 UTC.",
    )
    op.create_index("challenge_ref", "challenge", ["asked_by", "ref"], unique=True)
    op.create_index("challenge_of", "challenge", ["account", "kind", "made"])
    op.create_index("challenge_open", "challenge", ["state", "expires", "id"])
    op.create_index("challenge_due", "challenge", ["due", "id"])
    op.create_index("challenge_ended", "challenge", ["ended"])


def downgrade() -> None:
    """Drop it, with all that it holds: open challenges can't be answered then, and what waits is not told."""
    op.drop_table("challenge")
