"""The energy pass: both arms in turn, each in windows of continuous calls between two ticks.

Invariants: no call of the latency pass is made while a counter is read; a window begins only after
a lead of the same work; an output of each, of a moment drawn, is looked at; a window that something
spoiled is measured again and said to have been; a figure that cannot be had is missing with its
reason. What a window is worth is worked out in ``windows``.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tokonomy.errors import DeviceLost, TelemetryError
from tokonomy.measure import windows
from tokonomy.measure.arms import Predict, Seen
from tokonomy.measure.clock import Clock
from tokonomy.measure.collecting import spared
from tokonomy.measure.inputs import kept
from tokonomy.measure.protocol import (
    LEAD_S,
    LEAD_SHARE,
    LEAST_TICKS,
    SETTLE_LOOKS,
    SETTLED_C,
    SPOILED_MOST,
)
from tokonomy.measure.sampling import Pace, Sampler, Search, lengths, probe
from tokonomy.measure.telemetry import Counter, Telemetry, tried
from tokonomy.measure.trace import Bins
from tokonomy.store.cell import EnergyPlan
from tokonomy.store.fields import Arm, Missing
from tokonomy.store.observed import Energy, Flag, Idle, Trial

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
    seen: Seen,
) -> Energy | Missing:
    """Measure both arms; raises ``DeviceLost``, and whatever an arm or ``seen`` raises.

    Args:
        arms: What is called, by arm; both warm.
        batches: What they are called on, in turn.
        batch_size: Samples in a batch.
        telemetry: The device they run on.
        clock: Reads nanoseconds; the counter is read on it, too.
        plan: How long, and how often.
        rng: Draws the order of the arms, and which call of a window is looked at.
        seen: Gets the output of that call, after the window.
    """
    counter = telemetry.counter()
    if isinstance(counter, Missing):
        return counter

    def measured() -> Energy:
        pace = probe(counter, clock.now)
        bins = Bins(clock.now())
        the_pass = _Pass(
            arms, batches, telemetry, clock, plan, counter, pace, bins, rng=rng, seen=seen
        )
        return the_pass.measure(batch_size)

    return tried(measured)


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


class _Worked(NamedTuple):
    """Calls of one arm in a row.

    Attributes:
        edges: When the first began, and when each ended, ns.
        at, output: Number of its batch and what it gave, of the call that was to be looked at;
            None where it was not reached.
    """

    edges: array[int]
    at: int = 0
    output: Any = None


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
    rng: random.Random
    seen: Seen
    spoiled: list[Flag] = field(default_factory=list)

    def measure(self, batch_size: int) -> Energy:
        """Idle, settle, every window, idle."""
        self.telemetry.causes()  # what was before does not concern these windows
        before = self.idle()
        calls_ns = self.settle()
        self.telemetry.causes()
        order = list(orders(self.rng, self.plan.trials))
        trials = [self.trial(arm, calls_ns[arm]) for arm in order]
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

    @property
    def lead_ns(self) -> int:
        """How long the same goes on before a window may begin."""
        return int(min(LEAD_S, LEAD_SHARE * self.plan.window_s) * _SECOND)

    def sampler(self, least_ns: int, since_ns: int) -> Sampler:
        """What reads the counter during one window; readings begun before ``since_ns`` are left."""
        search = Search(self.pace, least_ns, since_ns)
        return Sampler(self.counter, search, self.clock.now, self.bins)

    def idle(self) -> Idle | Missing:
        """Mean power while nothing runs; missing where something disturbs it."""
        found = tried(self._idle)
        if isinstance(found, Missing):
            self.renew()
        return found

    def _idle(self) -> Idle:
        self.clock.sync()
        long = lengths(self.pace, self.plan.idle_s, LEAST_TICKS)
        since_ns = self.clock.now() + self.lead_ns
        until = since_ns + long.late_ns
        with self.sampler(long.search_ns, since_ns) as sampler:
            while not sampler.ended and self.clock.now() < until:
                time.sleep(_NAP_S)
        if not sampler.search.complete:
            moved = len(sampler.search.ticks)
            detail = f"the counter moved {moved} times while idle, and then not in time"
            raise TelemetryError("too-few-ticks", detail)
        self.undisturbed()
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
            with self.sampler(_NEVER, 0) as sampler:
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
                edges = self.work(arm, sampler, look_ns // 2).edges
                taken[arm] += (b - a for a, b in itertools.pairwise(edges))
            now = self.telemetry.temperature_c()
            steady = was is None or now is None or abs(now - was) < SETTLED_C
            steady |= self.clock.now() >= until or sampler.ended
            was = now

    def work(
        self, arm: Arm, sampler: Sampler, longest_ns: int, lead_ns: int = 0, look_ns: int = _NEVER
    ) -> _Worked:
        """Call one arm again and again until a window is complete, or this long.

        The window begins after ``lead_ns``; the call is kept that goes on ``look_ns`` later.
        """
        predict, clock = self.arms[arm], self.clock
        edges = array("q", [clock.now()])
        since = sampler.search.since_ns = edges[0] + lead_ns
        found, until, look = _Worked(edges), since + longest_ns, since + look_ns
        for index, batch in itertools.cycle(enumerate(self.batches)):
            output = predict(batch)
            clock.sync()
            ended = sampler.ended  # first, so that the last tick is before the last edge
            edges.append(clock.now())
            if edges[-1] >= look:
                found, look = _Worked(edges, index, kept(output)), _NEVER
            if ended or edges[-1] >= until:
                return found
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
                if error.reason == "too-few-ticks":
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
        long = lengths(self.pace, self.plan.window_s, self.plan.min_ticks, call_ns)
        look_ns = self.rng.randrange(long.search_ns)
        warm = self.telemetry.temperature_c()
        self.clock.sync()
        with spared(), self.sampler(long.search_ns, since_ns=_NEVER) as sampler:
            work = self.work(arm, sampler, long.late_ns, self.lead_ns, look_ns)
        hot = self.telemetry.temperature_c()
        self.seen(arm, work.at, work.output)
        found = windows.measure(
            sampler.search.ticks, work.edges, self.counter.quantum_uj, least_ns=long.least_ns
        )
        return Trial(
            arm=arm,
            calls=found.calls,
            span_ns=found.span_ns,
            energy_uj=found.energy_uj,
            ticks=max(found.ticks, round(found.span_ns / self.pace.tick_ns)),
            bound=found.bound,
            integrated_uj=windows.integral_uj(sampler.powers, found.first.at_ns, found.last.at_ns),
            temperature_c=(warm, hot),
        )
