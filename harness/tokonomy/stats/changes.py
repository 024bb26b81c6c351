"""Change points of a series in order of time: where its level shifts for good, and by how much.

Binary segmentation: the best split in two is looked for, and if a series without a change would
rarely show one as good, both sides are searched in turn. How good a split is, is the share of the
variance that it explains; for the best of all splits the level of chance is found by simulation
once for each length (the maximum of two-sample t statistics, Worsley 1979). It is asked of the
logarithms, winsorised, which finds a large shift in few values, and of their ranks, which finds a
small one among outliers; either may find it, each at half the level. Only then are neighbours
joined whose levels hardly differ: the two sides of one split may do so where a level that went
comes back.

In a series without a change, of independent values, any is found with probability ``LEVEL`` at most
where they are lognormal, and twice that under skewed and heavy-tailed laws, a Cauchy law among
them. Not so for a machine that flips between two states: of six values, three of either state in a
row pass for epochs. A slow drift is cut into epochs too, since its ends do not compare. A level
that soon goes back is found in longer series than one that stays, since one split explains less of
it: of 15, 10 and 15 values no split is beyond chance, of 40, 30 and 40 one is.
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
"""Share of unchanged series in which a change is found, at most; who looks at several asks less of
each."""

LEAST_VALUES = 3
"""Values on either side of a change: with fewer, one odd value begins an epoch."""

LEAST_SHIFT = 0.02
"""Relative shift of the median below which an epoch would tell a reader nothing: a session is asked
to find a difference of 2 %."""

NORMAL_QUARTILE = 0.6744897501960817

REACH = 4.0
"""Standard deviations, told from the median distance to the median, at which values are winsorised:
few normal values are further, and one that is must not explain the whole variance."""

DRAWS = 20_000
"""Simulated series: half of ``LEVEL`` then rests on 100 of them, and a tenth of it on 10."""

LEAST_LEVEL = 2 / DRAWS
"""Where less is asked, the level stays there: no simulated series is beyond the highest of them."""

_BITS = 6  # of a length that is simulated: a store has series of hundreds of lengths
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


def epochs(
    values: ArrayLike, *, least_shift: float = LEAST_SHIFT, level: float = LEVEL
) -> list[Epoch]:
    """Epochs of a series, oldest first, which cover it without a gap; none of no values.

    Args:
        values: In order of time, shape [n], above 0.
        least_shift: Relative shift of the median between neighbours below which they are one.
        level: Share of unchanged series in which any is found, ``LEVEL`` at most.
    """
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1 or not np.isfinite(series).all() or not (series > 0).all():
        raise BadParameter("epochs: expected a list of finite numbers above 0")
    if not 0 < level <= LEVEL:
        raise BadParameter(f"epochs: expected a level above 0 and at most {LEVEL}; got {level}")
    if series.size == 0:
        return []
    logs = np.log(series)
    edges = _joined(logs, [0, *_cuts(logs, level), series.size], math.log1p(least_shift))
    return [
        Epoch(start=start, end=end, level=float(np.median(series[start:end])))
        for start, end in pairwise(edges)
    ]


def numbers(
    values: ArrayLike, *, least_shift: float = LEAST_SHIFT, level: float = LEVEL
) -> list[int]:
    """The epoch of each value, counted from 0."""
    found = epochs(values, least_shift=least_shift, level=level)
    return [at for at, epoch in enumerate(found) for _ in range(epoch.start, epoch.end)]


def _cuts(logs: Floats, level: float) -> list[int]:
    """Places at which something changed beyond chance, in order."""
    at = change(logs, level)
    if at is None:
        return []
    return [*_cuts(logs[:at], level), at, *(at + place for place in _cuts(logs[at:], level))]


def _joined(logs: Floats, edges: list[int], least: float) -> list[int]:
    """Edges without those between neighbours whose medians are nearer than ``least``."""
    while len(edges) > 2:
        middles = [float(np.median(logs[start:end])) for start, end in pairwise(edges)]
        shifts = [abs(after - before) for before, after in pairwise(middles)]
        if min(shifts) >= least:
            break
        nearest = 1 + shifts.index(min(shifts))
        edges = [*edges[:nearest], *edges[nearest + 1 :]]
    return edges


def change(values: Floats, level: float = LEVEL) -> int | None:
    """Where the second of two parts begins; None where no split is beyond chance.

    Args:
        values: In order of time, shape [n].
        level: Of chance, ``LEVEL`` at most.
    """
    if values.size < 2 * LEAST_VALUES:
        return None
    both = (winsorised(values[None])[0], ranks(values))
    for scores, critical in zip(both, critical_values(values.size, level), strict=True):
        best, at = split(scores[None])
        if best[0] > critical:
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


def winsorised(series: Floats) -> Floats:
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


def critical_values(n: int, level: float = LEVEL) -> tuple[float, float]:
    """What the best split of ``n`` unchanged values explains by chance, and that of their ranks.

    Each is passed in half of ``level`` of simulated series: normal ones, and all orders alike. Of
    long series it is that of the next shorter length that keeps its ``_BITS`` leading bits, at most
    3 % shorter: chance explains a little more there, so that the level is held.
    """
    cut = max(0, n.bit_length() - _BITS)
    plain, ranked = _best_by_chance(n >> cut << cut)
    place = int(level / 2 * (DRAWS - 1))
    return float(plain[place]), float(ranked[place])


@lru_cache(maxsize=256)
def _best_by_chance(n: int) -> tuple[Floats, Floats]:
    """The greatest shares in ``DRAWS`` simulated series, as many as ``LEVEL`` needs, descending."""
    rng = np.random.default_rng(n)
    rows = max(1, _AT_ONCE // n)
    plain, ranked = [], []
    for start in range(0, DRAWS, rows):
        series = rng.standard_normal((min(rows, DRAWS - start), n))
        plain.append(split(winsorised(series))[0])
        ranked.append(split(series.argsort(axis=1).astype(np.float64))[0])
    kept = int(LEVEL / 2 * DRAWS) + 1
    highest = [np.sort(np.concatenate(each))[::-1][:kept].copy() for each in (plain, ranked)]
    return highest[0], highest[1]
