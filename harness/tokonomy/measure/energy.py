"""The energy pass: both arms in turn, each in windows of continuous calls between two ticks.

Invariants: no call of the latency pass is made while a counter is read; a window that something
spoiled is measured again and said to have been; a figure that cannot be had is missing with its
reason. What a window is worth is worked out in ``windows``.
"""

from __future__ import annotations

import gc
import itertools
import random
import statistics
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokonomy.errors import DeviceLost, TelemetryError
from tokonomy.measure import windows
from tokonomy.measure.clock import Clock
from tokonomy.measure.protocol import (
    LEAST_CALLS,
    LEAST_TICKS,
    SETTLE_LOOKS,
    SETTLED_C,
    SPOILED_MOST,
    WINDOW_LATE,
)
from tokonomy.measure.sampling import Pace, Sampler, Search, probe
from tokonomy.measure.telemetry import Counter, Telemetry
from tokonomy.measure.trace import Bins
from tokonomy.store.record import Arm, Energy, EnergyPlan, Flag, Idle, Missing, Trial

Predict = Callable[[Any], Any]

_SECOND = 1_000_000_000
_NAP_S = 0.01  # between two looks at whether an idle window is complete
_LOG = 480  # characters of a detail
_NEVER = 2**62


def measure_energy(
    arms: dict[Arm, Predict],
    batches: Sequence[Any],
    *,
    batch_size: int,
    telemetry: Telemetry,
    clock: Clock,
    plan: EnergyPlan,
    rng: random.Random,
) -> Energy | Missing:
    """Measure both arms; raises ``DeviceLost``, and whatever an arm raises.

    Args:
        arms: What is called, by arm; both warm.
        batches: What they are called on, in turn.
        batch_size: Samples in a batch.
        telemetry: The device they run on.
        clock: Reads nanoseconds; the counter is read on it, too.
        plan: How long, and how often.
        rng: Draws the order of the arms.
    """
    counter = telemetry.counter()
    if isinstance(counter, Missing):
        return counter
    try:
        pace = probe(counter, clock.now)
        the_pass = _Pass(arms, batches, telemetry, clock, plan, counter, pace, Bins(clock.now()))
        return the_pass.measure(batch_size, rng)
    except DeviceLost:
        raise
    except TelemetryError as error:
        return Missing(reason=error.reason, detail=error.detail[:_LOG] or None)


def orders(rng: random.Random, trials: int) -> Iterator[Arm]:
    """Which arm each window is of: ABBA or BAAB, drawn for every two of each."""
    for place in range(trials):
        if place % 2 == 0:
            first, second = rng.choice(_EITHER)
        else:
            first, second = second, first
        yield first
        yield second


_EITHER: tuple[tuple[Arm, Arm], ...] = (("method", "reference"), ("reference", "method"))


