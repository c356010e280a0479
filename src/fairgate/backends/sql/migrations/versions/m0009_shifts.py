"""When people review, and which cases were drawn by lot."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: In texts that people wrote there is a backslash before each of these quotes.
_NOT_DRAWN = '%"propensity":1.0%'


def upgrade() -> None:
    """Make the tables, and take in the open cases that were drawn."""
    op.create_table(
        "reviewer",
        sa.Column("person", sa.Text, sa.ForeignKey("person.id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "shifts", sa.Text, nullable=False, comment="JSON: their hours, skills, days off, and whom they do not judge"
        ),
        comment="When people review, which stands nowhere else.",
    )
    kept = op.create_table(
        "review_case_kept",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=False),
        comment="Open cases that were drawn by lot.",
    )
    case = sa.table("review_case", sa.column("number"), sa.column("state"), sa.column("handled"))
    drawn = sa.select(case.c.number).where(case.c.state == "open", case.c.handled.not_like(_NOT_DRAWN))
    op.execute(kept.insert().from_select(["number"], drawn))


def downgrade() -> None:
    """Drop them, with all that they hold: when people review stands nowhere else."""
    op.drop_table("review_case_kept")
    op.drop_table("reviewer")
