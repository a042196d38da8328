"""What decided a request's release, and what applications say of answers."""

import sqlalchemy as sa
from alembic import op

revision = "ledger_0002"
down_revision = "ledger_0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the column `split`, and the table of feedback."""
    op.add_column("requests", sa.Column("split", sa.String(), nullable=True))
    op.create_table(
        "feedback",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("unit_digest", sa.String(), nullable=True),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("release", sa.String(), nullable=False),
        sa.Column("track", sa.String(), nullable=False),
        sa.Column("split", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("comment", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint("request_id", "name", name=op.f("uq_feedback")),
    )
    op.create_index(op.f("ix_feedback_at"), "feedback", ["at"], unique=False)
    op.create_index(op.f("ix_feedback_route"), "feedback", ["route", "split"], unique=False)
