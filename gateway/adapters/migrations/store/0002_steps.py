"""When a rollout entered its step and why it is held; former versions and revisions; experiments; kept evidence."""

import sqlalchemy as sa
from alembic import op

revision = "store_0002"
down_revision = "store_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the second version records; a rollout of the first entered its step when it last changed."""
    for table in ("rollouts", "rollout_events"):
        op.add_column(table, sa.Column("entered_at", sa.Float(), nullable=False, server_default="0"))
        op.add_column(table, sa.Column("holds", sa.JSON(), nullable=False, server_default="[]"))
        op.execute(f"UPDATE {table} SET entered_at = updated_at")
    op.add_column("routes", sa.Column("former", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("routes", sa.Column("revision", sa.Integer(), nullable=False, server_default="1"))
    op.create_table(
        "experiments",
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("arms", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("route", "name", name=op.f("pk_experiments")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "kept_evidence",
        sa.Column("rollout_id", sa.String(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("elapsed", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", name=op.f("pk_kept_evidence")),
    )
