"""Noise of synthetic sessions: what a machine does to the time of each call. Pure, numpy only.

A model draws the logarithm of what each call's time is multiplied by, in order of time. The true
ratio of the arms is planted apart from it, so it is known exactly.

Where both arms meet the same noise, which side of the truth a block falls on is the toss of the
coin that orders it: there the interval of a fixed number of blocks covers by design, and what a
simulation tests is that sampling stops by the width, and that the interval is widened where blocks
seem alike. Linear drift and a cost of going first even cancel in each block. Noise of one arm
alone tests the interval itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LATENCY_NS = 2_000_000
"""Time of a call before noise: that of the embedded models on one core."""

CALLS = 4
"""Calls in an ABBA block: two pairs."""

CENTRE_BLOCKS = 1 << 20
"""Blocks by which a true median is found where no formula gives it: to a fiftieth of what a session
of 200 blocks can tell."""


class Noise(NamedTuple):
    """Of one session.

    Attributes:
        calls: Log factor of every call in order of time, shape [blocks, 4].
        method: Log factor of a call if it is the method's, shape [blocks, 4] or [blocks, 1].
        first: Log cost of coming first in a pair.
    """

    calls: Floats
    method: Floats | float = 0.0
    first: float = 0.0


Model = Callable[[Generator, int], Noise]
"""Noise of a session of so many blocks."""


def white(deviation: float) -> Model:
    """Independent lognormal noise of each call."""
    return lambda rng, blocks: Noise(rng.normal(0, deviation, (blocks, CALLS)))


def drift(total: float) -> Model:
    """A machine that slows down evenly by so much over 400 pairs, and 2 % white noise."""

    def draw(rng: Generator, blocks: int) -> Noise:
        line = np.linspace(0, total, blocks * CALLS).reshape(blocks, CALLS)
        return Noise(line + rng.normal(0, 0.02, (blocks, CALLS)))

    return draw


def walk(step: float) -> Model:
    """A machine whose speed walks at random from call to call, and 2 % white noise."""

    def draw(rng: Generator, blocks: int) -> Noise:
        path = np.cumsum(rng.normal(0, step, blocks * CALLS)).reshape(blocks, CALLS)
        return Noise(path + rng.normal(0, 0.02, (blocks, CALLS)))

    return draw


def autoregressive(rng: Generator, n: int, phi: float) -> Floats:
    """A stationary AR(1) series of unit variance, shape [n]."""
    fresh = math.sqrt(1 - phi**2) * rng.standard_normal(n)
    series = np.empty(n)
    last = rng.standard_normal()
    for at in range(n):
        last = phi * last + fresh[at]
        series[at] = last
    return series


def autocorrelated(phi: float, deviation: float = 0.03) -> Model:
    """Calls that resemble the one before: an AR(1) series over both arms' calls."""

    def draw(rng: Generator, blocks: int) -> Noise:
        series = autoregressive(rng, blocks * CALLS, phi)
        return Noise(deviation * series.reshape(blocks, CALLS))

    return draw


def contaminated(rng: Generator, blocks: int) -> Noise:
    """2 % white noise; one call in ten has ten times that."""
    shape = (blocks, CALLS)
    return Noise(rng.normal(0, 0.02, shape) * np.where(rng.random(shape) < 0.1, 10, 1))


def spikes(rng: Generator, blocks: int) -> Noise:
    """2 % white noise; one call in twenty takes longer by a Pareto share without a variance."""
    shape = (blocks, CALLS)
    extra = np.log1p(0.1 * rng.pareto(1.5, shape))
    return Noise(rng.normal(0, 0.02, shape) + np.where(rng.random(shape) < 0.05, extra, 0))


def states(change: float) -> Model:
    """Two clock states, 25 % apart, left with this probability after each call; 1 % white noise."""

    def draw(rng: Generator, blocks: int) -> Noise:
        slow = _slow(rng, blocks, change)
        return Noise(0.25 * slow + rng.normal(0, 0.01, (blocks, CALLS)))

    return draw


def _slow(rng: Generator, blocks: int, change: float) -> NDArray[np.int64]:
    """1 for each call in the slower of two states, 0 for the others, shape [blocks, 4]."""
    changes = np.cumsum(rng.random(blocks * CALLS) < change)
    return ((changes + rng.integers(2)) % 2).reshape(blocks, CALLS)


def shared(rng: Generator, blocks: int) -> Noise:
    """1 % white noise, and 3 % that all of a block's calls of the method have in common."""
    return Noise(rng.normal(0, 0.01, (blocks, CALLS)), method=rng.normal(0, 0.03, (blocks, 1)))


def leading(rng: Generator, blocks: int) -> Noise:
    """2 % white noise; the first call of each pair takes 5 % longer."""
    return Noise(rng.normal(0, 0.02, (blocks, CALLS)), first=0.05)


def wandering(phi: float) -> Model:
    """A ratio that itself wanders by 3 % from block to block, AR(1): no session can tell its mean.

    What both arms share cancels in a block whatever its memory; this does not.
    """

    def draw(rng: Generator, blocks: int) -> Noise:
        calls = rng.normal(0, 0.01, (blocks, CALLS))
        return Noise(calls, method=0.03 * autoregressive(rng, blocks, phi)[:, None])

    return draw


