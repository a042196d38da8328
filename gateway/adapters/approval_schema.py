"""The tables of approvals in the store. Their constraints keep the law, whoever writes them.

Nobody signs a request of their own, or twice; a sign-off is on the digest that its request is for; an admission rests
on exactly one approval or exception of the same release, environment and digest, or says that nothing governed it.
Triggers refuse that an approval or a sign-off is changed or deleted.
"""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    text,
)

from gateway.adapters.sql_schema import STORE

approval_policies = Table(
    "approval_policies",
    STORE,
    Column("name", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("content", JSON, nullable=False),
)
"""The approval policies in force."""

approval_requests = Table(
    "approval_requests",
    STORE,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("environment", String, nullable=False),
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("parts", JSON, nullable=False),
    Column("policy", JSON, nullable=False),
    Column("requester", String, nullable=False),
    Column("requested_at", Float, nullable=False),
    Column("deadline", Float, nullable=False),
    Column("excluded", JSON, nullable=False),
    Column("identified", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("rollback_plan", String, nullable=False),
    Column("state", String, nullable=False),
    Column("ended_at", Float),
    Column("ended_by", String),
    Column("ended_reason", String, nullable=False),
    Column("reminded_at", Float),
    Column("revision", Integer, nullable=False),
    UniqueConstraint("id", "digest", "requester"),
    Index(
        "uq_approval_requests_open",
        "kind",
        "environment",
        "name",
        "version",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)
"""Every request for approval as it stands now; of each thing at most one is open."""

sign_offs = Table(
    "sign_offs",
    STORE,
    Column("request_id", String, primary_key=True),
    Column("person", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("requester", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("comment", String, nullable=False),
    Column("identified", String, nullable=False),
    ForeignKeyConstraint(
        ["request_id", "digest", "requester"],
        ["approval_requests.id", "approval_requests.digest", "approval_requests.requester"],
    ),
    CheckConstraint("person <> requester", name="ck_sign_offs_person"),
)
"""Each person's word on a request: one a person, never the requester's, on the digest that was requested."""

approvals = Table(
    "approvals",
    STORE,
    Column("id", ForeignKey("approval_requests.id"), primary_key=True),
    Column("kind", String, nullable=False),
    Column("environment", String, nullable=False),
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("until", Float),
    UniqueConstraint("id", "environment", "name", "version", "digest"),
)
"""What was approved, by the id of its request."""

exceptions = Table(
    "exceptions",
    STORE,
    Column("id", String, primary_key=True),
    Column("environment", String, nullable=False),
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("until", Float, nullable=False),
    Column("is_emergency", Boolean, nullable=False),
    Column("review_by", Float),
    Column("reviewed_at", Float),
    Column("ended_at", Float),
    Column("overdue_at", Float),
    UniqueConstraint("id", "environment", "name", "version", "digest"),
)
"""What may serve for a time without an approval, and who answers for it."""

admissions = Table(
    "admissions",
    STORE,
    Column("environment", String, primary_key=True),
    Column("route", String, primary_key=True),
    Column("release", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("behaviour", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("approval_id", String),
    Column("exception_id", String),
    Column("ungoverned", Boolean, nullable=False),
    Column("policies", JSON, nullable=False),
    ForeignKeyConstraint(
        ["approval_id", "environment", "route", "release", "digest"],
        ["approvals.id", "approvals.environment", "approvals.name", "approvals.version", "approvals.digest"],
    ),
    ForeignKeyConstraint(
        ["exception_id", "environment", "route", "release", "digest"],
        ["exceptions.id", "exceptions.environment", "exceptions.name", "exceptions.version", "exceptions.digest"],
    ),
    CheckConstraint(
        "(CASE WHEN approval_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN exception_id IS NULL THEN 0 ELSE 1 END)"
        " + (CASE WHEN ungoverned THEN 1 ELSE 0 END) = 1",
        name="ck_admissions_ground",
    ),
)
"""What may serve where, and on whose word."""
