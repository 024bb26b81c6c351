"""Latency: the ratio of two arms timed side by side, percentiles, and signs of trouble."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokonomy.errors import BadParameter
from tokonomy.stats.binomial import cdf
from tokonomy.stats.estimate import Estimate, half_width, missing
from tokonomy.stats.medians import interval

LEVEL = 0.964
"""Nominal level of the ratio's interval, which is to hold 95 %. A session ends once its interval is
narrow, so an interval narrow by luck ends it early: at a level of 0.95 simulated sessions cover the
truth in 91 to 96 %, by the noise, if they end on the first narrow look. What is added makes up for
that where they end on several in a row (``protocol.LOOKS``). It was chosen by looking at the noise
models that a calibration calls "tuned on", and stands as it is since; those held out were added
after that."""

MIN_BLOCKS = 6
"""Fewest ABBA blocks (12 pairs) with an interval. The widest interval that the data allow, from the
smallest to the largest block, covers the median with 1 - 2^(1 - n): 96.9 % at 6, which ``LEVEL``
asks for, and 93.8 % at 5, which is less."""

FLAG_Z = 2.5758293035489004
"""Autocorrelation is flagged beyond this many standard errors: 1 % of quiet series are."""

MODE_SHARE = 0.2
"""A second mode holds at least this share of the samples; fewer are outliers."""

MODE_SEPARATION = 0.88
"""Two modes are flagged where splitting in two explains this share of the variance: it explains
0.64 of a normal and 0.75 of a uniform distribution, and 0.90 of two normals 6 deviations apart."""

Floats = NDArray[np.float64]


def ratio(
    method_ns: ArrayLike, reference_ns: ArrayLike, block: ArrayLike | None = None
) -> Estimate:
    """Median latency ratio method/reference with its 95 % interval; lower is better.

    The unit is the ABBA block, not the pair: its value is the geometric mean of its pairs' ratios.
    One pair has the method first and the other has it second, so whatever the first place costs
    cancels inside the block. Which arm begins a block is drawn, so whatever noise both arms share
    (drift, clock states, bursts) lands on either side of the median by the toss of a coin. That is
    all the interval rests on: see ``medians``. It is made at ``LEVEL``, widened where blocks
    resemble their neighbours, and withheld where that takes more blocks than there are. The inverse
    of the result is the speed-up.

    Args:
        method_ns: Latency per pair, shape [pairs], > 0.
        reference_ns: The same of the reference, in the same order.
        block: Block of each pair; consecutive pairs two by two where left out.
    """
    values = block_ratios(method_ns, reference_ns, block)
    if values.size == 0:
        return missing("no-pairs")
    return _exp(float(np.median(values)), interval(values, LEVEL), values.size)


def spread(
    method_ns: ArrayLike, reference_ns: ArrayLike, block: ArrayLike | None = None
) -> float | None:
    """Half-width of the ratio's interval relative to it, by which sampling stops.

    Where the interval would be withheld it is that of all blocks, the widest that there is. A
    session that ends on such a look has no interval.
    """
    values = block_ratios(method_ns, reference_ns, block)
    if values.size == 0:
        return None
    ends = interval(values, LEVEL) or (float(values.min()), float(values.max()))
    return half_width(_exp(float(np.median(values)), ends, values.size))


def ratio_of_ratios(first: ArrayLike, second: ArrayLike) -> Estimate:
    """Latency ratio of the first over that of the second, each to its own reference, with interval.

    For two methods timed in different sessions against the same reference. The distances of the
    two medians from the ends of their own intervals add up as squares (Zou and Donner 2008).

    Args:
        first: Rows of method and reference latencies and blocks, shape [3, pairs].
        second: The same of the other.
    """
    ours, theirs = (block_ratios(*np.asarray(each)) for each in (first, second))
    n = min(ours.size, theirs.size)
    if n == 0:
        return missing("no-pairs")
    one, two = float(np.median(ours)), float(np.median(theirs))
    mine, other = interval(ours, LEVEL), interval(theirs, LEVEL)
    if mine is None or other is None:
        return _exp(one - two, None, n)
    down = math.hypot(one - mine[0], other[1] - two)
    up = math.hypot(mine[1] - one, two - other[0])
    return _exp(one - two, (one - two - down, one - two + up), n)


def _exp(value: float, ends: tuple[float, float] | None, n: int) -> Estimate:
    """An estimate from the logarithms of a value and of its ends."""
    if ends is None:
        reason = "too-few-blocks" if n < MIN_BLOCKS else "blocks-alike"
        return Estimate(value=math.exp(value), low=None, high=None, n=n, reason=reason)
    low, high = ends
    return Estimate(value=math.exp(value), low=math.exp(low), high=math.exp(high), n=n)


def block_ratios(
    method_ns: ArrayLike, reference_ns: ArrayLike, block: ArrayLike | None = None
) -> Floats:
    """Log of each block's geometric mean ratio, in order of block, shape [blocks]."""
    method = np.asarray(method_ns, dtype=np.float64)
    reference = np.asarray(reference_ns, dtype=np.float64)
    if method.ndim != 1 or method.shape != reference.shape:
        raise BadParameter(
            "ratio: expected two lists of one length; got shapes "
            f"{method.shape} and {reference.shape}"
        )
    if not ((method > 0).all() and (reference > 0).all()):
        raise BadParameter("ratio: expected latencies above 0 ns")
    blocks = np.arange(method.size) // 2 if block is None else np.asarray(block)
    _, place, counts = np.unique(blocks, return_inverse=True, return_counts=True)
    return np.bincount(place, weights=np.log(method / reference)) / counts


