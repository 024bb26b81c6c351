"""The interval of a median, from signs alone: no density to estimate and nothing to resample.

Of independent values each lies above the true median with probability one half, so how many do is
binomial, and two order statistics enclose the median with a known probability whatever the law of
the values. Between the two probabilities next to the one wanted the ends are interpolated after
Hettmansperger and Sheather (1986). Where neighbours are alike, the count of signs spreads further
than a binomial one, and the interval is widened by as much; where that asks for more values than
there are, there is none.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tokonomy.stats.binomial import cdf

Floats = NDArray[np.float64]

ALIKE_Z = 1.6448536269514722
"""The signs of neighbours count as alike beyond this many standard errors: 5 % of quiet series."""

LAGS = 400
"""Lags over which correlations add up; at the strongest that is believed, the rest is 1 %."""

STRONGEST = 0.99
"""Strongest correlation of neighbours that is believed; more would ask for more than LAGS."""


def interval(values: Floats, level: float) -> tuple[float, float] | None:
    """Ends of the interval of the median; None where the level asks for more than the values hold.

    Args:
        values: In order of time, shape [n], n > 0.
        level: Of confidence, between 0 and 1.
    """
    z = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance_inflation(values))
    found = _place(values.size, NormalDist().cdf(-z))
    if found is None:
        return None
    place, part = found
    ordered = np.sort(values)
    low = _between(ordered, place, part)
    return low, -_between(-ordered[::-1], place, part)


def _between(ordered: Floats, place: int, part: float) -> float:
    return float((1 - part) * ordered[place] + part * ordered[min(place + 1, ordered.size - 1)])


def _place(n: int, tail: float) -> tuple[int, float] | None:
    """Which order statistic ends the interval, counted from 0, and how far on towards the next.

    None where even the least value leaves out more than the tail.
    """
    below = cdf(n, 0.5)
    count = int(np.searchsorted(below, tail, side="right"))
    if count == 0:
        return None
    step = (tail - below[count - 1]) / (below[count] - below[count - 1])
    return count - 1, float((n - count) * step / (count + (n - 2 * count) * step))


def variance_inflation(values: Floats) -> float:
    """Variance of the count of signs over that of independent values: 1 or more.

    Signs are those of the distance from the median. The correlation of neighbouring signs, less
    its bias of -1/n, is believed where it is beyond chance. It is taken for that of a Gaussian
    AR(1) series, whose signs k apart have the correlation 2/pi asin(phi^k), and their sum gives
    the variance.
    """
    signs = np.sign(values - np.median(values))
    n = values.size
    neighbours = (float(signs[1:] @ signs[:-1]) + 1) / n
    if neighbours <= ALIKE_Z / math.sqrt(n):
        return 1.0
    phi = min(math.sin(math.pi / 2 * min(neighbours, 1.0)), STRONGEST)
    return 1 + 4 / math.pi * float(np.arcsin(phi ** np.arange(1, LAGS + 1)).sum())
