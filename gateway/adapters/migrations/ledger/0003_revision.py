"""Under which policy set a request was decided, and which prompt it was given."""

import sqlalchemy as sa
from alembic import op

revision = "ledger_0003"
down_revision = "ledger_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns `revision` and `prompt_digest`; of earlier requests neither is known."""
    op.add_column("requests", sa.Column("revision", sa.String(), nullable=True))
    op.add_column("requests", sa.Column("prompt_digest", sa.String(), nullable=True))
