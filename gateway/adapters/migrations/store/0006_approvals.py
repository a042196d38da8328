"""Approvals: policies in force, requests, sign-offs, exceptions, what they admit, and deployments on their word."""

import sqlalchemy as sa
from alembic import op

revision = "store_0006"
down_revision = "store_0005"
branch_labels = None
depends_on = None

_STAYING = ("approvals", "sign_offs")

_STAYS_IN_POSTGRESQL = """
CREATE FUNCTION pinion_word_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'what a person has signed stays as it is'; END $$
"""


def upgrade() -> None:
    """Add the tables, and what refuses that a word once given is changed."""
    op.add_column("deployments", sa.Column("approval", sa.String(), nullable=True))
    _add_approval_policies()
    _add_approval_requests()
    _add_sign_offs()
    _add_approvals()
    _add_exceptions()
    _add_admissions()
    _refuse_changes_of_words()


def _add_approval_policies() -> None:
    op.create_table(
        "approval_policies",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_approval_policies")),
    )


def _add_approval_requests() -> None:
    op.create_table(
        "approval_requests",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("requester", sa.String(), nullable=False),
        sa.Column("requested_at", sa.Float(), nullable=False),
        sa.Column("deadline", sa.Float(), nullable=False),
        sa.Column("excluded", sa.JSON(), nullable=False),
        sa.Column("identified", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("rollback_plan", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("ended_reason", sa.String(), nullable=False),
        sa.Column("reminded_at", sa.Float(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_requests")),
        sa.UniqueConstraint("id", "digest", "requester", name=op.f("uq_approval_requests")),
    )
    is_open = sa.text("state = 'open'")
    names = ["kind", "environment", "name", "version"]
    op.create_index(
        "uq_approval_requests_open",
        "approval_requests",
        names,
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )


def _add_sign_offs() -> None:
    op.create_table(
        "sign_offs",
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("requester", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("comment", sa.String(), nullable=False),
        sa.Column("identified", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", "person", name=op.f("pk_sign_offs")),
        sa.ForeignKeyConstraint(
            ["request_id", "digest", "requester"],
            ["approval_requests.id", "approval_requests.digest", "approval_requests.requester"],
            name=op.f("fk_sign_offs_request_id"),
        ),
        sa.CheckConstraint("person <> requester", name=op.f("ck_sign_offs_person")),
    )


def _add_approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.ForeignKeyConstraint(["id"], ["approval_requests.id"], name=op.f("fk_approvals_id")),
        sa.UniqueConstraint("id", "environment", "name", "version", "digest", name=op.f("uq_approvals")),
    )


def _add_exceptions() -> None:
    op.create_table(
        "exceptions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.Column("is_emergency", sa.Boolean(), nullable=False),
        sa.Column("review_by", sa.Float(), nullable=True),
        sa.Column("reviewed_at", sa.Float(), nullable=True),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exceptions")),
        sa.UniqueConstraint("id", "environment", "name", "version", "digest", name=op.f("uq_exceptions")),
    )


def _add_admissions() -> None:
    place = ["environment", "route", "release", "digest"]
    theirs = ("environment", "name", "version", "digest")
    op.create_table(
        "admissions",
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("release", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("behaviour", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("approval_id", sa.String(), nullable=True),
        sa.Column("exception_id", sa.String(), nullable=True),
        sa.Column("ungoverned", sa.Boolean(), nullable=False),
        sa.Column("policies", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "route", "release", name=op.f("pk_admissions")),
        sa.ForeignKeyConstraint(
            ["approval_id", *place],
            ["approvals.id", *(f"approvals.{name}" for name in theirs)],
            name=op.f("fk_admissions_approval_id"),
        ),
        sa.ForeignKeyConstraint(
            ["exception_id", *place],
            ["exceptions.id", *(f"exceptions.{name}" for name in theirs)],
            name=op.f("fk_admissions_exception_id"),
        ),
        sa.CheckConstraint(
            "(CASE WHEN approval_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN exception_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN ungoverned THEN 1 ELSE 0 END) = 1",
            name=op.f("ck_admissions_ground"),
        ),
    )


def _refuse_changes_of_words() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if not is_sqlite:
        op.execute(_STAYS_IN_POSTGRESQL)
    for table in _STAYING:
        if is_sqlite:
            for act in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_stay_at_{act.lower()} BEFORE {act} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'what a person has signed stays as it is'); END"
                )
        else:
            op.execute(
                f"CREATE TRIGGER {table}_stay BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION pinion_word_stays()"
            )
