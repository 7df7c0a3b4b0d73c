"""The tables of feedback and of the key of the ids."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "valence_feedback",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("predicted", sa.JSON),
        sa.Column("score", sa.Double),
        sa.Column("truth", sa.JSON, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("valence_feedback_by_model", "valence_feedback", ["model", "version", "time"])
    op.create_index("valence_feedback_by_age", "valence_feedback", ["received"])
    op.create_table(
        "valence_feedback_key",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables, with all feedback."""
    op.drop_table("valence_feedback_key")
    op.drop_table("valence_feedback")