def percentile(values: ArrayLike, share: float) -> Estimate:
    """A percentile with its order-statistic 95 % interval, distribution-free.

    Each end leaves out at most 2.5 %. Where the samples are too few for that, the percentile is
    withheld, not only the interval: the 50th needs 6 samples, the 90th 36, the 99th 368. Samples
    are taken as independent; see ``autocorrelated``.

    Args:
        values: Samples, shape [n].
        share: 0.5 for the median.
    """
    samples = np.sort(np.asarray(values, dtype=np.float64))
    ranks = _ranks(samples.size, share)
    if ranks is None:
        return missing("too-few-samples", samples.size)
    low, high = ranks
    return Estimate(
        value=float(np.quantile(samples, share)),
        low=float(samples[low]),
        high=float(samples[high]),
        n=samples.size,
    )


@lru_cache(maxsize=256)
def _ranks(n: int, share: float) -> tuple[int, int] | None:
    """Places of both ends among ``n`` sorted samples, counted from 0; None where one is beyond."""
    if not 0 < share < 1:
        raise BadParameter(f"percentile: expected a share between 0 and 1; got {share}")
    below = cdf(n, share)
    low = int(np.searchsorted(below, 0.025, side="right")) - 1
    high = int(np.argmax(1 - below <= 0.025))
    return (low, high) if 0 <= low and high < n else None


def autocorrelation(values: ArrayLike) -> float | None:
    """Lag-1 autocorrelation, -1 to 1; None below 10 samples or where nothing varies."""
    samples = np.asarray(values, dtype=np.float64)
    centred = samples - samples.mean() if samples.size else samples
    power = float(centred @ centred)
    if samples.size < 10 or power <= 0:
        return None
    return float(centred[1:] @ centred[:-1]) / power


def autocorrelated(values: ArrayLike) -> bool:
    """Whether neighbours resemble each other more, or less, than chance allows (1 % level).

    Of a quiet series the estimate has a mean of about -1/n and a deviation of about 1/sqrt(n).
    """
    samples = np.asarray(values, dtype=np.float64)
    lag = autocorrelation(samples)
    return lag is not None and abs(lag + 1 / samples.size) > FLAG_Z / math.sqrt(samples.size)


def separation(values: ArrayLike) -> float | None:
    """Share of the variance that the best split in two explains, 0 to 1; None below 10 samples.

    Only splits that leave ``MODE_SHARE`` of the samples on either side count.
    """
    samples = np.sort(np.asarray(values, dtype=np.float64))
    n = samples.size
    edge = math.ceil(n * MODE_SHARE)
    if n < 10 or samples[0] == samples[-1]:
        return None
    centred = samples - samples.mean()
    left = np.arange(edge, n - edge + 1)
    sums = np.cumsum(centred)[left - 1]
    between = sums**2 * n / (left * (n - left))
    return float(between.max() / (centred @ centred))


def bimodal(values: ArrayLike) -> bool:
    """Whether the samples fall into two groups with a gap between."""
    share = separation(values)
    return share is not None and share > MODE_SEPARATION
