"""The migrations of the database of feedback; Alembic runs them."""
