"""What is found by trying: the period of a counter, the cost of a read, fields with their scope."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from gpus import KINDS, SECOND, one, opened, passing
from tokonomy.errors import DeviceLost, TelemetryError
from tokonomy.measure import probe
from tokonomy.measure.clock import FakeClock
from tokonomy.measure.reasons import REASONS
from tokonomy.measure.scripted import flat
from tokonomy.measure.scripted.faults import FAULTS
from tokonomy.measure.scripted.install import Kind
from tokonomy.store.fields import Missing

each_kind = pytest.mark.parametrize("kind", KINDS)


@dataclass
class Steps:
    """A counter of ``step_uj`` a tick; a read takes ``cost_ns`` of the clock."""

    clock: FakeClock
    tick_ns: int
    cost_ns: int
    step_uj: int = 1000
    failing: TelemetryError | None = None
    meter: str = "steps"
    boundary: Any = "board"
    device: str = ""
    quantum_uj: int = 1

    def read(self) -> int:
        if self.failing:
            raise self.failing
        self.clock.advance(self.cost_ns)
        return self.clock.now() // self.tick_ns * self.step_uj

    def power_w(self) -> float | None:
        return None


@pytest.mark.parametrize(
    ("tick_ms", "cost_us"), [(100, 40), (100, 5000), (20, 1000), (1, 10), (200, 3)]
)
def test_period_and_cost_are_found_to_two_reads(tick_ms: int, cost_us: int) -> None:
    clock = FakeClock()
    counter = Steps(clock, tick_ms * 10**6, cost_us * 1000)
    found = probe.counting(counter, clock, passing(clock))
    tick = found["energy_tick_ms"]
    assert isinstance(tick, float)
    assert abs(tick - tick_ms) <= 2 * (cost_us + 200) / 1e3
    assert found["energy_read_us"] == cost_us
    assert clock.now() <= 3.1 * SECOND


@pytest.mark.parametrize("step_uj", [0, 1])
def test_a_counter_that_hardly_moves_has_no_period(step_uj: int) -> None:
    clock = FakeClock()
    counter = Steps(clock, SECOND, 2_000_000, step_uj)
    tick = probe.counting(counter, clock, passing(clock))["energy_tick_ms"]
    assert isinstance(tick, Missing)
    assert tick.reason == "too-few-ticks"
    assert tick.reason in REASONS
    assert clock.now() <= 3.1 * SECOND


def test_a_counter_that_fails_gives_its_reason_and_a_lost_device_raises() -> None:
    clock = FakeClock()
    failing = Steps(clock, 1, 1, failing=TelemetryError("counter-reset", "from 2 to 1"))
    found = probe.counting(failing, clock)
    why = Missing(reason="counter-reset", detail="from 2 to 1")
    assert found["energy_tick_ms"] == found["energy_read_us"] == why
    failing.failing = DeviceLost("device-lost")
    with pytest.raises(DeviceLost):
        probe.counting(failing, clock)


@each_kind
@pytest.mark.parametrize("tick_ms", [20.0, 100.0, 200.0])
def test_a_scripted_gpu_is_found_out(tick_ms: float, kind: Kind) -> None:
    with opened(one(tick_ms=tick_ms, phase_ms=7, read_cost_us=500, power=flat(321)), kind) as bench:
        answers = bench.gpu.probes(bench.clock)
    assert answers["energy_counter"] == "nvml-total-energy"
    assert answers["energy_boundary"] == "board"
    assert answers["energy_read_us"] == 500
    assert answers["energy_tick_ms"] == pytest.approx(tick_ms, abs=1.0)
    assert answers["power_now_w"] == answers["power_instant_gpu_w"] == 321
    assert answers["power_average_gpu_w"] == 321
    module = answers["power_instant_module_w"]
    assert isinstance(module, Missing)
    assert module.reason == "nvml-not-supported"


@each_kind
def test_each_field_answers_for_itself(kind: Kind) -> None:
    with opened(FAULTS["field-codes"](0.0), kind) as bench:
        answers = bench.gpu.probes(bench.clock)
    values = {name: value for name, value in answers.items() if name.startswith("power_")}
    numbers = {name for name, value in values.items() if not isinstance(value, Missing)}
    assert numbers == {"power_now_w", "power_instant_module_w", "power_average_gpu_w"}
    assert values["power_instant_module_w"] == 900


@each_kind
def test_a_gpu_without_a_counter_says_why_and_still_tells_power(kind: Kind) -> None:
    with opened(replace(one(counter=False)), kind) as bench:
        answers = bench.gpu.probes(bench.clock)
    assert isinstance(answers["energy_counter"], Missing)
    assert answers["energy_counter"].reason == "no-energy-counter"
    assert answers["power_instant_gpu_w"] == 100
    assert "energy_tick_ms" not in answers
