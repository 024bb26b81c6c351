"""The view ``leaderboard`` holds results only: no calibration sessions and no planted controls."""

from __future__ import annotations

from alembic import op

from tokonomy.store.migrations.versions.r0002_views import NEWEST, leaderboard

revision = "0003"
down_revision = "0002"

RESULTS = """
AND (run.suite IS NULL OR run.suite <> 'calibration')
AND substr(run.method, 1, 8) <> 'planted-'
"""


def upgrade() -> None:
    op.execute("DROP VIEW leaderboard")
    op.execute(leaderboard(NEWEST.rstrip() + RESULTS))
