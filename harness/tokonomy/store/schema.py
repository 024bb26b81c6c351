"""The tables. ``record`` holds what was observed; ``run`` and ``metric`` are drawn from it.

``statement`` holds what people said of a record later.

Migrations create them (see ``migrations``); a test compares the two. The views ``runs`` and
``leaderboard``, for reading in any SQLite browser, exist in the migrations only.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", String(32), nullable=False, unique=True),
    Column("cell_key", String(64), nullable=False),
    Column("started", String(27), nullable=False),  # UTC, always with six decimals, so it sorts
    Column("suite", Text),
    Column("status", String(16), nullable=False),
    Column("reason", Text),
    Column("detail", Text),
    Column("family", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("params", Text, nullable=False),  # canonical JSON
    Column("method_hash", String(64), nullable=False),
    Column("task", Text, nullable=False),
    Column("task_ref", Text, nullable=False),
    Column("split", Text, nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("data_hash", String(64), nullable=False),
    Column("model", Text, nullable=False),
    Column("model_ref", Text, nullable=False),
    Column("embedded", Boolean, nullable=False),
    Column("weights_hash", String(64), nullable=False),
    Column("device", Text, nullable=False),
    Column("device_class", Text, nullable=False),
    Column("precision", String(8), nullable=False),
    Column("scenario", String(16), nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("threads", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("harness_version", Text, nullable=False),
    Column("harness_commit", Text),
    Column("harness_dirty", Boolean),
    Column("protocol", Integer, nullable=False),
    Column("role", String(16), nullable=False),
    Column("flags", Text, nullable=False),  # JSON list of codes
    Column("standing", String(16), nullable=False, server_default="self-reported"),
    Column("derivation", Integer, nullable=False),  # DERIVATION that made its metrics
    Index("run_cell", "cell_key", "started", "run_id"),
    Index("run_order", "started", "run_id"),
    Index("run_derivation", "derivation"),
)
"""``standing`` is what statements alone make of a run; see ``statements.trust``."""

record = Table(
    "record",
    metadata,
    Column("run", Integer, ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("line", Text, nullable=False),  # the record's canonical JSON line
)

metric = Table(
    "metric",
    metadata,
    Column("run", Integer, ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("value", Float),
    Column("low", Float),
    Column("high", Float),
    Column("unit", String(16), nullable=False),
    Column("n", BigInteger),
    Column("reason", Text),
    Column("text", Text),
    sqlite_with_rowid=False,
)

statement = Table(
    "statement",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", Integer, ForeignKey("run.id", ondelete="CASCADE"), nullable=False),
    Column("says", String(16), nullable=False),
    Column("at", String(27), nullable=False),  # UTC, always with six decimals, so it sorts
    Column("line", Text, nullable=False),  # the statement's canonical JSON line
    Index("statement_run", "run"),
)
