"""When sampling ends: on several narrow looks in a row, or at a cap."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tokonomy.measure.clock import FakeClock
from tokonomy.measure.latency import measure_pairs
from tokonomy.store.cell import Measuring
from tokonomy.store.observed import Timing


@dataclass(frozen=True)
class Nothing:
    pass


def timed(method: Sequence[int], **measuring: Any) -> Timing:
    """A session whose method takes so many microseconds pair by pair, and its reference 1,000."""
    clock, left = FakeClock(), iter([1000, *method])
    return measure_pairs(
        lambda _: clock.advance(next(left) * 1000),
        lambda _: clock.advance(1_000_000),
        [Nothing()],
        clock=clock,
        measuring=Measuring(warmup_calls=1, warmup_s=1e-9, **measuring),
        rng=random.Random(0),
    )


def noisy(pairs: int) -> list[int]:
    return random.Random(1).choices([1200, 1350, 1500, 1650, 1800], k=pairs)


def test_three_narrow_looks_in_a_row_end_it() -> None:
    timing = timed([1100] * 400)
    assert (timing.stop, len(timing.pairs), timing.half_width) == ("converged", 40, 0.0)


@pytest.mark.parametrize(("quiet", "looks"), [(20, 1), (24, 2)])
def test_fewer_narrow_looks_do_not(quiet: int, looks: int) -> None:
    narrow = timed([1000] * quiet + noisy(400), max_pairs=10 + 10 * looks)
    assert narrow.half_width == 0.0
    timing = timed([1000] * quiet + noisy(400))
    assert (timing.stop, len(timing.pairs)) == ("pair-cap", 400)


def test_narrow_looks_count_only_in_a_row() -> None:
    timing = timed([1000] * 20 + [1500, 1300, 1400, 1200] * 5 + [1000] * 360)
    assert timing.stop == "converged"
    assert len(timing.pairs) > 60


@pytest.mark.parametrize(
    ("caps", "pairs"), [({"max_pairs": 20}, 20), ({"max_s": 0.05}, 26), ({"max_pairs": 30}, 30)]
)
def test_what_is_narrow_at_a_cap_is_converged(caps: dict[str, Any], pairs: int) -> None:
    timing = timed([1000] * 400, **caps)
    assert (timing.stop, len(timing.pairs)) == ("converged", pairs)


@pytest.mark.parametrize(
    ("caps", "stop"), [({"max_pairs": 30}, "pair-cap"), ({"max_s": 0.05}, "time-cap")]
)
def test_what_is_wide_at_a_cap_is_not(caps: dict[str, Any], stop: str) -> None:
    timing = timed(noisy(400), **caps)
    assert timing.stop == stop
    assert timing.half_width is not None
    assert timing.half_width > 0.01
