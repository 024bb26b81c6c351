"""What people said of records later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    owner = sa.ForeignKey("run.id", ondelete="CASCADE")
    op.create_table(
        "statement",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.Integer, owner, nullable=False),
        sa.Column("says", sa.String(16), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("line", sa.Text, nullable=False),
    )
    op.create_index("statement_run", "statement", ["run"])
