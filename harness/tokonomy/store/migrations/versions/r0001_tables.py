"""Tables: runs, their records, and the figures derived from them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run_id", sa.String(32), nullable=False, unique=True),
        sa.Column("cell_key", sa.String(64), nullable=False),
        sa.Column("started", sa.String(27), nullable=False),
        sa.Column("suite", sa.Text),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("detail", sa.Text),
        sa.Column("family", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("params", sa.Text, nullable=False),
        sa.Column("method_hash", sa.String(64), nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("task_ref", sa.Text, nullable=False),
        sa.Column("split", sa.Text, nullable=False),
        sa.Column("samples", sa.BigInteger, nullable=False),
        sa.Column("data_hash", sa.String(64), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("model_ref", sa.Text, nullable=False),
        sa.Column("embedded", sa.Boolean, nullable=False),
        sa.Column("weights_hash", sa.String(64), nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("precision", sa.String(8), nullable=False),
        sa.Column("scenario", sa.String(16), nullable=False),
        sa.Column("batch_size", sa.Integer, nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("threads", sa.Integer, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("harness_version", sa.Text, nullable=False),
        sa.Column("harness_commit", sa.Text),
        sa.Column("harness_dirty", sa.Boolean),
        sa.Column("protocol", sa.Integer, nullable=False),
        sa.Column("derivation", sa.Integer, nullable=False),
    )
    op.create_index("run_cell", "run", ["cell_key", "started", "run_id"])
    op.create_index("run_order", "run", ["started", "run_id"])
    op.create_index("run_derivation", "run", ["derivation"])
    op.create_table(
        "record",
        sa.Column("run", sa.Integer, sa.ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("line", sa.Text, nullable=False),
    )
    op.create_table(
        "metric",
        sa.Column("run", sa.Integer, sa.ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Float),
        sa.Column("low", sa.Float),
        sa.Column("high", sa.Float),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("n", sa.BigInteger),
        sa.Column("reason", sa.Text),
        sa.Column("text", sa.Text),
        sqlite_with_rowid=False,
    )
