"""Run the migrations on the connection of the caller: Alembic loads this file by its path."""

from alembic import context
from valence.service.feedback.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table="valence_feedback_version",
)
with context.begin_transaction():
    context.run_migrations()
