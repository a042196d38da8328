"""The audit trail: entries, the names and texts that can be erased from beside them, the tree, checkpoints."""

import sqlalchemy as sa
from alembic import op

revision = "store_0003"
down_revision = "store_0002"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables; the chain of a store begins with its first entry."""
    op.create_table(
        "audit_entries",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("chain", sa.String(), nullable=False),
        sa.Column("seq", _BIG, nullable=False),
        sa.Column("ts", sa.String(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("prev", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
        sa.UniqueConstraint("chain", "seq", name=op.f("uq_audit_entries_seq")),
        sa.UniqueConstraint("chain", "prev", name=op.f("uq_audit_entries_prev")),
    )
    op.create_table(
        "audit_actors",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_actors")),
        sa.UniqueConstraint("name", name=op.f("uq_audit_actors")),
    )
    op.create_table(
        "audit_texts",
        sa.Column("seq", _BIG, autoincrement=False, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_texts")),
    )
    op.create_index(op.f("ix_audit_texts_actor"), "audit_texts", ["actor"], unique=False)
    op.create_table(
        "audit_tree",
        sa.Column("chain", sa.String(), nullable=False),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("edge", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_tree")),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", _BIG, autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoints")),
    )
