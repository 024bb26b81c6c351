"""Views where of a cell's runs of the newest code the newest of the highest standing stands for it.

Of runs of which something was said the standing is filled when they are derived again, which
follows every migration.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tokonomy.store.migrations.versions.r0004_standing import IDENTITY
from tokonomy.store.migrations.versions.r0006_figures import columns

revision = "0007"
down_revision = "0006"

# Runs alike in these and in their role are a cell's; its newest code is that of the newest of them
# that is neither withdrawn nor disputed. One stands for the cell; a withdrawn one comes last.
RANKED = f"""(
  SELECT run.*, ROW_NUMBER() OVER (
    PARTITION BY {IDENTITY}, role ORDER BY
    CASE method_hash WHEN code THEN 0 ELSE 1 END,
    CASE standing WHEN 'verified' THEN 3 WHEN 'self-reported' THEN 2 WHEN 'disputed' THEN 1
      ELSE 0 END DESC,
    CASE status WHEN 'ok' THEN 1 ELSE 0 END DESC, started DESC, run_id DESC
  ) AS place FROM (
    SELECT run.*, FIRST_VALUE(method_hash) OVER (
      PARTITION BY {IDENTITY}, role ORDER BY
      CASE standing WHEN 'withdrawn' THEN 2 WHEN 'disputed' THEN 1 ELSE 0 END,
      started DESC, run_id DESC
    ) AS code FROM run
  ) AS run
) AS run"""
CURRENT = "run.place = 1 AND run.standing <> 'withdrawn'"
RUNS = f"""CREATE VIEW runs AS SELECT
  run.started, run.status, run.reason, run.detail, run.suite, run.role, run.flags, run.family,
  run.method, run.params, run.task, run.split, run.model, run.embedded, run.device,
  run.device_class, run.precision, run.scenario, run.batch_size, run.mode, run.threads, run.seed,
  run.harness_version, run.harness_commit, run.protocol, run.cell_key, run.run_id,
  CASE WHEN run.place = 1 OR run.standing IN ('withdrawn', 'disputed') THEN run.standing
    ELSE 'superseded' END AS trust,
  CASE WHEN {CURRENT} THEN 1 ELSE 0 END AS current
FROM {RANKED}
"""


def upgrade() -> None:
    op.execute("DROP VIEW leaderboard")
    op.execute("DROP VIEW runs")
    usual = "self-reported"
    op.add_column("run", sa.Column("standing", sa.String(16), nullable=False, server_default=usual))
    op.execute("UPDATE run SET derivation = -1 WHERE id IN (SELECT run FROM statement)")
    shown = ",\n  ".join([*columns(), "run.standing AS trust"])
    only = f"WHERE {CURRENT} AND run.role = 'result'"
    op.execute(f"CREATE VIEW leaderboard AS SELECT\n  {shown}\nFROM {RANKED}\n{only}")
    op.execute(RUNS)