@dataclass(slots=True)
class _Pass:
    """One energy pass: what every window of it needs."""

    arms: dict[Arm, Predict]
    batches: Sequence[Any]
    telemetry: Telemetry
    clock: Clock
    plan: EnergyPlan
    counter: Counter
    pace: Pace
    bins: Bins
    spoiled: list[Flag] = field(default_factory=list)

    def measure(self, batch_size: int, rng: random.Random) -> Energy:
        """Idle, settle, every window, idle."""
        self.telemetry.causes()  # what was before does not concern these windows
        before = self.idle()
        calls_ns = self.settle()
        self.telemetry.causes()
        trials = [self.trial(arm, calls_ns[arm]) for arm in orders(rng, self.plan.trials)]
        after = self.idle()
        return Energy(
            meter=self.counter.meter,
            boundary=self.counter.boundary,
            device=self.counter.device,
            batch_size=batch_size,
            tick_ms=self.pace.tick_ns / 1e6,
            read_us=self.pace.read_ns / 1e3,
            trials=trials,
            spoiled=self.spoiled,
            idle_before=before,
            idle_after=after,
            trace=self.bins.trace(f"instantaneous power, {self.counter.boundary}"),
        )

    def sampler(self, least_ns: int, least_ticks: int, since_ns: int = 0) -> Sampler:
        """What reads the counter during one window; readings begun before ``since_ns`` are left."""
        search = Search(self.pace, least_ns, least_ticks, since_ns)
        return Sampler(self.counter, search, self.clock.now, self.bins)

    def late(self, least_ns: int, least_ticks: int) -> int:
        """Nanoseconds after which a window is given up."""
        each = max(self.pace.tick_ns, self.pace.sparse_ns)
        return WINDOW_LATE * max(least_ns, least_ticks * each) + _SECOND

    def idle(self) -> Idle | Missing:
        """Mean power while nothing runs; missing where something disturbs it."""
        self.clock.sync()
        least_ns = int(self.plan.idle_s * _SECOND)
        sampler, until = self.sampler(least_ns, LEAST_TICKS), self.late(least_ns, LEAST_TICKS)
        begun = self.clock.now()
        try:
            with sampler:
                while not sampler.ended and self.clock.now() - begun < until:
                    time.sleep(_NAP_S)
            windows.require(sampler.search.ticks)
            self.undisturbed()
        except DeviceLost:
            raise
        except TelemetryError as error:
            self.renew()
            return Missing(reason=error.reason, detail=error.detail[:_LOG] or None)
        first, last = sampler.search.ticks[0], sampler.search.ticks[-1]
        span_ns = last.at_ns - first.at_ns
        power_w = (last.energy_uj - first.energy_uj) * 1e3 / span_ns  # uJ/ns is kW
        return Idle(seconds=span_ns / _SECOND, power_w=power_w)

    def undisturbed(self) -> None:
        """Raise the first cause that spoils what was measured since the last look."""
        for cause in self.telemetry.causes():
            raise TelemetryError(cause.code, cause.detail or "")

    def settle(self) -> dict[Arm, int]:
        """Run both arms until temperature stands; the median time of a call of each, ns."""
        taken: dict[Arm, list[int]] = {arm: [] for arm in self.arms}
        try:
            with self.sampler(_NEVER, _NEVER) as sampler:
                self._settle(sampler, taken)
        except DeviceLost:
            raise
        except TelemetryError:
            self.renew()  # nothing was measured yet that this could spoil
        return {arm: int(statistics.median(times)) for arm, times in taken.items()}

    def _settle(self, sampler: Sampler, taken: dict[Arm, list[int]]) -> None:
        look_ns = int(self.plan.settle_s * _SECOND / SETTLE_LOOKS)
        until = self.clock.now() + int(self.plan.settle_s * _SECOND)
        steady = False
        was = self.telemetry.temperature_c()
        while not steady:
            for arm in self.arms:
                edges = self.work(arm, sampler, look_ns // 2)
                taken[arm] += (b - a for a, b in itertools.pairwise(edges))
            now = self.telemetry.temperature_c()
            steady = was is None or now is None or abs(now - was) < SETTLED_C
            steady |= self.clock.now() >= until or sampler.ended
            was = now

    def work(self, arm: Arm, sampler: Sampler, longest_ns: int) -> array[int]:
        """Call one arm again and again until a window is complete, or this long."""
        predict, clock = self.arms[arm], self.clock
        edges = array("q", [clock.now()])
        sampler.search.since_ns = edges[0]
        until = edges[0] + longest_ns
        for batch in itertools.cycle(self.batches):
            predict(batch)
            clock.sync()
            edges.append(clock.now())
            if sampler.ended or edges[-1] >= until:
                return edges
        raise AssertionError("there are batches")

    def trial(self, arm: Arm, call_ns: int) -> Trial:
        """One window; made again where something spoils it."""
        for _ in range(SPOILED_MOST + 1):
            try:
                found = self.window(arm, call_ns)
                self.undisturbed()
                return found
            except DeviceLost:
                raise
            except TelemetryError as error:
                if error.reason in ("too-few-ticks", "too-few-calls"):
                    raise  # it will not be otherwise next time
                last = error
                detail = f"{arm}: {error.detail}".rstrip(": ")[:_LOG]
                self.spoiled.append(Flag(code=error.reason, detail=detail))
                self.renew()
        raise TelemetryError(last.reason, f"{SPOILED_MOST + 1} times in a row; {last.detail}")

    def renew(self) -> None:
        """Begin anew with counter and causes after something went wrong."""
        counter = self.telemetry.counter()
        if isinstance(counter, Missing):
            raise TelemetryError(counter.reason, counter.detail or "")
        self.counter = counter
        self.telemetry.causes()

    def window(self, arm: Arm, call_ns: int) -> Trial:
        """Energy of one window of continuous calls."""
        gc.collect()
        least_ns = max(int(self.plan.window_s * _SECOND), LEAST_CALLS * call_ns)
        if call_ns > self.pace.tick_ns:  # room to choose ticks next to the boundaries of calls
            least_ns += 2 * call_ns
        least_ticks = max(self.plan.min_ticks, LEAST_TICKS)
        warm = self.telemetry.temperature_c()
        self.clock.sync()
        with self.sampler(least_ns, least_ticks, since_ns=_NEVER) as sampler:
            edges = self.work(arm, sampler, self.late(least_ns, least_ticks))
        found = windows.measure(
            sampler.search.ticks,
            edges,
            self.counter.quantum_uj,
            least_ns=int(self.plan.window_s * _SECOND),
            least_ticks=least_ticks,
        )
        temperature = (warm, self.telemetry.temperature_c())
        return _trial(arm, found, sampler.powers, temperature)


def _trial(
    arm: Arm,
    found: windows.Window,
    powers: Sequence[tuple[int, float]],
    temperature_c: tuple[float | None, float | None],
) -> Trial:
    return Trial(
        arm=arm,
        calls=found.calls,
        span_ns=found.span_ns,
        energy_uj=found.energy_uj,
        ticks=found.ticks,
        bound=found.bound,
        integrated_uj=windows.integral_uj(powers, found.first.at_ns, found.last.at_ns),
        temperature_c=temperature_c,
    )
