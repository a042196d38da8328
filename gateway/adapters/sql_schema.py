"""The tables. Two databases: the store, which holds what is true, and the ledger, a row for each request.

Types are those that SQLite and PostgreSQL share. A change here needs a migration beside it; a test compares the two.
Times are wall seconds.
"""

from typing import Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

_NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
}

SchemaName = Literal["store", "ledger"]

_BIG = BigInteger().with_variant(Integer, "sqlite")
"""A count without end; SQLite's plain integers have 64 bits, and only those number rows by themselves."""

STORE = MetaData(naming_convention=_NAMES)

epoch = Table("epoch", STORE, Column("id", Integer, primary_key=True), Column("epoch", _BIG, nullable=False))
"""One row: a number that every write raises."""

rollouts = Table(
    "rollouts",
    STORE,
    Column("id", String, primary_key=True),
    Column("route", String, nullable=False, index=True),
    Column("stable", String, nullable=False),
    Column("candidate", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("step", Integer),
    Column("plan", JSON, nullable=False),
    Column("reason", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("evidence", JSON(none_as_null=True)),
    Column("started_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("entered_at", Float, nullable=False),
    Column("holds", JSON, nullable=False),
)
"""Every rollout as it stands now."""

routes = Table(
    "routes",
    STORE,
    Column("name", String, primary_key=True),
    Column("stable", String, nullable=False),
    Column("serve_line", String, nullable=False),
    Column("rollout_id", ForeignKey("rollouts.id")),
    Column("attempts", JSON, nullable=False),
    Column("out", JSON, nullable=False),
    Column("former", JSON, nullable=False),
    Column("revision", Integer, nullable=False),
)
"""What is recorded of a route.

`attempts` is a list of [stable, candidate, highest attempt], `out` an object of rolled back versions and the reasons,
`former` a list of [version, until when it was stable].
"""

rollout_events = Table(
    "rollout_events",
    STORE,
    Column("sequence", _BIG, primary_key=True),
    Column("at", Float, nullable=False),
    Column("rollout_id", ForeignKey("rollouts.id"), nullable=False),
    Column("route", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("state", String, nullable=False),
    Column("step", Integer),
    Column("actor", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("evidence", JSON(none_as_null=True)),
    Column("started_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("entered_at", Float, nullable=False),
    Column("holds", JSON, nullable=False),
    Index(None, "route", "sequence"),
)
"""Every act on a rollout, with what it became. Rows are added and never changed."""

experiments = Table(
    "experiments",
    STORE,
    Column("route", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("at", Float, nullable=False),
    Column("arms", JSON, nullable=False),
)
"""When an experiment began; `arms` is a list of [name, release version, share in parts per million]."""

leases = Table(
    "leases",
    STORE,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("until", Float, nullable=False),
)
"""Which gateway does what only one of them should, and until when."""

arms_out = Table(
    "arms_out",
    STORE,
    Column("route", String, primary_key=True),
    Column("experiment", String, primary_key=True),
    Column("release", String, primary_key=True),
    Column("reason", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("evidence", JSON, nullable=False),
)
"""Arms that were taken out of traffic for good."""

kept_evidence = Table(
    "kept_evidence",
    STORE,
    Column("rollout_id", String, primary_key=True),
    Column("step", Integer, nullable=False),
    Column("elapsed", Float, nullable=False),
    Column("at", Float, nullable=False),
    Column("evidence", JSON, nullable=False),
)
"""What a rollout's step had shown when it was last written down."""

served_versions = Table(
    "served_versions",
    STORE,
    Column("id", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("at", Float, nullable=False),
    UniqueConstraint("kind", "name", "version"),
)
"""Versions that have been in the way of requests, with the digest that they had then."""

registered_versions = Table(
    "registered_versions",
    STORE,
    Column("kind", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("version", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("facts_digest", String, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("registered_at", Float, nullable=False),
    Column("author", String),
    Column("review", String, nullable=False),
    Column("lifecycle", String, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("reason", String, nullable=False),
    Column("deprecated_at", Float),
    Column("retire_at", Float),
    Column("successor", String),
    Column("revision", Integer, nullable=False),
)
"""Every version that was ever registered; `content` is the canonical JSON that the digest covers, byte for byte.

Triggers refuse another digest for one that is no draft, and the deletion of any.
"""

deployments = Table(
    "deployments",
    STORE,
    Column("id", _BIG, primary_key=True),
    Column("environment", String, nullable=False),
    Column("route", String, nullable=False),
    Column("release", String, nullable=False),
    Column("track", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("since", Float, nullable=False),
    Column("until", Float),
    Column("why", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("approval", String),
    Index(
        "uq_deployments_open",
        "environment",
        "route",
        "release",
        "track",
        unique=True,
        sqlite_where=text("until IS NULL"),
        postgresql_where=text("until IS NULL"),
    ),
    Index(None, "route", "since"),
)
"""Which release served which route on which track, from when to when, why, and on whose word.

`until` is NULL while it serves.
"""

credentials = Table(
    "credentials",
    STORE,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("created_by", String, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Column("revoked_by", String),
    Column("replaced_by", String),
)
"""Keys of applications and tokens of operators that were issued, by their digests; none is ever forgotten."""

key_uses = Table(
    "key_uses",
    STORE,
    Column("sha256", String, primary_key=True),
    Column("at", Float, nullable=False),
)
"""When a key was last used, to the minute."""

access_used = Table(
    "access_used",
    STORE,
    Column("operator", String, primary_key=True),
    Column("permission", String, primary_key=True),
    Column("day", Integer, nullable=False),
)
"""On which day, from 1970-01-01, an operator last did what a permission allows."""

audit_entries = Table(
    "audit_entries",
    STORE,
    Column("id", _BIG, primary_key=True),
    Column("chain", String, nullable=False),
    Column("seq", _BIG, nullable=False),
    Column("ts", String, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Column("hash", String, nullable=False),
    Column("prev", String, nullable=False),
    UniqueConstraint("chain", "seq", name="uq_audit_entries_seq"),
    UniqueConstraint("chain", "prev", name="uq_audit_entries_prev"),
)
"""The audit trail, an entry a row: the bytes that are hashed, and what is in them that the database must know.

Two entries after one cannot be committed. No foreign key leads here, so that nothing else can delete an entry.
"""

audit_actors = Table(
    "audit_actors",
    STORE,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("salt", LargeBinary, nullable=False),
)
"""Whose name each pseudonym in the entries is, until it is erased."""

audit_texts = Table(
    "audit_texts",
    STORE,
    Column("seq", _BIG, primary_key=True, autoincrement=False),
    Column("actor", String, nullable=False, index=True),
    Column("salt", LargeBinary, nullable=False),
    Column("text", String, nullable=False),
)
"""The reason that an entry has as a digest, by its number and its actor's pseudonym, until it is erased."""

audit_tree = Table(
    "audit_tree",
    STORE,
    Column("chain", String, primary_key=True),
    Column("size", _BIG, nullable=False),
    Column("hash", String, nullable=False),
    Column("edge", JSON, nullable=False),
)
"""One row: how many entries there are, the hash of the last, and the right edge of the Merkle tree over them all."""

audit_checkpoints = Table(
    "audit_checkpoints",
    STORE,
    Column("size", _BIG, primary_key=True, autoincrement=False),
    Column("origin", String, nullable=False),
    Column("root", String, nullable=False),
    Column("note", String, nullable=False),
)
"""The signed checkpoints, by the number of entries that they stand for."""

notification_cursors = Table(
    "notification_cursors",
    STORE,
    Column("target", String, primary_key=True),
    Column("seq", _BIG, nullable=False),
    Column("failing_since", Float),
)
"""Up to which entry of the audit trail a target of notifications has what they tell; it is known by a digest."""

fleet_secret = Table(
    "fleet_secret",
    STORE,
    Column("id", Integer, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
)
"""One row: what gateways of this store seal with what they hand over to each other, drawn by the first that asks."""

fleet_size = Table(
    "fleet_size",
    STORE,
    Column("id", Integer, primary_key=True),
    Column("replicas", Integer, nullable=False),
)
"""One row: among how many gateways what all of them share is divided, as the fleet had it last."""

LEDGER = MetaData(naming_convention=_NAMES)

requests = Table(
    "requests",
    LEDGER,
    Column("id", _BIG, primary_key=True),
    Column("request_id", String, nullable=False, unique=True),
    Column("at", Float, nullable=False, index=True),
    Column("app", String, nullable=False),
    Column("route", String, nullable=False),
    Column("release", String, nullable=False),
    Column("track", String, nullable=False),
    Column("why", String, nullable=False),
    Column("bucket", Integer),
    Column("unit_digest", String),
    Column("outcome", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("first_token_seconds", Float),
    Column("overhead_seconds", Float, nullable=False),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cached_input_tokens", BigInteger),
    Column("cost_nano_usd", BigInteger),
    Column("cost_status", String, nullable=False),
    Column("partial", Boolean, nullable=False),
    Column("input_digest", String, nullable=False),
    Column("served_model", String),
    Column("fingerprint", String),
    Column("response_id", String),
    Column("upstream_request_id", String),
    Column("endpoint", String, nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("sdk_retries", Integer, nullable=False),
    Column("attempts", JSON, nullable=False),
    Column("epoch", _BIG, nullable=False),
    Column("shadow_of", String),
    Column("schema_valid", Boolean),
    Column("split", String),
    Column("revision", String),
    Column("prompt_digest", String),
)
"""One row a request, with the fields of a record; `attempts` is a list of [release, track, outcome, status],
of an excused failure with a true behind them. Every index is paid for by each request, so that there are no more than
what is looked for needs: a window of ids is searched by its ids, whatever else is asked of its rows."""

feedback = Table(
    "feedback",
    LEDGER,
    Column("id", _BIG, primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("request_id", String),
    Column("unit_digest", String),
    Column("app", String, nullable=False),
    Column("route", String, nullable=False),
    Column("release", String, nullable=False),
    Column("track", String, nullable=False),
    Column("split", String),
    Column("name", String, nullable=False),
    Column("value", Float),
    Column("text", String),
    Column("comment", String),
    UniqueConstraint("request_id", "name"),
)
"""What applications said of answers: a number or a text by name, at most one of each name for a request."""
