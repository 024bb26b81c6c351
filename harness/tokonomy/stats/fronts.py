"""Pareto fronts: what nothing else beats on cost and quality at once."""

from __future__ import annotations

from typing import Literal

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


Place = Literal["on", "possibly", "beaten"]
"""On the front wherever the truth lies in the intervals, in some cases, in none."""


def places(cost: ArrayLike, quality: ArrayLike) -> list[Place]:
    """Where each point stands if cost and quality are known to lie in intervals only.

    A point is beaten for certain if another at its worst still beats it at its best: were every
    other at its worst and it at its best, that one would. It is on the front for certain if none at
    its best beats it at its worst. Intervals of points vary freely of one another.

    Args:
        cost: Lower and upper ends, lower is better, shape [n, 2], finite.
        quality: The same, higher is better.
    """
    x, y = _intervals("cost", cost), _intervals("quality", quality)
    if len(x) != len(y):
        raise BadParameter(f"places: expected as many costs as qualities; got {len(x)}, {len(y)}")
    best, worst = np.stack([x[:, 0], -y[:, 1]], axis=1), np.stack([x[:, 1], -y[:, 0]], axis=1)
    return [
        "beaten" if _beaten(best[at], np.delete(worst, at, axis=0))
        else "possibly" if _beaten(worst[at], np.delete(best, at, axis=0))
        else "on"
        for at in range(len(x))
    ]  # fmt: skip


def _beaten(point: NDArray[np.float64], others: NDArray[np.float64]) -> bool:
    """Whether one of the others is at most the point on both axes and less on one."""
    return bool(((others <= point).all(axis=1) & (others < point).any(axis=1)).any())


def _intervals(name: str, ends: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(ends, dtype=np.float64)
    if values.shape == (0,):
        values = values.reshape(0, 2)
    if values.ndim != 2 or values.shape[1] != 2:
        raise BadParameter(f"places: expected {name} of shape [n, 2]; got {values.shape}")
    if not np.isfinite(values).all() or (values[:, 0] > values[:, 1]).any():
        raise BadParameter(f"places: expected ends of {name} that are finite and in order")
    return values
