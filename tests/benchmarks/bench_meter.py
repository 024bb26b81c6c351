"""What the energy meter costs the work it measures, and what a long power trace costs.

The steps are loops of about 1 ms, as a call of a small model: half of it pure Python, which holds
the interpreter's lock, half of it numpy, which does not need it. On a machine that does other work
the times of steps say little; ``cpu_share``, the processor time of the meter's thread per second,
holds there, too, and a step on the same processor cannot be slowed by much more.
"""

from __future__ import annotations

import itertools
import statistics
import time
import tracemalloc
from dataclasses import dataclass, field

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tokonomy.measure.rapl import RaplCounter, open_counter
from tokonomy.measure.sampling import Pace, Sampler, Search
from tokonomy.measure.trace import Bins
from tokonomy.store.fields import Boundary

MS = 1_000_000
STRETCH_MS = 250
PAIRS = 24
NEVER = 2**62


@dataclass(slots=True)
class Costly:
    """A counter whose read takes as long as a driver's, waiting outside the interpreter.

    Attributes:
        cpu_s: Processor time of the thread that reads, at each read.
    """

    read_s: float
    meter: str = "made up"
    boundary: Boundary = "board"
    device: str = "made up"
    quantum_uj: int = 1000
    cpu_s: list[float] = field(default_factory=list)

    def read(self) -> int:
        time.sleep(self.read_s)
        self.cpu_s.append(time.thread_time())
        return time.perf_counter_ns() // (100 * MS) * 20_000_000

    def power_w(self) -> float:
        time.sleep(self.read_s)
        return 200.0


def step(values: np.ndarray) -> None:
    """About 1 ms."""
    total = 0
    for number in range(8_000):
        total += number
    for _ in range(4):
        np.sqrt(values, out=values)


def stretch(values: np.ndarray) -> float:
    """Mean milliseconds of a step."""
    begun, steps = time.perf_counter_ns(), 0
    while (taken := time.perf_counter_ns() - begun) < STRETCH_MS * MS:
        step(values)
        steps += 1
    return taken / steps / MS


def metered(values: np.ndarray, counter: Costly, pace: Pace) -> tuple[float, float]:
    """The same while a counter is read as inside a window; and the share of a processor it took."""
    search, now = Search(pace, NEVER), time.perf_counter_ns
    with Sampler(counter, search, now, Bins(now())):
        while not search.ticks:  # about a tick of a window is read more often, and fifty are not
            step(values)
        counter.cpu_s.clear()
        begun = now()
        mean_ms = stretch(values)
        share = (counter.cpu_s[-1] - counter.cpu_s[0]) / (now() - begun) * 1e9
    return mean_ms, share


@pytest.mark.parametrize("read_us", [20, 300])
def test_a_step_under_the_meter(read_us: int, benchmark: BenchmarkFixture) -> None:
    """Stretches with and without the meter in turn; the ratio of each pair, and their median."""
    values = np.random.default_rng(0).random(100_000)
    pace = Pace(tick_ns=100 * MS, read_ns=read_us * 1000, power_ns=read_us * 1000)
    counter = Costly(read_us * 1e-6)
    ratios, shares = [], []
    for _ in range(PAIRS):
        with_ms, share = metered(values, counter, pace)
        ratios.append(with_ms / stretch(values))
        shares.append(share)
    benchmark.extra_info |= {
        "step_ms": stretch(values),
        "slower_median": statistics.median(ratios) - 1,
        "slower_quartiles": [part - 1 for part in statistics.quantiles(ratios, n=4)],
        "cpu_share": statistics.median(shares),
    }
    benchmark.pedantic(stretch, args=(values,), rounds=3)


def test_a_read_of_rapl(benchmark: BenchmarkFixture) -> None:
    """One read of this machine's packages, where they may be read."""
    counter = open_counter()
    if not isinstance(counter, RaplCounter):
        pytest.skip(f"{counter.reason}: {counter.detail}")
    benchmark(counter.read)


def test_ten_minutes_of_power(benchmark: BenchmarkFixture) -> None:
    """A sample each millisecond for ten minutes: time, memory at its highest, and the record."""
    watts = list(itertools.islice(itertools.cycle([90.0, 250.0, 410.0, 180.0]), 1000))

    def trace() -> Bins:
        bins = Bins(begun_ns=0)
        for second in range(600):
            for at, power_w in enumerate(watts):
                bins.add((second * 1000 + at) * MS, power_w)
        return bins

    bins = benchmark.pedantic(trace, rounds=3)
    made = bins.trace("made up")
    assert made is not None
    tracemalloc.start()
    trace()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    benchmark.extra_info |= {
        "samples": made.samples,
        "bins": len(made.at_ms),
        "peak_bytes": peak,
        "json_bytes": len(made.model_dump_json()),
        "ns_per_sample": benchmark.stats.stats.median / made.samples * 1e9,
    }
