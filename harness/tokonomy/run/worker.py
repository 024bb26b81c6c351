"""One run, from inside its process: what is done, in which order, and what must hold.

The order serves the measurement. Memory comes first, while nothing but the method has run here.
Timing comes before quality, so that the split still holds inputs the method has never met.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from tokonomy.catalog.registry import catalogue
from tokonomy.families.context import Context
from tokonomy.families.contract import load_family
from tokonomy.measure import environment
from tokonomy.measure.energy import NoMeter
from tokonomy.measure.memory import measure_peak
from tokonomy.run import passes
from tokonomy.run.bench import Bench, calibration, open_bench, second_model
from tokonomy.run.ending import Ended, stage
from tokonomy.run.guards import Careful, Predict, Surroundings, called, close
from tokonomy.run.job import JOB, Job, Outcome, write_outcome
from tokonomy.store.record import Costs, Flag, Timing


def warm(references: Sequence[Sequence[str]]) -> None:
    """Import and read what every run will need; computes nothing, and never raises."""
    torch.set_num_threads(1)
    for name, task, model in references:
        try:
            family = load_family(name)
            data = family.open(task)
            next(family.batches(family.load(model, device="cpu", precision="fp32"), data, 1))
        except Exception as error:  # the run itself will meet it and record it
            print(f"not preloaded: {task} with {model}: {error}")


def main(folder: Path) -> None:
    """Make the run that ``folder`` describes and leave its outcome there."""
    began = time.perf_counter()
    job = Job.model_validate_json((folder / JOB).read_bytes())
    torch.set_num_threads(job.cell.threads)
    before = environment.state()
    try:
        with stage("raise-in-harness"), torch.inference_mode():
            around = Surroundings(folder)
            outcome = _attempt(job, around, began)
    except Ended as ended:
        outcome = Outcome(status=ended.status, reason=ended.reason, detail=ended.detail)
    around.alone()
    states = {"before": before, "after": environment.state()}
    write_outcome(folder, outcome.model_copy(update=states))


def _attempt(job: Job, around: Surroundings, began: float) -> Outcome:
    bench = open_bench(job, around)
    with stage("raise-at-import"):
        method = catalogue("method").build(job.cell.method.id, job.cell.method.params)
    around.renew()
    fingerprint = bench.family.fingerprint(bench.model)
    context = Context(seed=job.cell.seed, calibration=lambda: calibration(bench))
    with _closing(context):
        begun = time.perf_counter()
        with stage("raise-in-prepare"):
            predict = method.prepare(bench.model, context)
        prepare_s = time.perf_counter() - begun
        around.check()
        outcome, reference, probe = _measure(bench, called(predict, "raise-in-predict", around))
    _restored(bench, fingerprint, reference, probe)
    around.close()
    costs = Costs(load_s=bench.load_s, prepare_s=prepare_s, wall_s=time.perf_counter() - began)
    return outcome.model_copy(update={"costs": costs, "flags": outcome.flags + around.moved()})


@contextmanager
def _closing(context: Context) -> Iterator[None]:
    """Close the context at the end; what went wrong first is what is reported."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            context.__exit__(None, None, None)
        raise
    with stage("raise-in-close"):
        context.__exit__(None, None, None)


def _measure(bench: Bench, predict: Predict) -> tuple[Outcome, Any, Any]:
    """Every pass while the method is in place; also the reference model and a batch to probe."""
    family, around = bench.family, bench.around
    batches = passes.choose(bench)
    probe, outputs = batches.timed[0], list[Any]()
    memory = measure_peak(lambda: outputs.append(predict(probe)))
    around.check()
    output = family.validate(outputs[0], probe, bench.model).clone()
    reference = second_model(bench)
    around.renew()
    plain = called(reference, "raise-in-harness", around)
    timing, answers = passes.latency(bench, predict, plain, batches.timed)
    careful = Careful(predict, around)
    if not close(family.validate(careful(probe), probe, bench.model), output):
        raise Ended("invalid", "not-deterministic")
    passes.check_fresh(careful, batches)
    work = passes.count_work(bench, predict, reference)
    with around.threads(max(1, environment.cores() // 2)):
        quality, flips = passes.judge(bench, predict, reference, answers)
    outcome = Outcome(
        status="ok",
        timing=timing,
        memory=memory,
        work=work,
        quality=quality,
        energy=NoMeter().measure(lambda: None),
        flags=flips + _unconverged(timing),
    )
    return outcome, reference, probe


def _unconverged(timing: Timing) -> list[Flag]:
    if timing.stop == "converged":
        return []
    return [Flag(code="unconverged", detail=timing.stop)]


def _restored(bench: Bench, fingerprint: str, reference: Any, probe: Any) -> None:
    """Raise unless the model is what it was, in structure, in weights and in what it says."""
    pairs = zip(bench.model.module.parameters(), reference.module.parameters(), strict=False)
    if any(not torch.equal(ours, other) for ours, other in pairs):
        raise Ended("invalid", "weights-changed")
    if bench.family.fingerprint(bench.model) != fingerprint:
        raise Ended("invalid", "not-restored", "weights, modules, attributes or hooks differ")
    if not torch.equal(bench.model(probe), reference(probe)):
        raise Ended("invalid", "not-restored", "the model gives other outputs than before")
