"""Energy of simulated windows over power functions whose integral is known exactly.

What is under test is the meter itself: ``measure.sampling.Search`` decides when to read and
``measure.windows`` works out energy per call and its bound, as on a device. Simulated are time, the
loop of calls, the register that ticks, and the cost and lateness of every read.
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from tokonomy.measure.sampling import Pace, Search, lengths
from tokonomy.measure.scripted.course import Course, flat, integral, ramps, steps
from tokonomy.measure.windows import Reading, Window, count, measure
from tokonomy.store.cell import EnergyPlan

QUANTUM_UJ = 1000  # NVML counts millijoules
_SECOND = 1_000_000_000
_BEGUN = 7 * _SECOND  # no moment is special
_LATE_NS = 200_000  # a sleeping thread wakes up to so much too late, now and then ten times that

EnergyAt = Callable[[int], float]
"""True energy since some moment, microjoules, at a moment in nanoseconds; never falls."""


POWERS: Mapping[str, Course] = MappingProxyType({
    "constant": flat(250),
    "step": steps((0, 90), (1.3, 420), repeat_s=3.1),
    "ramp": ramps((0, 60), (11, 480), repeat_s=11),
    "sawtooth": ramps((0, 80), (0.017, 400), repeat_s=0.017),
    "slow sawtooth": ramps((0, 80), (0.73, 400), repeat_s=0.73),
    "spikes": steps((0, 70), (0.21, 700), repeat_s=0.214),
    "idle gaps": steps((0, 350), (0.05, 0), repeat_s=0.13),
    "dying away": ramps((0, 500), (0.4, 200), (2, 120), (9, 100), repeat_s=9),
    "nearly off": flat(0.4),
})  # fmt: skip
"""Watts over seconds, whatever the calls do."""

SHAPES: Mapping[str, tuple[tuple[float, float], ...]] = MappingProxyType({
    "even": ((0.0, 0.0), (1.0, 1.0)),
    "burst at the start": ((0.0, 0.0), (0.05, 0.9), (1.0, 1.0)),
    "burst at the end": ((0.0, 0.0), (0.95, 0.1), (1.0, 1.0)),
    "gap in the middle": ((0.0, 0.0), (0.3, 0.5), (0.7, 0.5), (1.0, 1.0)),
})  # fmt: skip
"""Share of a call's energy spent by share of its time, for calls that are all alike."""


class Setting(NamedTuple):
    """What a window is simulated with.

    Attributes:
        tick_s: Period of the counter; each tick comes up to a tenth of it early or late.
        read_s: Median cost of a read; the value is from anywhere inside.
        call_s: Median time of a call.
        jitter: Standard deviation of the logarithm of both.
        window_s: Least length of the window.
        seed: Of everything drawn.
        min_ticks: Least ticks of the window.
    """

    tick_s: float
    read_s: float
    call_s: float
    jitter: float
    window_s: float
    seed: int
    min_ticks: int = EnergyPlan().min_ticks


class Outcome(NamedTuple):
    """One simulated window: what was told, what is true, and the bound, relative to the former."""

    estimated_uj: float
    true_uj: float
    bound: float

    @property
    def used(self) -> float:
        """Error as a share of the bound; at most 1 where the bound holds."""
        return abs(self.true_uj / self.estimated_uj - 1) / self.bound


def energy_uj(power: Course, at_ns: int) -> float:
    """Integral of watts from time 0, microjoules, exact but for rounding."""
    return 1e6 * integral(power, at_ns / _SECOND)


def experiment(power: Course, setting: Setting) -> Outcome:
    """One window under power that does not care about calls.

    True is the exact energy between the two ticks as they really were, over the calls begun and
    ended in between, those cut by a tick by their time.
    """
    bench = _Bench(setting)
    found, edges = bench.run(partial(energy_uj, power))
    begun, ended = (bench.shown[each.high_ns] for each in (found.first, found.last))
    calls = count(edges, ended) - count(edges, begun)
    true_uj = (energy_uj(power, ended) - energy_uj(power, begun)) / calls
    return Outcome(found.energy_uj / found.calls, true_uj, found.bound)


