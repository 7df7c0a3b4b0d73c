"""The table of the sample of texts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "valence_sample",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("priority", sa.Double, nullable=False),
        sa.Column("predicted", sa.JSON, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("valence_sample_by_model", "valence_sample", ["model", "reason", "priority"])
    op.create_index("valence_sample_by_age", "valence_sample", ["time"])


def downgrade() -> None:
    """Drop the table, with the sample."""
    op.drop_table("valence_sample")