def laplace(rng: Generator, blocks: int) -> Noise:
    """Laplace noise of each call, deviation 3 %."""
    return Noise(rng.laplace(0, 0.03 / math.sqrt(2), (blocks, CALLS)))


def student(rng: Generator, blocks: int) -> Noise:
    """Noise of each call after Student's t with 3 degrees of freedom, times 1.5 %."""
    return Noise(0.015 * rng.standard_t(3, (blocks, CALLS)))


def sinusoidal(rng: Generator, blocks: int) -> Noise:
    """A load that swings by 10 % either way over 50 to 2,000 calls, and 2 % white noise."""
    period = math.exp(rng.uniform(math.log(50), math.log(2000)))
    turns = np.arange(blocks * CALLS) / period + rng.random()
    swing = 0.1 * np.sin(2 * np.pi * turns).reshape(blocks, CALLS)
    return Noise(swing + rng.normal(0, 0.02, (blocks, CALLS)))


def bursts(rng: Generator, blocks: int) -> Noise:
    """Gamma noise of 3 %; a burst that doubles some 8 calls, by gamma noise too, one call in 50."""
    n = blocks * CALLS
    begins = rng.random(n) < 0.02
    lengths = np.where(begins, rng.geometric(1 / 8, n), 0)
    busy = np.maximum.accumulate(np.arange(n) + lengths) > np.arange(n)
    factors = rng.gamma(1100, 1 / 1100, n) + busy * rng.gamma(4, 1 / 4, n)
    return Noise(np.log(factors).reshape(blocks, CALLS))


def skewed(rng: Generator, blocks: int) -> Noise:
    """2 % white noise; each call of the method alone takes longer by a lognormal share.

    The median that this gives a block's ratio is taken away.
    """
    return Noise(rng.normal(0, 0.02, (blocks, CALLS)), method=_tails(rng, blocks) - _middle())


def _tails(rng: Generator, blocks: int) -> Floats:
    share: Floats = 0.02 * rng.lognormal(0, 1, (blocks, CALLS))
    return np.log1p(share)


@cache
def _middle() -> float:
    """Median of a block's log ratio under ``_tails`` and 2 % white noise."""
    rng = np.random.default_rng(0)
    both = rng.normal(0, 0.02, CENTRE_BLOCKS)  # of two means of two calls each, one taken away
    return float(np.median(both + _tails(rng, CENTRE_BLOCKS)[:, :2].mean(axis=1)))


def reacting(change: float) -> Model:
    """Two clock states as in ``states``; the slower slows the method by 5 % more than the faster.

    Both states are alike but for that, so the median of the blocks' ratios lies halfway.
    """

    def draw(rng: Generator, blocks: int) -> Noise:
        slow = _slow(rng, blocks, change)
        calls = 0.25 * slow + rng.normal(0, 0.01, (blocks, CALLS))
        return Noise(calls, method=np.asarray(0.05 * (slow - 0.5), dtype=np.float64))

    return draw


def offset(rng: Generator, blocks: int) -> Noise:
    """2 % white noise; the method is off by 0.5 % all through a session, another one in each."""
    apart = np.full((blocks, 1), rng.normal(0, 0.005))
    return Noise(rng.normal(0, 0.02, (blocks, CALLS)), method=apart)


TUNED: Mapping[str, Model] = {
    "white, 1 %": white(0.01),
    "white, 3 %": white(0.03),
    "linear drift, 30 % over 400 pairs": drift(0.3),
    "random walk, 1 % a call": walk(0.01),
    "autocorrelated, 0.5": autocorrelated(0.5),
    "autocorrelated, 0.9": autocorrelated(0.9),
    "autocorrelated, 0.99": autocorrelated(0.99),
    "heavy tails, contaminated": contaminated,
    "heavy tails, Pareto spikes": spikes,
    "two clock states, slow": states(0.02),
    "two clock states, fast": states(0.3),
    "common to a block, 3 %": shared,
    "cost of going first, 5 %": leading,
}
"""Noise that the interval's level and the stopping rule were chosen on."""

HELD_OUT: Mapping[str, Model] = {
    "Laplace, 3 %": laplace,
    "Student's t, 3 degrees": student,
    "sinusoidal load, 10 %": sinusoidal,
    "gamma with bursts": bursts,
    "skewed tails of one arm": skewed,
    "one arm reacts to a clock state, fast": reacting(0.3),
}
"""Noise that nothing was chosen on, added after the level was set."""

WANDERING: Mapping[str, Model] = {
    "the ratio wanders, 0.3": wandering(0.3),
    "the ratio wanders, 0.6": wandering(0.6),
    "the ratio wanders, 0.9": wandering(0.9),
}
"""Noise of which a session sees only a part, looked at while the widening was chosen."""

BEYOND: Mapping[str, Model] = {
    "one arm reacts to a clock state, slow": reacting(0.02),
    "one arm is off by 0.5 % all through a session": offset,
}
"""The same, held out: a session may see one state only, and never what sets it apart from others.
No interval that is made from one session can promise more than that session's own ratio."""
