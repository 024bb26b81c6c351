"""Noise of synthetic sessions: what a machine does to the time of each call. Pure, numpy only.

A model draws the logarithm of what each call's time is multiplied by, in order of time. The true
ratio of the arms is planted apart from it, so it is known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tokonomy.store.record import Pair, Timing

Floats = NDArray[np.float64]

LATENCY_NS = 2_000_000
"""Time of a call before noise: that of the embedded models on one core."""

CALLS = 4
"""Calls in an ABBA block: two pairs."""

CHUNK = 5
"""Consecutive blocks that are drawn together from a real session, so that what lasts for up to 20
calls stays as it was."""


class Noise(NamedTuple):
    """Of one session.

    Attributes:
        calls: Log factor of every call in order of time, shape [blocks, 4].
        ratio: Log factor of the method's calls alone, by block, shape [blocks].
        first: Log cost of coming first in a pair.
    """

    calls: Floats
    ratio: Floats | None = None
    first: float = 0.0


Model = Callable[[Generator, int], Noise]
"""Noise of a session of so many blocks."""


def white(deviation: float) -> Model:
    """Independent lognormal noise of each call."""
    return lambda rng, blocks: Noise(rng.normal(0, deviation, (blocks, CALLS)))


def drift(total: float) -> Model:
    """A machine that slows down evenly by so much over the session, and 2 % white noise."""

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


def remembered(rng: Generator, n: int, phi: float) -> Floats:
    """A stationary AR(1) series of unit variance, shape [n]."""
    fresh = math.sqrt(1 - phi**2) * rng.standard_normal(n)
    series = np.empty(n)
    last = rng.standard_normal()
    for at in range(n):
        last = phi * last + fresh[at]
        series[at] = last
    return series


def memory(phi: float, deviation: float = 0.03) -> Model:
    """Calls that resemble the one before: an AR(1) series over both arms' calls."""

    def draw(rng: Generator, blocks: int) -> Noise:
        series = remembered(rng, blocks * CALLS, phi)
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
        n = blocks * CALLS
        slow = (np.cumsum(rng.random(n) < change) + rng.integers(2)) % 2
        return Noise((0.25 * slow + rng.normal(0, 0.01, n)).reshape(blocks, CALLS))

    return draw


def shared(rng: Generator, blocks: int) -> Noise:
    """1 % white noise, and 3 % that all of a block's calls of the method have in common."""
    return Noise(rng.normal(0, 0.01, (blocks, CALLS)), ratio=rng.normal(0, 0.03, blocks))


def leading(rng: Generator, blocks: int) -> Noise:
    """2 % white noise; the first call of each pair takes 5 % longer."""
    return Noise(rng.normal(0, 0.02, (blocks, CALLS)), first=0.05)


def wandering(phi: float) -> Model:
    """A ratio that itself wanders by 3 % from block to block, AR(1): no session can tell its mean.

    What both arms share cancels in a block whatever its memory; this does not.
    """

    def draw(rng: Generator, blocks: int) -> Noise:
        calls = rng.normal(0, 0.01, (blocks, CALLS))
        return Noise(calls, ratio=0.03 * remembered(rng, blocks, phi))

    return draw


def fitted(sessions: Sequence[Timing]) -> Model:
    """Real sessions of a model against itself, resampled in runs of whole blocks.

    Each simulated session draws one real one, and from it chunks of consecutive blocks, circular
    (Politis and Romano 1992). A block keeps its four calls in order of time; which of them are the
    method's is drawn anew, which the arms being the same allows, so the true ratio is 1.
    """
    pools = [_calls(timing.pairs) for timing in sessions]

    def draw(rng: Generator, blocks: int) -> Noise:
        pool = pools[rng.integers(len(pools))]
        starts = rng.integers(len(pool), size=-(-blocks // CHUNK))
        places = (starts[:, None] + np.arange(CHUNK)).ravel()[:blocks] % len(pool)
        return Noise(pool[places])

    return draw


def _calls(pairs: Sequence[Pair]) -> Floats:
    """Log time of each call over ``LATENCY_NS`` in order, shape [blocks, 4]; whole blocks only."""
    times = [
        (pair.method_ns, pair.reference_ns)
        if pair.first == "method"
        else (pair.reference_ns, pair.method_ns)
        for pair in pairs[: len(pairs) // 2 * 2]
    ]
    return np.log(np.array(times, dtype=np.float64).reshape(-1, CALLS) / LATENCY_NS)


MODELS: Mapping[str, Model] = {
    "white, 1 %": white(0.01),
    "white, 3 %": white(0.03),
    "linear drift, 30 %": drift(0.3),
    "random walk, 1 % a call": walk(0.01),
    "autocorrelated, 0.5": memory(0.5),
    "autocorrelated, 0.9": memory(0.9),
    "autocorrelated, 0.99": memory(0.99),
    "heavy tails, contaminated": contaminated,
    "heavy tails, Pareto spikes": spikes,
    "two clock states, slow": states(0.02),
    "two clock states, fast": states(0.3),
    "common to a block, 3 %": shared,
    "cost of going first, 5 %": leading,
}
"""Noise in which the interval is to keep its promise."""

WANDERING: Mapping[str, Model] = {
    "the ratio wanders, 0.3": wandering(0.3),
    "the ratio wanders, 0.6": wandering(0.6),
    "the ratio wanders, 0.9": wandering(0.9),
}
"""Noise for which nothing is promised, since a session sees only a part of it; shown as found, with
the share of sessions that are flagged."""

FITTED = "fitted to real sessions"
