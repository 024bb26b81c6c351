"""The view ``leaderboard`` has every figure, those of language models and of energy included.

Each figure is looked up for the rows and columns that are asked for: a join for every one would be
more than SQLite takes.
"""

from __future__ import annotations

from alembic import op

from tokonomy.store.migrations.versions.r0004_standing import RANKED

revision = "0006"
down_revision = "0005"

CELL = (
    "family", "method", "params", "task", "split", "model", "embedded", "device", "device_class",
    "precision", "scenario", "batch_size", "mode", "threads", "seed", "protocol",
)  # fmt: skip
FIGURES = (  # with * where it has an interval
    "accuracy* reference_accuracy* retained* accuracy_drop* accuracy_drop_p agreement* "
    "shared_tokens* accuracy_easy* accuracy_hard* latency_p50_ms* latency_p90_ms* "
    "latency_p99_ms* reference_latency_p50_ms* latency_ratio* speed_up* throughput "
    "reference_throughput ratio_autocorrelation latency_separation device_latency_p50_ms* "
    "launch_gap_ms pairs_spoiled peak_memory_bytes memory_over_baseline_bytes "
    "allocated_peak_bytes allocated_over_baseline_bytes reserved_peak_bytes device_peak_bytes "
    "tokens_kept tokens_mean flops flops_ratio effect ttft_ms* reference_ttft_ms* ttft_ratio* "
    "tpot_ms* reference_tpot_ms* tpot_ratio* tokens_per_s reference_tokens_per_s "
    "speed_up_total* speed_up_mean* answer_tokens reference_answer_tokens target_calls "
    "acceptance_length* acceptance_rate* kv_logical_bytes kv_physical_bytes kv_logical_ratio "
    "kv_physical_ratio kl_nats* faster_from_tokens energy_j* reference_energy_j* energy_ratio* "
    "energy_net_j* power_w energy_bound energy_residual load_s prepare_s wall_s"
).split()


def _part(figure: str, part: str = "value") -> str:
    return f"(SELECT {part} FROM metric WHERE metric.run = run.id AND metric.name = '{figure}')"


def columns() -> list[str]:
    figures: list[str] = []
    for name in (each.removesuffix("*") for each in FIGURES):
        part = "text" if name == "effect" else "value"
        figures.append(f"{_part(name, part)} AS {name}")
        if f"{name}*" in FIGURES:
            figures += [f"{_part(name, end)} AS {name}_{end}" for end in ("low", "high")]
        if name == "energy_j":
            figures.append(f"{_part(name, 'text')} AS energy_boundary")
    return [
        *(f"run.{name}" for name in CELL),
        *figures,
        f"{_part('peak_memory_bytes')} / 1048576.0 AS peak_memory_mib",
        f"{_part('flops')} / 1000000000.0 AS gflops",
        *(f"run.{name}" for name in ("status", "reason", "flags", "suite", "started", "run_id")),
    ]


def upgrade() -> None:
    op.execute("DROP VIEW leaderboard")
    shown = ",\n  ".join(columns())
    only = "WHERE run.place = 1 AND run.role = 'result'"
    op.execute(f"CREATE VIEW leaderboard AS SELECT\n  {shown}\nFROM {RANKED}\n{only}")
