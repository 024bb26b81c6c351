"""Quality: shares of right answers, and two arms that answered the same samples.

Scores are arrays of shape [n], one per sample, in the same order for both arms; higher is better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokonomy.errors import BadParameter
from tokonomy.stats.binomial import sign_test
from tokonomy.stats.estimate import RESAMPLES, Estimate, Z, missing

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An exact McNemar test.

    Attributes:
        p: Two-sided.
        n: Samples.
        wins: Samples that only the first arm has right.
        losses: Samples that only the second has right.
    """

    p: float
    n: int
    wins: int
    losses: int


def wilson(successes: int, n: int) -> Estimate:
    """A share with Wilson's 95 % score interval (Wilson 1927)."""
    if n == 0:
        return missing("no-samples")
    if not 0 <= successes <= n:
        raise BadParameter(f"wilson: expected 0 to {n} successes; got {successes}")
    low, high = _score_interval(successes, n, Z)
    return Estimate(value=successes / n, low=low, high=high, n=n)


def _score_interval(successes: int, n: int, z: float) -> tuple[float, float]:
    share, scale = successes / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    low = 0.0 if successes == 0 else max(0.0, centre - reach)
    return low, 1.0 if successes == n else min(1.0, centre + reach)


def binary(scores: ArrayLike) -> bool:
    """Whether every score is 0 or 1."""
    values = np.asarray(scores, dtype=np.float64)
    return bool(((values == 0) | (values == 1)).all())


def mcnemar(first: ArrayLike, second: ArrayLike) -> Comparison:
    """Exact McNemar test of two arms' 0/1 scores: a sign test on the samples they differ in."""
    left, right = _aligned(first, second)
    if not (binary(left) and binary(right)):
        raise BadParameter("mcnemar: expected scores of 0 and 1; got other values")
    wins, losses = int((left > right).sum()), int((left < right).sum())
    return Comparison(p=sign_test(wins, losses), n=left.size, wins=wins, losses=losses)


def _aligned(first: ArrayLike, second: ArrayLike) -> tuple[Scores, Scores]:
    left, right = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if left.ndim != 1 or left.shape != right.shape:
        raise BadParameter(
            "paired scores: expected two lists of one length; got shapes "
            f"{left.shape} and {right.shape}"
        )
    return left, right


def difference(first: ArrayLike, second: ArrayLike) -> Estimate:
    """Share right of the first arm minus the second's, with a paired 95 % interval.

    The adjusted Wald interval of Bonett and Price (2012): one is added to either kind of
    disagreement, so its centre is drawn towards 0 and it has a width where nothing disagrees.
    """
    return gap(mcnemar(first, second))


def gap(found: Comparison) -> Estimate:
    """``difference`` from a test already made."""
    if found.n == 0:
        return missing("no-samples")
    wins, losses = (found.wins + 1) / (found.n + 2), (found.losses + 1) / (found.n + 2)
    centre = wins - losses
    reach = Z * math.sqrt((wins + losses - centre**2) / (found.n + 2))
    return Estimate(
        value=(found.wins - found.losses) / found.n,
        low=max(-1.0, centre - reach),
        high=min(1.0, centre + reach),
        n=found.n,
    )


def average(scores: ArrayLike, seed: int = 0) -> Estimate:
    """Mean score: Wilson's interval where all are 0 or 1, a bootstrap interval otherwise."""
    values = np.asarray(scores, dtype=np.float64)
    if values.size == 0 or binary(values):
        return wilson(int(values.sum()), values.size)
    draws = np.random.default_rng(seed).choice(values, (RESAMPLES, values.size)).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(value=float(values.mean()), low=float(low), high=float(high), n=values.size)


def retained(method: ArrayLike, reference: ArrayLike) -> Estimate:
    """Mean score of the method over that of the reference, with a paired 95 % interval.

    0/1 scores get the interval of Bonett and Price (2006), others the paired bootstrap. The
    bootstrap knows nothing of disagreements it has not seen: with 100 samples of which 1.5 are
    expected to differ it covers the truth in 62 % of trials, and with none that differ its width
    is zero; the other covers 94 % or more throughout.
    """
    left, right = _aligned(method, reference)
    if left.size == 0:
        return missing("no-samples")
    if right.sum() <= 0:
        return missing("reference-scores-nothing", left.size)
    return _hybrid(left, right) if binary(left) and binary(right) else bootstrap(left, right)


def _hybrid(left: Scores, right: Scores) -> Estimate:
    """Bonett and Price: Wilson intervals of both shares, narrowed for their correlation."""
    union = int(((left + right) > 0).sum())
    ours, theirs = int(left.sum()), int(right.sum())
    apart = int((left != right).sum())
    spread = math.sqrt((apart + 2) / ((ours + 1) * (theirs + 1)))
    alone = sum(math.sqrt((1 - (x + 1) / (union + 2)) / (x + 1)) for x in (ours, theirs))
    z = Z * spread / alone
    low, high = _score_interval(ours, union, z)
    low_reference, high_reference = _score_interval(theirs, union, z)
    top = high / low_reference if low_reference > 0 else None
    return Estimate(
        value=ours / theirs,
        low=low / high_reference,
        high=top,
        n=left.size,
        reason=None if top is not None else "unbounded",
    )


def bootstrap(method: ArrayLike, reference: ArrayLike, seed: int = 0) -> Estimate:
    """Ratio of mean scores with a paired bootstrap interval.

    Samples with the same pair of scores are alike, so a resample is one multinomial draw of how
    often each distinct pair comes: the same law as drawing samples, at a fraction of the work.
    """
    left, right = _aligned(method, reference)
    pairs, counts = np.unique(np.stack([left, right], axis=1), axis=0, return_counts=True)
    draws = np.random.default_rng(seed).multinomial(left.size, counts / left.size, RESAMPLES)
    tops, bottoms = (draws @ pairs).T
    value = float(left.sum() / right.sum())
    if (bottoms <= 0).any():
        return Estimate(value=value, low=None, high=None, n=left.size, reason="unbounded")
    low, high = np.quantile(tops / bottoms, [0.025, 0.975])
    return Estimate(value=value, low=float(low), high=float(high), n=left.size)


def holm(p_values: ArrayLike) -> list[float]:
    """Holm's adjusted p values (1979), in the order given, for many comparisons shown together."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(values.size, 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in adjusted]
