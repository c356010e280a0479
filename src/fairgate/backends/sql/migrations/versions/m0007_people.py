"""People and their sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "person",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("created", _NUMBER, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("password", sa.Text),
        sa.Column("totp", sa.LargeBinary),
        sa.Column("totp_new", sa.LargeBinary),
        sa.Column("step", _NUMBER, nullable=False),
        sa.Column("oidc", sa.Text),
        sa.Column("mapped", sa.Boolean, nullable=False),
        sa.Column("off", _NUMBER),
        comment="People, who stand nowhere else. Times are microseconds since 1970 UTC.",
    )
    op.create_index("person_folded", "person", ["folded"], unique=True)
    op.create_index("person_oidc", "person", ["oidc"], unique=True)
    op.create_table(
        "person_session",
        sa.Column("token", sa.LargeBinary, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("person", sa.Text, sa.ForeignKey("person.id", ondelete="CASCADE"), nullable=False),
        sa.Column("began", _NUMBER, nullable=False),
        sa.Column("seen", _NUMBER, nullable=False),
        sa.Column("by_oidc", sa.Boolean, nullable=False),
        comment="Who is logged in. `token` is the hash of what the cookie holds.",
    )
    op.create_index("person_session_of", "person_session", ["person", "id"])
    op.create_index("person_session_seen", "person_session", ["seen"])
    op.create_index("person_session_began", "person_session", ["began"])


def downgrade() -> None:
    """Drop them, with all that they hold: people stand nowhere else."""
    op.drop_table("person_session")
    op.drop_table("person")
