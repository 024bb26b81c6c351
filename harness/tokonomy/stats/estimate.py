"""A number with its 95 % interval, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

Z = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""

RESAMPLES = 2000
"""Bootstrap resamples. Each end of an interval then rests on 50 of them; the standard error of its
tail probability, 0.35 points, is small beside what the sample itself leaves open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value, its 95 % interval and the number of independent units behind it.

    Attributes:
        value: None where it cannot be told; never 0 instead.
        low: Lower end of the interval, None where it is withheld.
        high: Upper end.
        n: Independent units: samples, or blocks.
        reason: Code for whatever is None; None where nothing is.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None = None


def missing(reason: str, n: int = 0) -> Estimate:
    """An estimate that could not be made."""
    return Estimate(value=None, low=None, high=None, n=n, reason=reason)


def half_width(estimate: Estimate) -> float | None:
    """Half the interval's width relative to the value; None without an interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    return (estimate.high - estimate.low) / 2 / estimate.value if estimate.value else None


def inverse(estimate: Estimate) -> Estimate:
    """1/x of a positive estimate: the ends change places."""
    low, value, high = (
        1 / part if part else None for part in (estimate.high, estimate.value, estimate.low)
    )
    return Estimate(value=value, low=low, high=high, n=estimate.n, reason=estimate.reason)
