"""What a run is for and what a reader must know of it; views where only the newest run counts.

The new columns are filled when the figures are derived again, which follows every migration.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# Of runs alike in these and in their role, the newest counts, whatever the code was.
IDENTITY = (
    "family, method, params, seed, task_ref, split, data_hash, model_ref, weights_hash, device, "
    "device_class, precision, scenario, batch_size, mode, threads, protocol"
)
RANKED = f"""(
  SELECT run.*, ROW_NUMBER() OVER (
    PARTITION BY {IDENTITY}, role ORDER BY started DESC, run_id DESC
  ) AS place FROM run
) AS run"""
FIGURES = (
    "accuracy", "reference_accuracy", "retained", "accuracy_drop_p", "latency_p50_ms",
    "reference_latency_p50_ms", "latency_ratio", "speed_up", "throughput", "energy_j",
    "energy_ratio", "peak_memory_bytes", "tokens_kept", "flops", "flops_ratio", "effect",
)  # fmt: skip
LEADERBOARD = """CREATE VIEW leaderboard AS SELECT
  run.family, run.method, run.params, run.task, run.split, run.model, run.embedded, run.device,
  run.device_class, run.precision, run.scenario, run.batch_size, run.mode, run.threads, run.seed,
  run.protocol,
  accuracy.value AS accuracy, accuracy.low AS accuracy_low, accuracy.high AS accuracy_high,
  reference_accuracy.value AS reference_accuracy,
  retained.value AS retained, retained.low AS retained_low, retained.high AS retained_high,
  accuracy_drop_p.value AS accuracy_drop_p,
  latency_p50_ms.value AS latency_p50_ms,
  reference_latency_p50_ms.value AS reference_latency_p50_ms,
  latency_ratio.value AS latency_ratio, latency_ratio.low AS latency_ratio_low,
  latency_ratio.high AS latency_ratio_high,
  speed_up.value AS speed_up, speed_up.low AS speed_up_low, speed_up.high AS speed_up_high,
  throughput.value AS throughput,
  energy_j.value AS energy_j, energy_j.text AS energy_boundary,
  energy_ratio.value AS energy_ratio, energy_ratio.low AS energy_ratio_low,
  energy_ratio.high AS energy_ratio_high,
  peak_memory_bytes.value / 1048576.0 AS peak_memory_mib,
  tokens_kept.value AS tokens_kept,
  flops.value / 1000000000.0 AS gflops,
  flops_ratio.value AS flops_ratio,
  effect.text AS effect,
  run.status, run.reason, run.flags, run.suite, run.started, run.run_id
"""
RUNS = """CREATE VIEW runs AS SELECT
  run.started, run.status, run.reason, run.detail, run.suite, run.role, run.flags, run.family,
  run.method, run.params, run.task, run.split, run.model, run.embedded, run.device,
  run.device_class, run.precision, run.scenario, run.batch_size, run.mode, run.threads, run.seed,
  run.harness_version, run.harness_commit, run.protocol, run.cell_key, run.run_id,
  CASE WHEN run.place = 1 THEN 1 ELSE 0 END AS newest
"""


def upgrade() -> None:
    op.execute("DROP VIEW leaderboard")
    op.execute("DROP VIEW runs")
    text, word = sa.Text(), sa.String(16)
    op.add_column("run", sa.Column("device_class", text, nullable=False, server_default=""))
    op.add_column("run", sa.Column("role", word, nullable=False, server_default=""))
    op.add_column("run", sa.Column("flags", text, nullable=False, server_default="[]"))
    op.execute("UPDATE run SET derivation = -1")
    joins = "".join(
        f"LEFT JOIN metric AS {name} ON {name}.run = run.id AND {name}.name = '{name}'\n"
        for name in FIGURES
    )
    only = "WHERE run.place = 1 AND run.role = 'result'"
    op.execute(f"{LEADERBOARD}FROM {RANKED}\n{joins}{only}")
    op.execute(f"{RUNS}FROM {RANKED}")
