"""The tables of the store, and the epoch at 0."""

import sqlalchemy as sa
from alembic import op

revision = "store_0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make everything that is there in the first version."""
    _add_arms_out()
    epoch = _add_epoch()
    _add_rollouts()
    _add_served_versions()
    _add_rollout_events()
    _add_routes()
    op.bulk_insert(epoch, [{"id": 1, "epoch": 0}])


def _add_arms_out() -> None:
    op.create_table(
        "arms_out",
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("experiment", sa.String(), nullable=False),
        sa.Column("release", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("route", "experiment", "release", name=op.f("pk_arms_out")),
    )


def _add_epoch() -> sa.Table:
    return op.create_table(
        "epoch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epoch")),
    )


def _add_rollouts() -> None:
    op.create_table(
        "rollouts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("stable", sa.String(), nullable=False),
        sa.Column("candidate", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=True),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=True),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollouts")),
    )
    op.create_index(op.f("ix_rollouts_route"), "rollouts", ["route"], unique=False)


def _add_served_versions() -> None:
    op.create_table(
        "served_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_served_versions")),
        sa.UniqueConstraint("kind", "name", "version", name=op.f("uq_served_versions")),
    )


def _add_rollout_events() -> None:
    op.create_table(
        "rollout_events",
        sa.Column("sequence", _BIG, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("rollout_id", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("verb", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=True),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_rollout_events_rollout_id")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_rollout_events")),
    )
    op.create_index(op.f("ix_rollout_events_route"), "rollout_events", ["route", "sequence"], unique=False)


def _add_routes() -> None:
    op.create_table(
        "routes",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("stable", sa.String(), nullable=False),
        sa.Column("serve_line", sa.String(), nullable=False),
        sa.Column("rollout_id", sa.String(), nullable=True),
        sa.Column("attempts", sa.JSON(), nullable=False),
        sa.Column("out", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_routes_rollout_id")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_routes")),
    )
