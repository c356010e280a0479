"""Cases."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "review_case",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("escalated", sa.Boolean, nullable=False),
        sa.Column("ready_at", _NUMBER, nullable=False),
        sa.Column("claimed_by", sa.Text, nullable=False),
        sa.Column("opened", _NUMBER, nullable=False),
        sa.Column("opened_by", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column(
            "handled", sa.Text, nullable=False, comment="JSON: what people did to it, and all else but its facts"
        ),
        sa.Column("facts", sa.Text, nullable=False, comment="JSON: what decisions did to it"),
        sa.Column("value", sa.Float, nullable=False, comment="dollars that a minute of review saves, as of `ranked`"),
        sa.Column("ranked", _NUMBER, nullable=False),
        sa.Column("uncertain", sa.Boolean, nullable=False),
        sa.Column("minutes", sa.Float, nullable=False),
        comment="Cases, which stand nowhere else. Times are microseconds since 1970 UTC.",
        sqlite_autoincrement=True,
    )
    op.create_index("review_case_best", "review_case", ["state", "escalated", "value", "number", "ready_at"])
    op.create_index("review_case_drawn", "review_case", ["state", "escalated", "number", "ready_at", "uncertain"])
    op.create_index("review_case_ranked", "review_case", ["state", "value", "ranked"])
    op.create_index("review_case_ref", "review_case", ["opened_by", "ref"])
    op.create_index("review_case_claimed", "review_case", ["claimed_by", "number"])
    op.create_index("review_case_waiting", "review_case", ["state", "opened", "ready_at", "minutes"])
    op.create_table(
        "review_case_member",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("open", sa.Boolean, nullable=False),
        comment="Whom cases are about.",
    )
    op.create_index("review_case_member_open", "review_case_member", ["open", "account"])
    op.create_index("review_case_member_of", "review_case_member", ["number"])
    op.create_table(
        "review_case_happening",
        sa.Column("place", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("at", _NUMBER, nullable=False),
        sa.Column("by_whom", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        comment="What happened to cases, in order.",
    )
    op.create_index("review_case_happening_of", "review_case_happening", ["number", "place"])
    op.create_table(
        "review_case_fed",
        sa.Column("sequence", _NUMBER, primary_key=True, autoincrement=False),
        comment="One row, or none: how far the log was read for cases.",
    )


def downgrade() -> None:
    """Drop them, with all that they hold: cases stand nowhere else."""
    for name in ("review_case_fed", "review_case_happening", "review_case_member", "review_case"):
        op.drop_table(name)
