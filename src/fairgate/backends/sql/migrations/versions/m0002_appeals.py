"""Appeals."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "appeal",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("action", _NUMBER, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("taken_by", sa.Text, nullable=False),
        sa.Column("filed", _NUMBER, nullable=False),
        sa.Column("filed_by", sa.Text, nullable=False),
        sa.Column("due", _NUMBER, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("decided_at", _NUMBER),
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_why", sa.Text),
        comment="Appeals, which stand nowhere else. Times are microseconds since 1970 UTC.",
        sqlite_autoincrement=True,
    )
    op.create_index("appeal_ref", "appeal", ["filed_by", "ref"], unique=True)
    op.create_index("appeal_against", "appeal", ["action", "state"])
    op.create_index("appeal_of", "appeal", ["kind", "value", "due", "number"])
    op.create_index("appeal_state", "appeal", ["state", "due", "number"])
    op.create_index("appeal_due", "appeal", ["due", "number"])


def downgrade() -> None:
    """Drop it, with all that it holds: appeals stand nowhere else."""
    op.drop_table("appeal")
