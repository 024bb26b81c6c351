"""What a run works on: the task's data and the method's instance of the model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from tokonomy.errors import BadData, Unsupported
from tokonomy.families.contract import Family
from tokonomy.families.registry import load_family
from tokonomy.measure import heap
from tokonomy.measure.telemetry import Telemetry
from tokonomy.run.ending import stage
from tokonomy.run.guards import Surroundings
from tokonomy.run.job import Job

_CALIBRATION_BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a run works on.

    Attributes:
        job: The run.
        family: Its family.
        data: The split.
        model: The instance that the method gets.
        around: The process.
        telemetry: The device.
        load_s: Seconds to load the model.
    """

    job: Job
    family: Family
    data: Any
    model: Any
    around: Surroundings
    telemetry: Telemetry
    load_s: float


def open_bench(job: Job, around: Surroundings, telemetry: Telemetry) -> Bench:
    """Open the data and load the model."""
    cell = job.cell
    with stage("bad-task"):
        family = load_family(cell.family)
        data = family.open(cell.task.ref)
    with stage("bad-model"), heap.unbroken():
        begun = time.perf_counter()
        model = family.load(cell.model.ref, device=cell.device, precision=cell.precision)
        load_s = time.perf_counter() - begun
    with stage("bad-task"):
        family.check(model, data)
    return Bench(
        job=job,
        family=family,
        data=data,
        model=model,
        around=around,
        telemetry=telemetry,
        load_s=load_s,
    )


def second_model(bench: Bench) -> Any:
    """Another, untouched instance of the model: the reference arm."""
    cell = bench.job.cell
    with stage("bad-model"), torch.random.fork_rng(devices=[]), heap.unbroken():
        return bench.family.load(cell.model.ref, device=cell.device, precision=cell.precision)


def calibration(bench: Bench) -> Iterator[Any]:
    """Batches of the train split, for methods that calibrate."""
    try:
        train = bench.family.open(bench.job.cell.task.ref, "train")
    except BadData as error:
        raise Unsupported(f"the method calibrates on a train split; {error}") from None
    return bench.family.batches(bench.model, train, _CALIBRATION_BATCH)
