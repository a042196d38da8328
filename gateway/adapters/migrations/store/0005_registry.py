"""Registered versions, and deployments: what served which route when."""

import sqlalchemy as sa
from alembic import op

revision = "store_0005"
down_revision = "store_0004"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_REFUSES_IN_SQLITE = """
CREATE TRIGGER registered_versions_are_immutable BEFORE UPDATE OF digest, content ON registered_versions
WHEN OLD.review <> 'draft' AND (NEW.digest <> OLD.digest OR NEW.content <> OLD.content)
BEGIN SELECT RAISE(ABORT, 'a registered version is immutable'); END
""", """
CREATE TRIGGER registered_versions_stay BEFORE DELETE ON registered_versions
BEGIN SELECT RAISE(ABORT, 'a registered version is never deleted'); END
"""

_REFUSES_IN_POSTGRESQL = """
CREATE FUNCTION pinion_registered_version_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN RAISE EXCEPTION 'a registered version is never deleted'; END IF;
    IF OLD.review <> 'draft' AND (NEW.digest <> OLD.digest OR NEW.content <> OLD.content) THEN
        RAISE EXCEPTION 'a registered version is immutable';
    END IF;
    RETURN NEW;
END $$
""", """
CREATE TRIGGER registered_versions_stay BEFORE UPDATE OR DELETE ON registered_versions
FOR EACH ROW EXECUTE FUNCTION pinion_registered_version_stays()
"""


def upgrade() -> None:
    """Add both tables, and what refuses a change of what has been frozen."""
    op.create_table(
        "registered_versions",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("facts_digest", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("registered_at", sa.Float(), nullable=False),
        sa.Column("author", sa.String(), nullable=True),
        sa.Column("review", sa.String(), nullable=False),
        sa.Column("lifecycle", sa.String(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("deprecated_at", sa.Float(), nullable=True),
        sa.Column("retire_at", sa.Float(), nullable=True),
        sa.Column("successor", sa.String(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "version", name=op.f("pk_registered_versions")),
    )
    op.create_table(
        "deployments",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("release", sa.String(), nullable=False),
        sa.Column("track", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=True),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
    )
    is_open = sa.text("until IS NULL")
    names = ["environment", "route", "release", "track"]
    op.create_index(
        "uq_deployments_open", "deployments", names, unique=True, sqlite_where=is_open, postgresql_where=is_open
    )
    op.create_index(op.f("ix_deployments_route"), "deployments", ["route", "since"], unique=False)
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _REFUSES_IN_SQLITE if is_sqlite else _REFUSES_IN_POSTGRESQL:
        op.execute(statement)
