"""The energy pass in real time, over counters whose true energy is known exactly."""

from __future__ import annotations

import gc
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from tokonomy.calibrate.energy_trials import POWERS, energy_uj
from tokonomy.errors import DeviceLost, TelemetryError
from tokonomy.measure import sampling, windows
from tokonomy.measure.clock import MonotonicClock
from tokonomy.measure.crosscheck import disagreement, flags
from tokonomy.measure.energy import measure_energy, orders
from tokonomy.measure.sampling import Pace, Sampler, Search, probe
from tokonomy.measure.scripted import Course, flat
from tokonomy.measure.telemetry import Exclusivity
from tokonomy.measure.trace import Bins
from tokonomy.store.cell import EnergyPlan
from tokonomy.store.fields import Boundary, Missing
from tokonomy.store.observed import Energy, Flag, Pair, Timing, Trial

MS = 1_000_000
TICK_NS = 5 * MS
STEADY = flat(200)


@dataclass(slots=True)
class PowerCounter:
    """A register over known power, in real time.

    Attributes:
        power: True watts over time.
        faults: Raised by the next reads, in order; None lets one pass.
        still: It does not tick between these two moments, ns.
        shown_w: What the power field tells; None for no such field, otherwise a factor.
    """

    power: Course = STEADY
    faults: list[Exception | None] = field(default_factory=list)
    shown_w: float | None = 1.0
    still: tuple[int, int] = (0, 0)
    tick_ns: int = TICK_NS
    meter: str = "made up"
    boundary: Boundary = "board"
    device: str = "made-up device"
    quantum_uj: int = 1000

    def tick(self, at_ns: int) -> int:
        begun, ended = self.still
        at_ns = begun if begun <= at_ns < ended else at_ns
        return at_ns // self.tick_ns * self.tick_ns

    def read(self) -> int:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        joules = energy_uj(self.power, self.tick(time.perf_counter_ns()))
        return int(joules // self.quantum_uj) * self.quantum_uj

    def power_w(self) -> float | None:
        if self.shown_w is None:
            return None
        now = time.perf_counter_ns()
        joules = energy_uj(self.power, now) - energy_uj(self.power, now - MS)
        return self.shown_w * joules / 1e3


@dataclass(slots=True)
class Lagging(PowerCounter):
    """A register that shows of the work what was ``lag_ns`` ago."""

    lag_ns: int = 30 * MS
    watts: list[tuple[int, float]] = field(default_factory=lambda: [(0, 20.0)])  # from a moment on
    shown_w: float | None = None

    def read(self) -> int:
        at = self.tick(time.perf_counter_ns()) - self.lag_ns
        steps = itertools.pairwise([*self.watts, (at, 0.0)])
        lengths = ((max(0, min(end, at) - begun), watts) for (begun, watts), (end, _) in steps)
        return int(sum(length * watts for length, watts in lengths) / 1e3)

    def work(self, watts: float, seconds: float) -> Callable[[Any], None]:
        def predict(_: Any) -> None:
            self.watts.append((time.perf_counter_ns(), watts))
            time.sleep(seconds)
            self.watts.append((time.perf_counter_ns(), 20.0))

        return predict


@dataclass(slots=True)
class Hanging(PowerCounter):
    """A driver that does not come back from a reading until it is let go."""

    hung: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def power_w(self) -> float | None:
        self.hung.set()
        self.released.wait()
        return 200.0


@dataclass(slots=True)
class MadeUp:
    """Telemetry with one counter; ``script`` gives what each look for causes finds."""

    energy: PowerCounter | Missing = field(default_factory=PowerCounter)
    script: Callable[[int], list[Flag]] = lambda _: []
    degrees: Callable[[int], float | None] = lambda _: 50.0
    looks: int = 0
    temperatures: int = 0
    counters: int = 0

    def facts(self) -> dict[str, Any]:
        return {}

    def state(self) -> dict[str, Any]:
        return {}

    def exclusivity(self) -> Exclusivity:
        return Exclusivity(proven=True)

    def causes(self) -> list[Flag]:
        self.looks += 1
        return self.script(self.looks)

    def temperature_c(self) -> float | None:
        self.temperatures += 1
        return self.degrees(self.temperatures)

    def used_bytes(self) -> Missing:
        return Missing(reason="no-device-memory")

    def counter(self) -> PowerCounter | Missing:
        self.counters += 1
        return self.energy

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def sleeps(seconds: float) -> Callable[[Any], None]:
    def predict(_: Any) -> None:
        time.sleep(seconds)

    return predict


PLAN = EnergyPlan(trials=5, window_s=0.15, min_ticks=20, idle_s=0.1, settle_s=0.06)


def unseen(arm: str, index: int, output: Any) -> None:
    pass


def run(
    telemetry: MadeUp, plan: EnergyPlan = PLAN, seen: Callable[..., None] = unseen, **arms: Any
) -> Energy | Missing:
    both = {"method": sleeps(0.001), "reference": sleeps(0.003)} | arms
    return measure_energy(
        both,  # type: ignore[arg-type]
        [0, 1],
        batch_size=2,
        telemetry=telemetry,
        clock=MonotonicClock(),
        plan=plan,
        rng=random.Random(3),
        seen=seen,
    )


def measured(telemetry: MadeUp, plan: EnergyPlan = PLAN, **arms: Any) -> Energy:
    found = run(telemetry, plan, **arms)
    assert isinstance(found, Energy), found
    return found


def test_joules_of_both_arms() -> None:
    threads = threading.enumerate()
    found = measured(MadeUp())
    assert (found.meter, found.boundary, found.batch_size) == ("made up", "board", 2)
    assert [t.arm for t in found.trials].count("method") == 5
    assert len(found.trials) == 10
    assert found.spoiled == []
    for trial in found.trials:
        each_uj, each_ns = trial.energy_uj / trial.calls, trial.span_ns / trial.calls
        # power is 200 W throughout, so a call takes 200 nJ a nanosecond
        assert abs(each_uj / (each_ns * 0.2) - 1) <= trial.bound
        assert each_ns >= (1.0 if trial.arm == "method" else 3.0) * MS
        assert trial.span_ns >= 0.1e9
        assert trial.ticks >= 20
        assert trial.ticks == pytest.approx(trial.span_ns / TICK_NS, rel=0.2)
        assert trial.integrated_uj == pytest.approx(trial.energy_uj, rel=trial.bound + 0.05)
    assert found.tick_ms == pytest.approx(5, rel=0.5)
    for idle in (found.idle_before, found.idle_after):
        assert not isinstance(idle, Missing)
        assert idle.power_w == pytest.approx(200, rel=0.1)
    assert found.trace is not None
    assert max(found.trace.high_w) == pytest.approx(200, rel=0.01)
    assert threading.enumerate() == threads
    assert {trial.temperature_c for trial in found.trials} == {(50.0, 50.0)}
    assert flags(found) == []


@pytest.mark.parametrize("name", POWERS)
def test_truth_is_within_the_bound_in_real_time(name: str) -> None:
    """The thread, the loop and the window together; the ticks' true times are known."""
    counter = PowerCounter(POWERS[name])
    pace = Pace(tick_ns=TICK_NS, read_ns=20_000)
    search = Search(pace, least_ns=150 * MS, since_ns=2**62)
    edges, now = [], time.perf_counter_ns
    with Sampler(counter, search, now, Bins(now())) as sampler:
        edges.append(now())
        search.since_ns = edges[0]
        while not sampler.ended:
            time.sleep(0.0007)
            edges.append(now())
    found = windows.measure(search.ticks, edges, counter.quantum_uj)
    begun, ended = (_true_tick(counter, each) for each in (found.first, found.last))
    calls = windows.count(edges, ended) - windows.count(edges, begun)
    true_uj = (energy_uj(counter.power, ended) - energy_uj(counter.power, begun)) / calls
    assert abs(true_uj / (found.energy_uj / found.calls) - 1) <= found.bound
    assert found.ticks >= 20


def _true_tick(counter: PowerCounter, seen: windows.Tick) -> int:
    """The moment the register took the value that was read."""
    at = counter.tick(seen.low_ns)
    while energy_uj(counter.power, at) // 1000 * 1000 != seen.energy_uj:
        at += counter.tick_ns
        assert at <= seen.high_ns
    return at


def test_arms_take_turns_in_drawn_order() -> None:
    drawn = [tuple(orders(random.Random(seed), 6)) for seed in range(20)]
    assert len(set(drawn)) > 4
    for order in drawn:
        for at in range(0, 12, 4):
            four = order[at : at + 4]
            assert sorted(four) == ["method", "method", "reference", "reference"]
            assert four[0] == four[3]


def test_a_reset_spoils_one_window_which_is_made_again() -> None:
    counter = PowerCounter()
    fault = TelemetryError("counter-reset", "it went back")
    telemetry = MadeUp(counter, script=_at_the_first_window(counter, fault))
    found = measured(telemetry)
    assert [flag.code for flag in found.spoiled] == ["counter-reset"]
    assert len(found.trials) == 10
    assert telemetry.counters == 2


def _at_the_first_window(counter: PowerCounter, fault: Exception) -> Callable[[int], list[Flag]]:
    """Have a reading fail some way into the first window."""

    def script(look: int) -> list[Flag]:
        if look == 3:  # the first window is next
            counter.faults = [None, None, None, fault]
        return []

    return script


def test_a_counter_that_keeps_going_back_gives_nothing() -> None:
    counter = PowerCounter()
    found = run(MadeUp(counter), method=_resetting(counter))
    assert isinstance(found, Missing)
    assert found.reason == "counter-reset"


def _resetting(counter: PowerCounter) -> Callable[[Any], None]:
    def predict(_: Any) -> None:
        time.sleep(0.001)
        counter.faults[:] = [TelemetryError("counter-reset", "again")]

    return predict


def test_a_cause_spoils_the_window_it_fell_into() -> None:
    def script(look: int) -> list[Flag]:
        return [Flag(code="throttled", detail="for heat")] if look == 5 else []

    found = measured(MadeUp(script=script))
    assert [flag.code for flag in found.spoiled] == ["throttled"]
    assert "for heat" in (found.spoiled[0].detail or "")
    assert len(found.trials) == 10


def test_a_cause_that_stays_leaves_no_figure() -> None:
    found = run(MadeUp(script=lambda _: [Flag(code="foreign-process", detail="pid 7")]))
    assert isinstance(found, Missing)
    assert found.reason == "foreign-process"
    assert "pid 7" in (found.detail or "")


def test_a_disturbed_idle_is_missing_and_the_rest_stands() -> None:
    def script(look: int) -> list[Flag]:
        return [Flag(code="foreign-process")] if look == 2 else []

    found = measured(MadeUp(script=script))
    assert found.idle_before == Missing(reason="foreign-process")
    assert not isinstance(found.idle_after, Missing)


def test_a_lost_device_ends_the_pass() -> None:
    counter = PowerCounter()
    fault = DeviceLost("device-lost", "fell off the bus")
    with pytest.raises(DeviceLost):
        run(MadeUp(counter, script=_at_the_first_window(counter, fault)))
    assert counter.faults == []


def test_what_an_arm_raises_comes_out() -> None:
    def predict(_: Any) -> None:
        raise ZeroDivisionError

    threads = threading.enumerate()
    with pytest.raises(ZeroDivisionError):
        run(MadeUp(), reference=predict)
    assert threading.enumerate() == threads


def test_what_lags_behind_is_not_the_other_arms() -> None:
    """Without a lead, a third of each window would show what went on before it."""
    counter = Lagging()
    arms = {"method": counter.work(300.0, 0.002), "reference": counter.work(100.0, 0.002)}
    found = measured(MadeUp(counter), **arms)
    for trial in found.trials:
        watts = trial.energy_uj * 1e3 / trial.span_ns
        assert watts == pytest.approx(300 if trial.arm == "method" else 100, rel=0.1)
    for idle in (found.idle_before, found.idle_after):
        assert not isinstance(idle, Missing)
        assert idle.power_w == pytest.approx(20, rel=0.1)


def test_a_counter_that_stops_while_idle_tells_no_idle_power() -> None:
    counter = PowerCounter()

    def script(look: int) -> list[Flag]:
        if look == 1:  # idle time begins, of which a window is waited for 2.2 s
            now = time.perf_counter_ns()
            counter.still = now + 200 * MS, now + 2_600 * MS
        return []

    found = measured(MadeUp(counter, script), PLAN.model_copy(update={"idle_s": 0.3}))
    assert isinstance(found.idle_before, Missing)
    assert found.idle_before.reason == "too-few-ticks"
    assert not isinstance(found.idle_after, Missing)


def test_ticks_that_go_by_unseen_count() -> None:
    """Reads are 5 ms apart; 150 ticks that each had to be seen would take several times as long."""
    counter = PowerCounter(tick_ns=MS)
    found = measured(MadeUp(counter), PLAN.model_copy(update={"min_ticks": 150}))
    for trial in found.trials:
        assert trial.ticks >= 150
        assert trial.ticks == pytest.approx(trial.span_ns / 1e6 / found.tick_ms, abs=1)


def test_a_thread_left_behind_writes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_JOIN_S", 0.05)
    counter, bins, threads = Hanging(), Bins(0), set(threading.enumerate())
    sampler = Sampler(
        counter, Search(Pace(tick_ns=TICK_NS, read_ns=1000), MS), time.perf_counter_ns, bins
    )
    with pytest.raises(TelemetryError) as caught, sampler:
        counter.hung.wait()
    assert caught.value.reason == "nvml-timeout"
    (behind,) = set(threading.enumerate()) - threads
    counter.released.set()
    behind.join()
    assert bins.trace("made up") is None
    assert sampler.powers == []


def test_one_output_of_each_window_is_looked_at() -> None:
    looked: list[tuple[str, int, Any]] = []

    def answers(batch: int) -> tuple[str, int]:
        time.sleep(0.001)
        return "method", batch

    run(MadeUp(), seen=lambda *each: looked.append(each), method=answers)
    assert [arm for arm, _, _ in looked] == list(orders(random.Random(3), 5))
    ours = [(index, output) for arm, index, output in looked if arm == "method"]
    assert all(output == ("method", index) for index, output in ours)
    assert len(ours) == 5


def test_what_is_wrong_with_an_output_ends_the_pass() -> None:
    def seen(*_: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(MadeUp(), seen=seen)


def test_a_window_with_one_stalled_call_is_measured_again() -> None:
    stall = [False]

    def script(look: int) -> list[Flag]:
        stall[0] |= look == 3  # the first window is next
        return []

    def predict(_: Any) -> None:
        time.sleep(0.5 if stall[0] else 0.001)
        stall[0] = False

    found = measured(MadeUp(script=script), method=predict)
    assert [flag.code for flag in found.spoiled] == ["too-few-calls"]
    assert len(found.trials) == 10


@pytest.fixture
def thawed() -> Iterator[None]:
    """Nothing is kept from the collector, as in a program that did not ask for it."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("thawed")
def test_calls_that_always_fill_a_window_give_nothing() -> None:
    windows_begun = []

    def predict(_: Any) -> None:
        if gc.get_freeze_count():
            windows_begun.append(1)
        time.sleep(0.3 if gc.get_freeze_count() else 0.001)

    found = run(MadeUp(), method=predict)
    assert isinstance(found, Missing)
    assert found.reason == "too-few-calls"
    assert len(windows_begun) >= 4


def test_what_was_kept_from_the_collector_stays_so() -> None:
    gc.freeze()
    run(MadeUp(), method=lambda _: time.sleep(0.001))
    assert gc.get_freeze_count() > 0


@pytest.mark.usefixtures("thawed")
def test_the_collector_looks_at_nothing_old_in_windows() -> None:
    during = [0]
    run(MadeUp(), method=lambda _: (time.sleep(0.001), during.append(gc.get_freeze_count())))
    assert max(during) > 0
    assert gc.get_freeze_count() == 0


def test_without_a_counter_its_reason_is_the_answer() -> None:
    reason = Missing(reason="rapl-absent", detail="none here")
    assert run(MadeUp(reason)) == reason


def test_a_counter_that_stands_still_gives_nothing() -> None:
    found = run(MadeUp(PowerCounter(flat(0))))
    assert isinstance(found, Missing)
    assert found.reason == "too-few-ticks"


def test_no_power_field_no_integral_and_no_trace() -> None:
    found = measured(MadeUp(PowerCounter(shown_w=None)))
    assert found.trace is None
    assert {trial.integrated_uj for trial in found.trials} == {None}
    assert flags(found) == []


def test_it_runs_warm_until_the_temperature_stands() -> None:
    climbing = MadeUp(degrees=lambda look: min(40.0 + 5 * look, 60.0))
    measured(climbing, PLAN.model_copy(update={"settle_s": 1.2}))
    # 45, 50, 55, 60, 60: five looks to settle, then two in each of ten windows
    assert climbing.temperatures == 5 + 20


def test_a_probe_finds_tick_and_cost() -> None:
    pace = probe(PowerCounter(tick_ns=20 * MS), time.perf_counter_ns)
    assert pace.tick_ns == pytest.approx(20 * MS, rel=0.2)
    assert 0 < pace.read_ns < MS


def timing(method_ms: float, reference_ms: float, noise: float = 0.0) -> Timing:
    rng = random.Random(0)
    pairs = [
        Pair(
            block=at // 2,
            batch=0,
            first="method",
            method_ns=int(method_ms * MS * (1 + rng.uniform(-noise, noise))),
            reference_ns=int(reference_ms * MS * (1 + rng.uniform(-noise, noise))),
        )
        for at in range(20)
    ]
    return Timing(
        clock="made up", warmup_calls=1, warmup_s=0.0, pairs=pairs, stop="pair-cap", half_width=0.1
    )


def joules(method_ms: float, reference_ms: float) -> Energy:
    trials = [
        Trial(
            arm=arm,
            calls=1000.0,
            span_ns=int(1000 * ms * MS),
            energy_uj=10**9,
            ticks=50,
            bound=0.01,
            integrated_uj=None,
            temperature_c=(50.0, 50.0),
        )
        for arm, ms in (("method", method_ms), ("reference", reference_ms))
    ]
    idle = Missing(reason="too-few-ticks")
    return Energy(
        meter="made up",
        boundary="board",
        device="made up",
        batch_size=1,
        tick_ms=100.0,
        read_us=10.0,
        trials=trials,
        spoiled=[],
        idle_before=idle,
        idle_after=idle,
        trace=None,
    )


@pytest.mark.parametrize(
    ("field", "values", "code"),
    [
        ("temperature_c", [(50.0, 70.0), (53.0, None)], None),
        ("temperature_c", [(50.0, 50.0), (54.0, 54.0)], "no-steady-temperature"),
        ("temperature_c", [(50.0, 50.0), (None, None)], "no-steady-temperature"),
        ("integrated_uj", [10**9, 10**9], None),
        ("integrated_uj", [1_040_000_000, 1_040_000_000], None),
        ("integrated_uj", [1_040_000_000, 1_080_000_000], "power-disagrees"),
        ("integrated_uj", [None, 900_000_000], "power-disagrees"),
    ],
)
def test_what_a_reader_must_know_follows_from_the_record(
    field: str, values: list[Any], code: str | None
) -> None:
    plain = joules(1.0, 3.0)
    trials = [
        trial.model_copy(update={field: value})
        for trial, value in zip(plain.trials, values, strict=True)
    ]
    found = flags(plain.model_copy(update={"trials": trials}))
    assert [flag.code for flag in found] == ([code] if code else [])


def test_passes_that_agree() -> None:
    assert disagreement(joules(1.02, 2.97), timing(1.0, 3.0)) is None


def test_calls_in_a_row_may_take_some_microseconds_less() -> None:
    assert disagreement(joules(0.092, 3.0), timing(0.1, 3.0)) is None
    assert disagreement(joules(0.088, 3.0), timing(0.1, 3.0)) is not None


def test_passes_that_disagree_leave_no_joules() -> None:
    found = disagreement(joules(1.0, 3.3), timing(1.0, 3.0))
    assert found is not None
    assert found.reason == "throughput-disagrees"
    assert "reference: 3.3 ms" in (found.detail or "")


def test_a_wide_interval_of_latency_allows_more() -> None:
    assert disagreement(joules(1.08, 3.0), timing(1.0, 3.0)) is not None
    assert disagreement(joules(1.08, 3.0), timing(1.0, 3.0, noise=0.6)) is None
