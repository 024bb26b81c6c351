"""GPUs for tests: a scripted driver behind the real binding, on a clock that tests move."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tokonomy.measure import devices, nvml, occupancy, resolve
from tokonomy.measure.clock import FakeClock
from tokonomy.measure.cpu import CpuTelemetry
from tokonomy.measure.gpu import GpuTelemetry
from tokonomy.measure.scripted import Gpu, Profile, installed
from tokonomy.measure.scripted.install import Kind

SECOND = 10**9
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
KINDS = [pytest.param("c", marks=needs_compiler), "python"]
HOST = occupancy.Self(pids=frozenset({77}), known=True)


def one(**changes: object) -> Profile:
    """A machine with one GPU."""
    return Profile(gpus=(replace(Gpu(), **changes),))  # type: ignore[arg-type]


@dataclass
class Bench:
    """A scripted GPU that is open, and the clock it lives by."""

    gpu: GpuTelemetry
    clock: FakeClock
    touched: bool = False

    def pass_s(self, seconds: float) -> None:
        self.clock.advance(round(seconds * SECOND))


def told(gpu: Gpu) -> resolve.Told:
    """What torch would say of it."""
    return resolve.Told(uuid=gpu.uuid.removeprefix("GPU-"), pci_bus_id=gpu.pci)


def passing(clock: FakeClock) -> Callable[[float], None]:
    """Waiting on a clock that is moved."""
    return lambda seconds: clock.advance(round(seconds * SECOND))


@contextmanager
def opened(
    profile: Profile,
    kind: Kind,
    *,
    number: int = 0,
    at_s: float = 0.0,
    own: occupancy.Self = HOST,
) -> Iterator[Bench]:
    """Open a GPU of a profile, found as a run finds it; the script is at ``at_s`` by then."""
    clock = FakeClock(time_ns=SECOND)
    with installed(profile, kind=kind, clock=clock):
        clock.advance(round(at_s * SECOND))
        target = devices.target(0, told(profile.gpus[number]))
        bench: Bench
        quiet = CpuTelemetry(root=Path("/nonexistent"))
        gpu = GpuTelemetry(target, own, lambda: bench.touched, quiet, passing(clock))
        bench = Bench(gpu, clock)
        with gpu:
            yield bench


@contextmanager
def scripted(profile: Profile, kind: Kind) -> Iterator[FakeClock]:
    """A scripted driver with NVML open."""
    clock = FakeClock(time_ns=SECOND)
    with installed(profile, kind=kind, clock=clock), nvml.library():
        yield clock
