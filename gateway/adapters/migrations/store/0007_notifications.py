"""Notifications: how far each of their targets has come, and when an overdue review was told."""

import sqlalchemy as sa
from alembic import op

revision = "store_0007"
down_revision = "store_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, and the column to exceptions."""
    op.create_table(
        "notification_cursors",
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("failing_since", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_notification_cursors")),
    )
    op.add_column("exceptions", sa.Column("overdue_at", sa.Float(), nullable=True))
