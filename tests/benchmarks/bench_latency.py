"""Time until the ratio of two arms is known to a percent, on the embedded ViT of the digits.

``paired`` is the harness's own way: ABBA blocks until the 95 % interval of the pair ratio is
narrow. ``fixed`` is the usual one: so many calls of one arm, then as many of the other, here with
the number doubled until the interval of the ratio of medians is as narrow. Both give up after 20
seconds. The arms are one and the same model, so ``off`` in ``extra_info`` is how far the answer is
from the truth; an interval that is narrow and does not hold 1 (``covers``) was had quickly and is
worth nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tokonomy.families import load_family
from tokonomy.measure.clock import clock_for
from tokonomy.measure.latency import measure_pairs
from tokonomy.stats.latency import percentile, ratio
from tokonomy.store.cell import Measuring

WIDTH, MAX_S = 0.01, 20.0
FIRST = 25  # calls of an arm in the first attempt at fixed repeats


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A ratio with its interval, and the calls of each arm that it took."""

    value: float
    low: float
    high: float
    calls: int

    @property
    def width(self) -> float:
        return (self.high - self.low) / 2 / self.value


@pytest.fixture(scope="module")
def arms() -> tuple[Any, Any, list[Any]]:
    """Two instances of the model, and batches of one image."""
    family = load_family("vision")
    models = [family.load("digits-vit", device="cpu", precision="fp32") for _ in range(2)]
    data = family.open("digits")
    return *models, list(family.batches(models[0], data, 1, indices=range(16)))


def paired(one: Any, other: Any, batches: list[Any]) -> Answer:
    measuring = Measuring(warmup_s=0.1, max_pairs=100_000, max_s=MAX_S, half_width=WIDTH)
    timing = measure_pairs(
        one,
        other,
        batches,
        clock=clock_for("cpu"),
        measuring=measuring,
        rng=random.Random(0),
    )
    pairs = timing.pairs
    found = ratio(
        [pair.method_ns for pair in pairs],
        [pair.reference_ns for pair in pairs],
        [pair.block for pair in pairs],
    )
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    return Answer(value=found.value, low=found.low, high=found.high, calls=len(pairs))


def repeated(model: Any, batches: list[Any], calls: int) -> list[int]:
    clock = clock_for("cpu")
    return [clock.timed(model, batches[call % len(batches)]).host_ns for call in range(calls)]


def fixed(one: Any, other: Any, batches: list[Any]) -> Answer:
    clock = clock_for("cpu")
    calls, begun = FIRST, clock.now()
    while True:
        first, second = (percentile(repeated(arm, batches, calls), 0.5) for arm in (one, other))
        found = _quotient(first, second, calls)
        if found.width <= WIDTH or clock.now() - begun > MAX_S * 1e9:
            return found
        calls *= 2


def _quotient(first: Any, second: Any, calls: int) -> Answer:
    """Ratio of two medians; distances from the ends of their intervals add up as squares."""
    value = first.value / second.value
    down = math.hypot(math.log(first.value / first.low), math.log(second.high / second.value))
    up = math.hypot(math.log(first.high / first.value), math.log(second.value / second.low))
    return Answer(value=value, low=value * math.exp(-down), high=value * math.exp(up), calls=calls)


@pytest.mark.parametrize("way", [paired, fixed], ids=["paired", "fixed"])
def test_time_to_a_percent(
    way: Callable[..., Answer], arms: tuple[Any, Any, list[Any]], benchmark: BenchmarkFixture
) -> None:
    answers: list[Answer] = []
    benchmark.pedantic(lambda: answers.append(way(*arms)), rounds=3, warmup_rounds=0)
    benchmark.extra_info |= {
        "calls": [found.calls for found in answers],
        "half_width": [round(found.width, 5) for found in answers],
        "off": [round(abs(found.value - 1), 5) for found in answers],
        "covers": sum(found.low <= 1 <= found.high for found in answers),
    }
    assert all(found.low <= found.value <= found.high for found in answers)
