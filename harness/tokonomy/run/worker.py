"""One run, from inside its process: what is done, in which order, and what must hold.

The order serves the measurement. The model is called before the method is prepared, so that what
any first call costs is not laid at the method's door and the reference can be held against it.
Memory comes next, while nothing but the method has run here.
Timing comes before quality, so that the split still holds inputs the method has never met.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from tokonomy.catalog.registry import catalogue
from tokonomy.errors import Unsupported
from tokonomy.families.context import Context
from tokonomy.families.registry import load_family
from tokonomy.measure import compiling, crosscheck, environment, occupancy, settings, throttling
from tokonomy.measure.arms import Predict
from tokonomy.measure.devices import device_class, open_telemetry
from tokonomy.measure.inputs import copied, equal
from tokonomy.measure.memory import Baseline, baseline, measure_peak
from tokonomy.measure.modes import Executed, executed, prime
from tokonomy.measure.protocol import MEMORY_CALLS, SLOWED
from tokonomy.measure.telemetry import Telemetry
from tokonomy.run import checks, passes
from tokonomy.run.bench import Bench, calibration, open_bench, second_model
from tokonomy.run.ending import Ended, stage
from tokonomy.run.guards import Careful, Surroundings, called, close
from tokonomy.run.job import JOB, Job, Outcome, write_outcome
from tokonomy.store.cell import Cell
from tokonomy.store.fields import Missing, Mode, Scalar
from tokonomy.store.observed import Costs, Energy, Flag, Timing

Seen = dict[str, dict[str, Scalar]]
COMPILED = "compiled"  # folder of compiled code inside that of the run


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
    around = Surroundings(folder)
    seen: Seen = {"before": environment.state()}
    try:
        with stage("raise-in-harness"), _watched(job, around, seen) as telemetry:
            outcome = _attempt(job, around, telemetry, seen, began)
    except Ended as ended:
        outcome = Outcome(status=ended.status, reason=ended.reason, detail=ended.detail)
    around.alone()
    seen["after"] = environment.state() | seen.get("after", {})
    told = [throttling.capped(seen["before"], seen["after"]), occupancy.hidden(seen["after"])]
    known = {flag.code for flag in outcome.flags}
    flags = outcome.flags + [flag for flag in told if flag and flag.code not in known]
    write_outcome(folder, outcome.model_copy(update=seen | {"flags": flags}))


@contextmanager
def _watched(job: Job, around: Surroundings, seen: Seen) -> Iterator[Telemetry]:
    """The device, with its facts and its state before and after put into ``seen``."""
    with open_telemetry(job.cell.device) as telemetry, torch.inference_mode():
        seen["device"] = telemetry.facts()
        seen["before"] |= telemetry.state()
        try:
            _as_planned(job.cell)
            yield telemetry
        finally:
            around.alone()
            seen["after"] = telemetry.state()  # a lost device explains whatever else was raised


def _as_planned(cell: Cell) -> None:
    """Raise where the device is no longer of the class under which the run was planned."""
    now = device_class(cell.device)
    if now != cell.device_class:
        detail = f"planned on {cell.device_class}, now {now}"
        raise Ended("invalid", "device-changed", detail)


def _exclusive(telemetry: Telemetry) -> list[Flag]:
    """Raise where something else is on the device; a flag where that cannot be told."""
    found = telemetry.exclusivity()
    if found.foreign is not None:
        raise Ended("invalid", found.foreign.code, found.foreign.detail)
    return [] if found.proven else [Flag(code="exclusivity-unverified", detail=found.detail)]


def _attempt(
    job: Job, around: Surroundings, telemetry: Telemetry, seen: Seen, began: float
) -> Outcome:
    with around.ours():
        alone = _exclusive(telemetry)
        settings.declare(job.cell.device)
        seen["software"] = {**settings.software(job.cell.device)}
        bench = open_bench(job, around, telemetry)
        batches = passes.choose(bench)
        plain = _warmed(bench, batches.timed[0])
        prime(job.cell.mode, job.cell.device, cache=around.folder / COMPILED)
    with stage("raise-at-import"):
        method = catalogue("method").build(job.cell.method.id, job.cell.method.params)
    around.renew()
    fingerprint = bench.family.fingerprint(bench.model)
    context = Context(seed=job.cell.seed, calibration=lambda: calibration(bench))
    before = baseline(job.cell.device, telemetry)
    with _closing(context), _unaided(job.cell.mode), ExitStack() as stack:
        begun = time.perf_counter()
        with stage("raise-in-prepare"):
            predict = method.prepare(bench.model, context)
        prepare_s = time.perf_counter() - begun
        around.check()
        with stage("raise-in-predict"):
            arm = stack.enter_context(_in_mode(bench, predict, batches))
        around.check()
        outcome, reference = _measure(bench, predict, arm, batches, plain, before)
        near = _near(outcome, plain, reference, job.cell.mode)
    flags = alone + outcome.flags + _slowed(near, plain, reference)
    _restored(bench, fingerprint, reference, plain.probe)
    around.close()
    costs = Costs(
        load_s=bench.load_s,
        prepare_s=prepare_s,
        wall_s=time.perf_counter() - began,
        compile_s=arm.compile_s,
    )
    return outcome.model_copy(update={"costs": costs, "flags": flags + around.moved()})


def _in_mode(
    bench: Bench, predict: Predict, batches: passes.Batches
) -> AbstractContextManager[Executed]:
    """One arm as the cell's mode executes it; both compile into the run's own folder."""
    cell, folder = bench.job.cell, bench.around.folder / COMPILED
    return executed(predict, batches.timed, cell.mode, cell.device, cache=folder)


@contextmanager
def _unaided(mode: Mode) -> Iterator[None]:
    """Raise where a method compiled or captured something that is no part of the mode."""
    with compiling.unasked(mode) as found:
        yield
        if found():
            raise Ended("invalid", "compiled-itself", ", ".join(found()))


@contextmanager
def _beside(bench: Bench, reference: Any, batches: passes.Batches) -> Iterator[Executed]:
    """The reference in the cell's mode; that it cannot be is not laid at the method's door."""
    with ExitStack() as stack:
        try:
            arm = stack.enter_context(_in_mode(bench, reference, batches))
        except Unsupported as error:
            raise Ended("unsupported", "reference-impossible", str(error)) from None
        yield arm


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plain:
    """The model before any method: a batch, its outputs, and the median seconds of a call."""

    probe: Any
    output: Tensor
    seconds: float


def _warmed(bench: Bench, probe: Any) -> _Plain:
    """Call the model while nothing has touched it; brings in the pages that any call needs."""
    output, probe = bench.model(probe).clone(), copied(probe)
    return _Plain(probe=probe, output=output, seconds=median(checks.seconds(bench.model, probe)))


def _near(outcome: Outcome, plain: _Plain, reference: Any, mode: Mode) -> list[float]:
    """Seconds of the reference right before the method is undone, if it was slow in timing.

    In a mode that is not that of the model's first calls, timing tells nothing beside them.
    """
    assert isinstance(outcome.timing, Timing)
    timed = sorted(pair.reference_ns for pair in outcome.timing.pairs)
    if mode == "eager" and timed[len(timed) // 10] * 1e-9 <= SLOWED * plain.seconds:
        return []
    near = checks.seconds(reference, plain.probe)
    return near if mode == "eager" or min(near) > SLOWED * plain.seconds else []


def _slowed(near: list[float], plain: _Plain, reference: Any) -> list[Flag]:
    """Raise if the reference is quick again now that the method is gone; a flag if it is not."""
    if not near:
        return []
    ratio = min(near) / median(checks.seconds(reference, plain.probe))
    if ratio > SLOWED:
        detail = f"{ratio:.1f} times as slow as right after the method was undone"
        raise Ended("invalid", "reference-slowed", detail)
    return [Flag(code="reference-slowed", detail="slower than before the method was prepared")]


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


def _measure(
    bench: Bench,
    predict: Predict,
    arm: Executed,
    batches: passes.Batches,
    plain: _Plain,
    before: Baseline,
) -> tuple[Outcome, Any]:
    """Every pass while the method is in place; also the reference model.

    What costs is measured in the cell's mode, and what was timed is looked at for kept answers;
    what is only looked at is called plainly.
    """
    family, around, probe = bench.family, bench.around, batches.timed[0]
    predict = called(predict, "raise-in-predict", around)
    timed = called(arm.predict, "raise-in-predict", around)
    outputs = list[Any]()
    memory = measure_peak(
        lambda: outputs.append(timed(probe)), before, bench.job.cell.device, bench.telemetry
    )
    around.check()
    if not equal(probe, plain.probe):
        raise Ended("invalid", "input-mutated")
    output = family.validate(outputs[0], probe, bench.model).clone()
    with around.ours():
        reference = second_model(bench)
    untouched = called(reference, "raise-in-harness", around)
    if not torch.equal(untouched(plain.probe), plain.output):
        raise Ended("invalid", "reference-changed")
    with stage("raise-in-harness"), _beside(bench, reference, batches) as other:
        beside = called(other.predict, "raise-in-harness", around)
        timing, answers = passes.latency(bench, timed, beside, batches.timed)
        first_token = passes.first_token(bench, timed, beside, batches.timed, answers)
        energy = passes.energy(bench, timed, beside, batches.timed, timing, answers)
    if not close(family.validate(Careful(timed, around)(probe), probe, bench.model), output):
        raise Ended("invalid", "not-deterministic")
    if arm.recompiles():
        raise Ended("invalid", "recompiled", f"{arm.recompiles()} times after warm-up")
    fresh = checks.check_fresh(timed, untouched, batches, bench.job.cell.mode)
    checks.check_memory(family, bench.model, predict, batches.timed[-MEMORY_CALLS:])
    checks.check_input(Careful(timed, around), untouched, probe)
    work, counted = passes.count_work(bench, predict, reference)
    decoding, read = passes.count_decoding(bench, predict, reference, batches.timed)
    with around.threads(max(1, environment.cores() // 2)):
        quality, flips = passes.judge(
            bench, predict, reference, {"timed": answers, "counting": counted | read}
        )
    outcome = Outcome(
        status="ok",
        timing=timing,
        first_token=first_token,
        memory=memory,
        work=work,
        decoding=decoding,
        quality=quality,
        energy=energy,
        flags=flips
        + fresh
        + passes.undercounted(work)
        + _unconverged(timing)
        + _doubtful(energy)
        + _broken(arm, other),
    )
    return outcome, reference


def _doubtful(energy: Energy | Missing) -> list[Flag]:
    return [] if isinstance(energy, Missing) else crosscheck.flags(energy)


def _unconverged(timing: Timing) -> list[Flag]:
    if timing.stop == "converged":
        return []
    return [Flag(code="unconverged", detail=timing.stop)]


def _broken(method: Executed, reference: Executed) -> list[Flag]:
    """A flag where either arm is not compiled as one piece."""
    if not method.breaks and not reference.breaks:
        return []
    detail = f"method {method.breaks}, reference {reference.breaks}"
    return [Flag(code="graph-breaks", detail=detail)]


def _restored(bench: Bench, fingerprint: str, reference: Any, probe: Any) -> None:
    """Raise unless the model is what it was, in structure, in weights and in what it says."""
    pairs = zip(bench.model.module.parameters(), reference.module.parameters(), strict=False)
    if any(not torch.equal(ours, other) for ours, other in pairs):
        raise Ended("invalid", "weights-changed")
    if bench.family.fingerprint(bench.model) != fingerprint:
        raise Ended("invalid", "not-restored", "weights, modules, attributes or hooks differ")
    if not torch.equal(bench.model(probe), reference(probe)):
        raise Ended("invalid", "not-restored", "the model gives other outputs than before")
