"""Pareto fronts: what nothing else beats on cost and quality at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokonomy.errors import BadParameter


def front(cost: ArrayLike, quality: ArrayLike) -> NDArray[np.bool_]:
    """Mark the points that no other point equals or beats on both axes and beats on one.

    Args:
        cost: Lower is better, shape [n], finite.
        quality: Higher is better, shape [n], finite.

    Returns:
        True on the front, shape [n]; equal points are on it together.
    """
    x, y = np.asarray(cost, dtype=np.float64), np.asarray(quality, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise BadParameter(
            "front: expected two lists of finite numbers of one length; got shapes "
            f"{x.shape} and {y.shape}"
        )
    points, place = np.unique(np.stack([x, -y], axis=1), axis=0, return_inverse=True)
    best = np.minimum.accumulate(points[:, 1])
    leads = np.ones(len(points), dtype=np.bool_)
    leads[1:] = best[1:] < best[:-1]
    return leads[place]