def alike(
    shape: Sequence[tuple[float, float]], setting: Setting, call_uj: float = 120_000.0
) -> Outcome:
    """One window of calls that each take ``call_uj``, spread over their time in some shape.

    True is ``call_uj``.
    """
    bench = _Bench(setting)
    found, _ = bench.run(_of_calls(bench.edges, shape, call_uj))
    return Outcome(found.energy_uj / found.calls, call_uj, found.bound)


def trials(repeats: int, seed: int) -> Iterator[tuple[str, Outcome]]:
    """Every power function and every shape of a call, so many times each, under drawn settings."""
    rng = random.Random(seed)
    for name, number in itertools.product([*POWERS, *SHAPES], range(repeats)):
        setting = Setting(
            rng.choice((0.001, 0.005, 0.02, 0.1)),
            rng.choice((1e-5, 1e-4, 2e-3)),
            rng.choice((5e-4, 1e-3, 0.01, 0.1, 0.5)),
            rng.choice((0.0, 0.05, 0.3)),
            rng.choice((1.0, 5.0)),
            rng.randrange(2**32) + number,
        )
        if name in POWERS:
            yield name, experiment(POWERS[name], setting)
        else:
            yield name, alike(SHAPES[name], setting)


def _of_calls(
    edges: Sequence[int], shape: Sequence[tuple[float, float]], call_uj: float
) -> EnergyAt:
    shares = [share for share, _ in shape]

    def spent_uj(at_ns: int) -> float:
        calls = count(edges, min(max(at_ns, edges[0]), edges[-1]))
        share = calls - math.floor(calls)
        place = min(bisect.bisect_right(shares, share), len(shape) - 1)
        (begun, low), (ended, high) = shape[place - 1], shape[place]
        part = low + (high - low) * (share - begun) / (ended - begun)
        return call_uj * (math.floor(calls) + part)

    return spent_uj


class _Bench:
    """A loop of calls, a register and a reader, in simulated time."""

    def __init__(self, setting: Setting) -> None:
        self.rng, self.jitter = random.Random(setting.seed), setting.jitter
        self.pace = Pace(
            tick_ns=int(setting.tick_s * _SECOND), read_ns=int(setting.read_s * _SECOND)
        )
        call_ns = int(setting.call_s * _SECOND)
        self.long = lengths(self.pace, setting.window_s, setting.min_ticks, call_ns)
        calls = self._calls(call_ns, self.long.late_ns)
        self.edges = list(itertools.accumulate(calls, initial=_BEGUN))
        self.moments = list(self._moments(self.edges[-1] - _BEGUN))
        self.shown: dict[int, int] = {}  # tick whose value a read gave, by the end of the read

    def _drawn(self, median: float) -> int:
        return max(1, int(median * math.exp(self.rng.gauss(0.0, self.jitter))))

    def _calls(self, call_ns: int, length: int) -> Iterator[int]:
        left = length
        while left > 0:
            taken = self._drawn(call_ns)
            left -= taken
            yield taken

    def _moments(self, length: int) -> Iterator[int]:
        """When the register ticks, from before the loop on."""
        period = self.pace.tick_ns
        phase = self.rng.random() * period
        for number in range(-2, length // period + 4):
            early = self.rng.uniform(-0.1, 0.1) * period
            yield _BEGUN + int(phase + number * period + early)

    def ticked(self, at_ns: int) -> int:
        """The last tick up to a moment."""
        return self.moments[bisect.bisect_right(self.moments, at_ns) - 1]

    def _late(self) -> int:
        late = self.rng.random() * _LATE_NS
        return int(late * 10 if self.rng.random() < 0.02 else late)

    def run(self, energy_at: EnergyAt) -> tuple[Window, list[int]]:
        """Read as the search says until the window is complete; the loop ends with that call."""
        search, now = Search(self.pace, self.long.search_ns), self.edges[0]
        while not search.complete and now < self.edges[-1]:
            start = now
            end = start + self._drawn(self.pace.read_ns)
            self.shown[end] = moment = self.ticked(self.rng.randint(start, end))
            seen = int(energy_at(moment) // QUANTUM_UJ) * QUANTUM_UJ
            now = end + search.take(Reading(start, end, seen)) + self._late()
        after = bisect.bisect_left(self.edges, now)
        edges = self.edges[: after + 1]
        return measure(search.ticks, edges, QUANTUM_UJ, least_ns=self.long.least_ns), edges
