"""Without the indexes by route, which nothing reads by and every record paid for."""

from alembic import op

revision = "ledger_0004"
down_revision = "ledger_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop them. Response ids are random, so that their index alone took more than half of the time of a record."""
    op.drop_index(op.f("ix_requests_route"), table_name="requests")
    op.drop_index(op.f("ix_feedback_route"), table_name="feedback")
