"""What the harness itself costs: starting a run, and its share of the wall time of a small suite.

``fork`` and ``spawn`` time a whole run whose only work is to load the tiny checkpoint and answer
once; the load itself is subtracted in ``extra_info``, as ``over_load_s``.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tinyruns import Tiny, make_job
from tokonomy.families import load_family
from tokonomy.run.executor import execute, run
from tokonomy.run.job import Job
from tokonomy.run.supervisor import Start, Supervisor, Warm
from tokonomy.store.cell import Measuring
from tokonomy.store.fields import Missing
from tokonomy.store.record import Record

PLUGINS = Path(__file__).parents[1] / "plugins"
SHORT = Measuring(warmup_calls=3, warmup_s=0.05, min_pairs=10, max_pairs=60, max_s=0.6)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return Tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def starter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))


def load_s(tiny: Tiny) -> float:
    """Seconds to load the model in a process that has done so before."""
    family = load_family("vision")
    begun = time.perf_counter()
    family.load(tiny.model.ref, device="cpu", precision="fp32")
    return time.perf_counter() - begun


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.usefixtures("starter")
def test_start_of_a_run(start: Start, tiny: Tiny, benchmark: BenchmarkFixture) -> None:
    """From the request to the end of a process that loads a model and answers once."""
    warm = Warm(family="vision", task=tiny.task.ref, model=tiny.model.ref)
    with Supervisor(start=start, worker="load_worker", warm=[warm]) as supervisor:
        supervisor.ready()
        record = benchmark.pedantic(
            run, args=(tiny.job("reference"), supervisor), rounds=3 if start == "spawn" else 20
        )
    assert record.status == "unsupported", (record.reason, record.log)
    benchmark.extra_info["over_load_s"] = benchmark.stats.stats.median - load_s(tiny)


class Rows(list[Record]):
    """Records in memory."""

    def add(self, record: Record) -> None:
        self.append(record)


def digits(count: int) -> list[Job]:
    """The reference on the digits, so many times."""
    family = load_family("vision")
    task, model = family.describe_task("digits"), family.describe_model("digits-vit")
    job = make_job(task, model, "reference", {})
    return [job.model_copy(update={"measuring": SHORT})] * count


def test_share_of_the_harness(benchmark: BenchmarkFixture) -> None:
    """Wall time of a few runs, less what each spent between its first and its last line."""
    rows, jobs = Rows(), digits(5)
    benchmark.pedantic(execute, args=(jobs, rows), rounds=1)
    inside = sum(row.costs.wall_s for row in rows if not isinstance(row.costs, Missing))
    assert all(row.status == "ok" for row in rows)
    wall = benchmark.stats.stats.max
    benchmark.extra_info |= {"runs": len(rows), "outside_s": wall - inside}
