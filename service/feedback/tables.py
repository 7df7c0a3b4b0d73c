"""The tables of feedback, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

METADATA = MetaData()

# Times are whole microseconds since 1970, which every database orders and rounds alike.
FEEDBACK = Table(
    "valence_feedback",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("predicted", JSON(none_as_null=True)),
    Column("score", Double),
    Column("truth", JSON, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index("valence_feedback_by_model", "model", "version", "time"),
    Index("valence_feedback_by_age", "received"),
)

# the key of the ids, which all services of a database share: one row
KEY = Table(
    "valence_feedback_key",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False),
)

# texts of clients that are kept for labelling, if the operator keeps a sample
SAMPLE = Table(
    "valence_sample",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("priority", Double, nullable=False),
    Column("predicted", JSON, nullable=False),
    Column("score", Double, nullable=False),
    Column("text", Text, nullable=False),
    Index("valence_sample_by_model", "model", "reason", "priority"),
    Index("valence_sample_by_age", "time"),
)
