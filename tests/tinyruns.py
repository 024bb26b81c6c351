"""Small real runs: a tiny checkpoint, a few images, and the misbehaving methods."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from checkpoints import write_checkpoint
from images import write_images
from tokonomy.catalog.suites import Limits
from tokonomy.families import load_family
from tokonomy.measure.devices import device_class
from tokonomy.run.job import Job
from tokonomy.store.cell import Cell, Measuring, MethodRef, ModelRef, TaskRef, cell_key
from tokonomy.store.fields import Mode

PLUGINS = Path(__file__).parent / "plugins" / "naughty"
MEASURING = Measuring(warmup_calls=1, warmup_s=0.001, min_pairs=10, max_pairs=10, max_s=0.2)
LIMITS = Limits(time_s=120, memory_mib=8192)
TASK = TaskRef(
    id="none", ref="none", split="test", samples=1, data_hash="0" * 64, source_hash="0" * 64
)
MODEL = ModelRef(id="none", ref="none", embedded=False, weights_hash="0" * 64)


def install(folder: Path) -> str:
    """Describe the plug-in as installed; gives the path that makes it so."""
    info = folder / "naughty_tokonomy-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: naughty-tokonomy\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[tokonomy.methods]\nnaughty = naughty_tokonomy\n")
    return f"{folder}{os.pathsep}{PLUGINS}"


def make_job(
    task: TaskRef,
    model: ModelRef,
    method: str,
    params: dict[str, Any],
    batch_size: int = 1,
    measuring: Measuring = MEASURING,
    limits: Limits = LIMITS,
) -> Job:
    """A run of any method, without a look into the catalogue."""
    fields: dict[str, Any] = {
        "family": "vision",
        "family_hash": "0" * 64,
        "method": MethodRef(id=method, params=params, source_hash="0" * 64),
        "task": task,
        "model": model,
        "device": "cpu",
        "device_class": device_class("cpu"),
        "precision": "fp32",
        "scenario": "stream" if batch_size == 1 else "offline",
        "batch_size": batch_size,
        "mode": "eager",
        "threads": 1,
        "seed": 0,
        "measuring": measuring,
        "libraries": {},
        "protocol": 1,
    }
    return Job(cell=Cell(key=cell_key(fields), **fields), suite="tests", limits=limits)


def in_mode(job: Job, mode: Mode) -> Job:
    """The same run in another mode."""
    return altered(job, mode=mode)


def altered(job: Job, **changes: Any) -> Job:
    """The same run with other fields of its cell."""
    fields = job.cell.model_dump(exclude={"key"}) | changes
    cell = Cell.model_validate({**fields, "key": cell_key(fields)})
    return job.model_copy(update={"cell": cell})


class Tiny:
    """Runs of a tiny checkpoint on a dozen images."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        family = load_family("vision")
        images, checkpoint = folder / "images", folder / "checkpoint"
        self.task = family.describe_task(f"imagefolder:{write_images(images, each=5)}")
        self.model = family.describe_model(f"hf:{write_checkpoint(checkpoint, seed=seed)}")

    def job(
        self,
        method: str = "naughty",
        *,
        batch_size: int = 1,
        limits: Limits | None = None,
        measuring: Measuring = MEASURING,
        **params: Any,
    ) -> Job:
        limits = limits or LIMITS
        return make_job(self.task, self.model, method, params, batch_size, measuring, limits)


def light_jobs(count: int, statuses: Sequence[str], seconds: float = 0.01) -> list[Job]:
    """Runs of ``plugins/light_worker.py``, which end with the statuses, in turn."""
    jobs = []
    for number in range(count):
        status = statuses[number % len(statuses)]
        params = {"status": status, "seconds": seconds, "number": number}
        jobs.append(make_job(TASK, MODEL, "light", params))
    return jobs
