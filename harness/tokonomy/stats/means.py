"""Means of a few repeated measurements, with Student's interval."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from tokonomy.errors import BadParameter
from tokonomy.stats.estimate import Estimate, Z, missing

NORMAL = 10_000
"""Degrees of freedom from which on Student's t is normal to four digits."""


@lru_cache(maxsize=256)
def student(freedom: int) -> float:
    """97.5 % point of Student's t: with x = sqrt(f) tan(a), its density goes as cos(a)^(f-1).

    >>> round(student(2), 2), round(student(10), 2), round(student(10**6), 2)
    (4.3, 2.23, 1.96)
    """
    if freedom >= NORMAL:
        return Z
    angle = np.linspace(0.0, math.pi / 2, 20_001)
    density = np.cos(angle) ** (freedom - 1)
    mass = np.concatenate(([0.0], np.cumsum(density[1:] + density[:-1])))
    return math.sqrt(freedom) * math.tan(float(np.interp(0.95, mass / mass[-1], angle)))


def mean(values: ArrayLike) -> Estimate:
    """Mean with Student's 95 % interval: values are independent and about normal."""
    numbers = np.asarray(values, dtype=np.float64)
    n = int(numbers.size)
    if n == 0:
        return missing("no-trials")
    with np.errstate(all="ignore"):  # what overflows is not finite, and withheld as such
        value = float(numbers.mean())
        if n == 1:
            return Estimate(value=value, low=None, high=None, n=n, reason="too-few-trials")
        reach = student(n - 1) * float(numbers.std(ddof=1)) / math.sqrt(n)
    return Estimate(value=value, low=value - reach, high=value + reach, n=n)


def mean_ratio(first: ArrayLike, second: ArrayLike) -> Estimate:
    """Geometric mean of first/second, paired in order, with Student's interval of the logarithms.

    What both of a pair have in common, such as the warmth of the device, cancels.
    """
    above, below = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if above.ndim != 1 or above.shape != below.shape:
        raise BadParameter(
            f"mean_ratio: expected two lists of one length; got shapes {above.shape} and "
            f"{below.shape}"
        )
    if not ((above > 0).all() and (below > 0).all()):
        return missing("not-computable", int(above.size))
    with np.errstate(all="ignore"):
        found = mean(np.log(above) - np.log(below))
        value, low, high = (
            None if part is None else float(np.exp(part))
            for part in (found.value, found.low, found.high)
        )
    return Estimate(value=value, low=low, high=high, n=found.n, reason=found.reason)
