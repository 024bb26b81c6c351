"""A real run on the processor whose telemetry is that of a scripted GPU; its suite names the fault.

Everything above the driver is the product's own: finding the device, the real ``pynvml``, the
watch, the energy pass. What torch would say of a GPU is scripted too, since it has none here. A
suite is ``fault@moment/library``.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tokonomy.measure import crosscheck, devices, occupancy, untold
from tokonomy.measure.arms import Predict
from tokonomy.measure.clock import MonotonicClock, Taken
from tokonomy.measure.cpu import CpuTelemetry
from tokonomy.measure.energy import measure_energy
from tokonomy.measure.gpu import GpuTelemetry
from tokonomy.measure.scripted import Gpu, Process, Profile, installed, steps
from tokonomy.measure.scripted.faults import FAULTS, SOUND, THERMAL_POLICY
from tokonomy.measure.telemetry import Counter, Exclusivity
from tokonomy.measure.visible import Target
from tokonomy.run import passes, worker
from tokonomy.run.job import JOB, Job
from tokonomy.store.fields import Arm, Missing
from tokonomy.store.observed import Energy, Flag

LIBRARY = "TOKONOMY_TEST_LIBRARY"  # names the library in C, built once for all runs
AT_S = 600.0  # second of the script at which things happen; a run is much shorter
WITHIN_S = 0.15  # from the first call for a window of energy, past its lead, until it happens
FASTER = 20  # than real devices are the scripted counters and sensors
REPEATED = 5  # times is each call made where energy is measured of other work than was timed

EMPTY = Path("/nonexistent")  # a host at rest: this one is shared with other work


def _alone(**changes: Any) -> Profile:
    return Profile(gpus=(replace(SOUND, **changes),))


def _indistinct() -> Profile:
    """Two GPUs that CUDA may count in either order."""
    other = replace(SOUND, uuid="GPU-5c000001-0000-0000-0000-000000000001", pci="00000000:41:00.0")
    return Profile(gpus=(SOUND, replace(other, name="scripted other GPU")))


#: Calls, not the device, are at fault: the guard against this is on for this one only.
OTHER_WORK = "other-work"
#: What goes wrong beside the shipped faults.
OTHERS = {
    "sound": lambda at_s: _alone(),
    "stopped-counter": lambda at_s: _alone(tick_ms=1e7),
    "resets-again": lambda at_s: _alone(resets=tuple(at_s + place / 20 for place in range(400))),
    "throttled-once": lambda at_s: _alone(
        violations_ns=((THERMAL_POLICY, steps((0, 0), (at_s, 5e6))),)
    ),
    "indistinct": lambda at_s: _indistinct(),
    OTHER_WORK: lambda at_s: _alone(),
}
#: Runs whose own process is not among those listed by its own number.
UNLISTED = ("host-pids", "none-memory")


class StagedClock:
    """Real time that jumps to ``AT_S`` at a moment of the run, and goes on from there.

    Attributes:
        begun: When the script began.
    """

    name = "staged"

    def __init__(self) -> None:
        self.begun, self._due, self._ahead = 0, 0, 0

    def sync(self) -> None:
        pass

    def now(self) -> int:
        real, due = time.perf_counter_ns(), self._due
        if due and real >= due:
            self._ahead, self._due = int(AT_S * 1e9) - (due - self.begun), 0
        return real + self._ahead

    def timed(self, call: Predict, batch: Any) -> Taken:
        return MonotonicClock().timed(call, batch)

    def queued(self, call: Predict, batch: Any, asking_ns: int) -> None:
        pass

    def jump(self, after_s: float = 0.0) -> None:
        self._due = time.perf_counter_ns() + int(after_s * 1e9)


class Staged(GpuTelemetry):
    """Lets the fault happen at its moment, told by what the run asks."""

    clock: StagedClock
    moment: str
    looks = 0  # since the pass began
    counting = False

    def exclusivity(self) -> Exclusivity:
        found = super().exclusivity()
        if self.moment == "opened":
            self.clock.jump()
        return found

    def causes(self) -> list[Flag]:
        self.looks += 1
        if self.moment == "latency" and not self.counting and self.looks == 2:
            self.clock.jump()  # since the first pairs
        if self.moment == "call" and self.looks == 2:
            self.clock.jump()
            raise RuntimeError("CUDA error: unspecified launch failure")  # torch notices first
        found = super().causes()
        if self.moment == "energy" and self.counting and self.looks == 3:
            self.clock.jump(WITHIN_S)  # the first window begins now
        return found

    def counter(self) -> Counter | Missing:
        if not self.counting:
            self.counting, self.looks = True, 0
        return super().counter()


def profile(fault: str, moment: str) -> Profile:
    """A machine whose fault has happened before the run, or happens at ``AT_S``."""
    made = (FAULTS | OTHERS)[fault](0.0 if moment == "start" else AT_S)
    return replace(made, gpus=tuple(_quick(gpu, fault not in UNLISTED) for gpu in made.gpus))


def _quick(gpu: Gpu, listed: bool) -> Gpu:
    ours = (Process(memory_bytes=0, name="scripted run"),) if listed else ()
    return replace(
        gpu,
        tick_ms=gpu.tick_ms / FASTER,
        phase_ms=gpu.phase_ms / FASTER,
        sensor_ms=gpu.sensor_ms / FASTER,
        seen_ms=gpu.seen_ms / FASTER,
        read_cost_us=gpu.read_cost_us / FASTER,
        processes=(*ours, *gpu.processes),
    )


def _properties(gpu: Gpu, fault: str) -> SimpleNamespace:
    """What torch would say of ``cuda:0``; an old one says nothing that tells two apart."""
    uuid = gpu.slices[0].uuid if gpu.slices else gpu.uuid
    known = {} if fault == "indistinct" else {"uuid": uuid}
    return SimpleNamespace(name=gpu.name, total_memory=gpu.memory_bytes, **known)


def _staged(target: Target, own: occupancy.Self, clock: StagedClock, moment: str) -> Staged:
    container = replace(own, known=False)
    made = Staged(
        target,
        own=container,
        touched=lambda: True,
        host=CpuTelemetry(root=EMPTY),
        wait=lambda _: None,
    )
    made.clock, made.moment = clock, moment
    return made


def _of_other_work(arms: dict[Arm, Predict], *rest: Any, **named: Any) -> Energy | Missing:
    """The energy pass of calls that each do what several of those that were timed did."""

    def repeated(predict: Predict) -> Predict:
        return lambda batch: [predict(batch) for _ in range(REPEATED)][-1]

    return measure_energy({arm: repeated(each) for arm, each in arms.items()}, *rest, **named)


def warm(references: Sequence[Sequence[str]]) -> None:
    """As in a real run."""
    worker.warm(references)


def main(folder: Path) -> None:
    """Make the run with the fault that its suite names."""
    suite = Job.model_validate_json((folder / JOB).read_bytes()).suite or ""
    fault, _, rest = suite.partition("@")
    moment, _, kind = rest.partition("/")
    clock, script = StagedClock(), profile(fault, moment)
    library = Path(os.environ[LIBRARY]) if kind == "c" else None
    devices._properties = lambda _: _properties(script.gpus[-1], fault)
    devices.GpuTelemetry = lambda target, own: _staged(target, own, clock, moment)
    devices.UntoldTelemetry = lambda *known: untold.UntoldTelemetry(
        *known, host=CpuTelemetry(root=EMPTY)
    )
    worker.open_telemetry = lambda _: devices.open_telemetry("cuda:0")
    if fault == OTHER_WORK:
        passes.measure_energy = _of_other_work
    else:
        crosscheck.THROUGHPUT = 10.0  # the machine that tests run on does other things meanwhile
    with installed(
        script, kind="c" if library else "python", clock=clock, library=library
    ) as driver:
        clock.begun = driver.start_ns
        worker.main(folder)
