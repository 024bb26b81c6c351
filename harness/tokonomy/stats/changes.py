"""Change points of a series in order of time: where its level shifts for good, and by how much.

Binary segmentation: the best split in two is looked for, and if a series without a change would
rarely show one as good, both sides are searched in turn. How good a split is, is the share of the
variance that it explains; for the best of all splits the level of chance is found by simulation
once for each length (the maximum of two-sample t statistics, Worsley 1979). It is asked of the
logarithms, far ones drawn in, which finds a large shift in few values, and of their ranks, which
finds a small one among outliers; either may find it, each at half the level.

In a series without a change, of independent values, any is found with probability ``LEVEL`` at most
where they are lognormal, and twice that under skewed and heavy-tailed laws, a Cauchy law among
them. Of a machine that flips between two states, ten values are needed for that; of fewer, three in
a row of either state pass for epochs in 4 % of series. A slow drift is cut into epochs too, since
its ends do not compare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokonomy.errors import BadParameter

Floats = NDArray[np.float64]

LEVEL = 0.01
"""Share of unchanged series in which a change is found, at most."""

LEAST_VALUES = 3
"""Values on either side of a change: with fewer, one odd value begins an epoch."""

LEAST_SHIFT = 0.02
"""Relative shift of the median below which an epoch would tell a reader nothing: a session is asked
to find a difference of 2 %."""

NORMAL_QUARTILE = 0.6744897501960817

REACH = 4.0
"""Standard deviations, told from the median distance to the median, to which far values are drawn
in: few normal values are further, and one that is must not explain the whole variance."""

DRAWS = 20_000
"""Simulated series: each half of the level then rests on 100 of them."""

_AT_ONCE = 1_000_000  # numbers drawn together, to bound memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """Values ``start`` to ``end`` - 1 of a series, which share a level.

    Attributes:
        start: Place of the first value, counted from 0.
        end: Place after the last.
        level: Median of the values, in their unit.
    """

    start: int
    end: int
    level: float


def epochs(values: ArrayLike, *, least_shift: float = LEAST_SHIFT) -> list[Epoch]:
    """Epochs of a series, oldest first, which cover it without a gap; none of no values.

    Args:
        values: In order of time, shape [n], above 0.
        least_shift: Relative shift of the median between neighbours below which they are one.
    """
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1 or not np.isfinite(series).all() or not (series > 0).all():
        raise BadParameter("epochs: expected a list of finite numbers above 0")
    if series.size == 0:
        return []
    edges = [0, *_cuts(np.log(series), math.log1p(least_shift)), series.size]
    return [
        Epoch(start=start, end=end, level=float(np.median(series[start:end])))
        for start, end in pairwise(edges)
    ]


def numbers(values: ArrayLike, *, least_shift: float = LEAST_SHIFT) -> list[int]:
    """The epoch of each value, counted from 0."""
    found = epochs(values, least_shift=least_shift)
    return [at for at, epoch in enumerate(found) for _ in range(epoch.start, epoch.end)]


def _cuts(logs: Floats, least: float) -> list[int]:
    """Places at which epochs begin, but for the first."""
    at = change(logs)
    if at is None or abs(float(np.median(logs[at:]) - np.median(logs[:at]))) < least:
        return []
    later = [at + place for place in _cuts(logs[at:], least)]
    return [*_cuts(logs[:at], least), at, *later]


def change(values: Floats) -> int | None:
    """Where the second of two parts begins; None where no split is beyond chance.

    Args:
        values: In order of time, shape [n].
    """
    if values.size < 2 * LEAST_VALUES:
        return None
    both = (drawn_in(values[None])[0], ranks(values))
    for scores, limit in zip(both, limits(values.size), strict=True):
        best, at = split(scores[None])
        if best[0] > limit:
            return int(at[0])
    return None


def split(series: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Share of variance that the best split explains, and where its second part begins.

    Args:
        series: One a row, shape [m, n].

    Returns:
        Shares and places, [m] each; share 0 of a constant series.
    """
    n = series.shape[1]
    centred = series - series.mean(axis=1, keepdims=True)
    left = np.arange(LEAST_VALUES, n - LEAST_VALUES + 1)
    between = np.cumsum(centred, axis=1)[:, left - 1] ** 2 * n / (left * (n - left))
    total = (centred**2).sum(axis=1)
    best = between.argmax(axis=1)
    share = between[np.arange(len(series)), best] / np.where(total > 0, total, 1.0)
    return share, left[best]


def drawn_in(series: Floats) -> Floats:
    """Series, one a row, with values beyond ``REACH`` moved there; none where most are equal."""
    middle = np.median(series, axis=1, keepdims=True)
    deviation = np.median(np.abs(series - middle), axis=1, keepdims=True) / NORMAL_QUARTILE
    reach = np.where(deviation > 0, REACH * deviation, np.inf)
    return np.clip(series, middle - reach, middle + reach)


def ranks(values: Floats) -> Floats:
    """Ranks from 0 along the last axis; equal values get the mean of theirs."""
    ordered = np.sort(values)
    first, last = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return (first + last - 1) / 2


@lru_cache(maxsize=64)
def limits(n: int) -> tuple[float, float]:
    """What the best split of ``n`` unchanged values explains, and of their ranks, by chance.

    Each is passed in half of ``LEVEL`` of simulated series: normal ones, and all orders alike.
    """
    rng = np.random.default_rng(n)
    rows = max(1, _AT_ONCE // n)
    plain, ranked = [], []
    for start in range(0, DRAWS, rows):
        series = rng.standard_normal((min(rows, DRAWS - start), n))
        plain.append(split(drawn_in(series))[0])
        ranked.append(split(series.argsort(axis=1).astype(np.float64))[0])
    high = 1 - LEVEL / 2
    return (
        float(np.quantile(np.concatenate(plain), high, method="higher")),
        float(np.quantile(np.concatenate(ranked), high, method="higher")),
    )
