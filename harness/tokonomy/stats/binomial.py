"""The binomial distribution, exact, without a dependency."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=256)
def cdf(n: int, p: float) -> NDArray[np.float64]:
    """P(X <= k) for k = 0..n and 0 < p < 1, shape [n + 1]; read-only, kept for the next call."""
    k = np.arange(n + 1)
    factorial = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1)))))
    log_mass = (
        factorial[n] - factorial - factorial[::-1] + k * math.log(p) + (n - k) * math.log1p(-p)
    )
    total: NDArray[np.float64] = np.minimum(np.cumsum(np.exp(log_mass)), 1.0)
    total.flags.writeable = False
    return total


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact p that wins and losses are equally likely; 1 where there are none."""
    if wins == losses:
        return 1.0
    return min(1.0, 2 * float(cdf(wins + losses, 0.5)[min(wins, losses)]))
