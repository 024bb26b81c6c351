"""Views for people: ``runs``, a row per run, and ``leaderboard``, a row per cell's newest run."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

CELL = (
    "method",
    "params",
    "task",
    "model",
    "embedded",
    "device",
    "precision",
    "scenario",
    "batch_size",
    "mode",
    "threads",
    "seed",
)
# Column of the view: figure, part of it, what it is divided by.
FIGURES: tuple[tuple[str, str, str, float | None], ...] = (
    ("accuracy", "accuracy", "value", None),
    ("accuracy_low", "accuracy", "low", None),
    ("accuracy_high", "accuracy", "high", None),
    ("reference_accuracy", "reference_accuracy", "value", None),
    ("retained", "retained", "value", None),
    ("retained_low", "retained", "low", None),
    ("retained_high", "retained", "high", None),
    ("accuracy_drop_p", "accuracy_drop_p", "value", None),
    ("latency_p50_ms", "latency_p50_ms", "value", None),
    ("reference_latency_p50_ms", "reference_latency_p50_ms", "value", None),
    ("speed_up", "speed_up", "value", None),
    ("speed_up_low", "speed_up", "low", None),
    ("speed_up_high", "speed_up", "high", None),
    ("throughput", "throughput", "value", None),
    ("peak_memory_mib", "peak_memory_bytes", "value", 1048576.0),
    ("tokens_kept", "tokens_kept", "value", None),
    ("gflops", "flops", "value", 1e9),
    ("flops_ratio", "flops_ratio", "value", None),
    ("effect", "effect", "text", None),
)
NEWEST = """
WHERE NOT EXISTS (
  SELECT 1 FROM run AS later WHERE later.cell_key = run.cell_key
  AND (later.started, later.run_id) > (run.started, run.run_id))
"""


def leaderboard(where: str) -> str:
    """The statement that makes the view."""
    names = list(dict.fromkeys(figure for _, figure, _, _ in FIGURES))
    joins = "\n".join(
        f"LEFT JOIN metric AS m{at} ON m{at}.run = run.id AND m{at}.name = '{name}'"
        for at, name in enumerate(names)
    )
    columns = ",\n  ".join(
        [
            *(f"run.{name}" for name in CELL),
            *(
                f"m{names.index(figure)}.{part}{f' / {by}' if by else ''} AS {column}"
                for column, figure, part, by in FIGURES
            ),
            "run.status",
            "run.reason",
            "run.suite",
            "run.started",
            "run.run_id",
        ]
    )
    return f"CREATE VIEW leaderboard AS SELECT\n  {columns}\nFROM run\n{joins}\n{where}"


def upgrade() -> None:
    op.execute(leaderboard(NEWEST))
    everything = (
        "started",
        "status",
        "reason",
        "detail",
        "suite",
        *CELL,
        "harness_version",
        "harness_commit",
        "protocol",
        "cell_key",
        "run_id",
    )
    columns = ",\n  ".join(
        [
            *(f"run.{name}" for name in everything),
            f"CASE WHEN {NEWEST.strip().removeprefix('WHERE')} THEN 1 ELSE 0 END AS newest_of_cell",
        ]
    )
    op.execute(f"CREATE VIEW runs AS SELECT\n  {columns}\nFROM run")
