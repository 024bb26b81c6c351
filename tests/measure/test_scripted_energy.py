"""Energy windows in real time through the real binding, over scripted drivers."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gpus import HOST, KINDS, needs_compiler, one, told
from tokonomy.errors import DeviceLost
from tokonomy.measure import devices, windows
from tokonomy.measure.clock import MonotonicClock
from tokonomy.measure.cpu import CpuTelemetry
from tokonomy.measure.energy import measure_energy
from tokonomy.measure.gpu import GpuTelemetry
from tokonomy.measure.sampling import Pace, Sampler, Search
from tokonomy.measure.scripted import Profile, flat, installed, steps
from tokonomy.measure.scripted.course import Course, ramps
from tokonomy.measure.scripted.install import Installed, Kind
from tokonomy.measure.telemetry import Counter
from tokonomy.measure.trace import Bins
from tokonomy.store.cell import EnergyPlan
from tokonomy.store.fields import Missing
from tokonomy.store.observed import Energy

MS = 1_000_000
TICK_MS = 5.0
PLAN = EnergyPlan(trials=5, window_s=0.1, min_ticks=20, idle_s=0.1, settle_s=0.06)
COURSES: dict[str, Course] = {
    "constant": flat(300),
    "step": steps((0.0, 90), (0.25, 500)),
    "square": steps((0.0, 90), (0.02, 500), repeat_s=0.033),
    "ramp": ramps((0.0, 100), (1.0, 700)),
    "sawtooth": ramps((0.0, 60), (0.017, 400), repeat_s=0.017),
    "spikes": steps((0.0, 70), (0.05, 690), (0.053, 70), repeat_s=0.09),
    "idle gaps": steps((0.0, 350), (0.04, 0), repeat_s=0.1),
}


@contextmanager
def device(profile: Profile, kind: Kind) -> Iterator[tuple[GpuTelemetry, Installed]]:
    """A scripted GPU in real time."""
    with installed(profile, kind=kind) as script:
        target = devices.target(0, told(profile.gpus[0]))
        quiet = CpuTelemetry(root=Path("/nonexistent"))
        with GpuTelemetry(target, HOST, lambda: False, quiet, time.sleep) as gpu:
            yield gpu, script


def counter_of(gpu: GpuTelemetry) -> Counter:
    counter = gpu.counter()
    assert not isinstance(counter, Missing)
    return counter


def window(counter: Counter, script: Installed, call_s: float) -> tuple[Any, list[int]]:
    now = script.clock.now
    pace = Pace(tick_ns=int(TICK_MS * MS), read_ns=20_000, power_ns=20_000)
    search = Search(pace, 150 * MS, since_ns=2**62)
    with Sampler(counter, search, now, Bins(now())) as sampler:
        edges = [now()]
        search.since_ns = edges[0]
        while not sampler.ended:
            time.sleep(call_s)
            edges.append(now())
    return windows.measure(search.ticks, edges, counter.quantum_uj), edges


def true_tick(script: Installed, seen: windows.Tick) -> int:
    """When the counter took the value that was read: at a multiple of its period."""
    tick_ns, start_mj = int(TICK_MS * MS), script.profile.gpus[0].counter_start_mj
    at = script.start_ns + (seen.low_ns - script.start_ns) // tick_ns * tick_ns
    while at <= seen.high_ns:
        true_uj = script.true_energy_uj(0, script.start_ns, at)
        if abs(seen.energy_uj - start_mj * 1000 - true_uj) <= 1000:
            return at
        at += tick_ns
    raise AssertionError("no tick of the script has this value")


@needs_compiler
@pytest.mark.parametrize("name", COURSES)
@pytest.mark.parametrize("call_ms", [0.7, 20])
def test_truth_is_within_the_bound(name: str, call_ms: float) -> None:
    with device(one(power=COURSES[name], tick_ms=TICK_MS), "c") as (gpu, script):
        found, edges = window(counter_of(gpu), script, call_ms / 1e3)
        begun, ended = (true_tick(script, each) for each in (found.first, found.last))
        true_uj = script.true_energy_uj(0, begun, ended)
    calls = windows.count(edges, ended) - windows.count(edges, begun)
    assert abs(true_uj / calls / (found.energy_uj / found.calls) - 1) <= found.bound


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_pass(kind: Kind) -> None:
    profile = one(power=flat(300), tick_ms=TICK_MS, sensor_ms=5.0, seen_ms=5.0)
    found = run(profile, kind)
    assert isinstance(found, Energy), found
    assert (found.meter, found.boundary) == ("nvml-total-energy", "board")
    assert found.device == profile.gpus[0].uuid
    for trial in found.trials:
        watts = trial.energy_uj * 1e3 / trial.span_ns
        assert abs(watts / 300 - 1) <= trial.bound
        assert trial.integrated_uj == pytest.approx(trial.energy_uj, rel=0.02 + trial.bound)
        assert trial.temperature_c == (40.0, 40.0)


def run(profile: Profile, kind: Kind) -> Energy | Missing:
    with device(profile, kind) as (gpu, _):
        return measure_energy(
            {"method": lambda _: time.sleep(0.001), "reference": lambda _: time.sleep(0.002)},
            [0],
            batch_size=1,
            telemetry=gpu,
            clock=MonotonicClock(),
            plan=PLAN,
            rng=random.Random(0),
            seen=lambda arm, index, output: None,
        )


@needs_compiler
def test_a_reset_in_the_middle_is_measured_again() -> None:
    found = run(one(power=flat(300), tick_ms=TICK_MS, resets=(0.9,)), "c")
    assert isinstance(found, Energy), found
    assert {flag.code for flag in found.spoiled} <= {"counter-reset"}
    assert len(found.trials) == 10
    for trial in found.trials:
        assert abs(trial.energy_uj * 1e3 / trial.span_ns / 300 - 1) <= trial.bound


@needs_compiler
def test_a_device_lost_in_the_middle_ends_the_pass() -> None:
    with pytest.raises(DeviceLost):
        run(one(power=flat(300), tick_ms=TICK_MS, lost_s=0.9), "c")
