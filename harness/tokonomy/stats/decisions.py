"""Whether a figure changed between two runs, beyond what chance and another day explain.

Two runs of one cell differ for three reasons: what was measured within each is uncertain, no two
sittings are alike, and something changed. Intervals from within a run know the first alone, and cry
wolf wherever sittings differ by more. So the difference d of two runs has the variance

    s^2 = w^2 + 2 tau^2

where w is its standard error within the runs and tau^2 the variance between sittings, which either
run brings along. tau^2 is estimated from runs that should be alike, by the method of moments
(DerSimonian and Laird 1986, Controlled Clinical Trials 7:177-188), groups of them weighted by their
degrees of freedom:

    tau^2 = max(0, sum_g (k_g - 1) (Q_g - (k_g - 1)) / C_g / sum_g (k_g - 1))
    Q_g = sum_i u_i (y_i - ybar)^2,  u_i = 1 / v_i,  ybar = sum u_i y_i / sum u_i
    C_g = sum_i u_i - sum_i u_i^2 / sum_i u_i

over the k_g sittings of a group, whose newest runs have values y_i and variances v_i within each.
One run stands for a sitting: others of it share its mood, and a mean of them would vary by less
than the single runs that are compared. A few sittings say little of tau, so d / s is held against
Student's t. What a machine's mood adds in one sitting may be the same for all cells, so a group
adds a degree of freedom only for each sitting that no group before has linked to its others: one
less than there are sittings, where every cell was run in all of them, however many cells there
are. Where all v_i are equal, s^2 is the larger of 2 v and twice the runs' own sample variance, so
that the test is exact where sittings differ by much, and stricter than asked where they do not. One
of the two runs may be among those that tau comes from.

Of many cells some differ by chance; p values of a whole table are adjusted after Benjamini and
Hochberg (1995, J. R. Statist. Soc. B 57:289-300): of all changes that are told, a share of at most
``LEVEL`` is expected to be none, and where nothing changed anything is told of at most that share
of tables, as long as figures are independent or rise and fall together.

There is no least effect: what the p values and the interval both tell from nothing is told with its
interval, however small.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokonomy.stats.estimate import Estimate, Z
from tokonomy.stats.means import NORMAL, student

Floats = NDArray[np.float64]
Outcome = Literal["improved", "no detectable difference", "regressed", "not comparable"]

LEVEL = 0.05
"""Share of false alarms that is borne, among the changes told of one table."""

_NODES = 4001  # of the integral of Student's density: p is right to 2 % down to 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """How much runs that should be alike differ besides what is uncertain within each.

    Attributes:
        variance: tau^2, in the figure's unit squared.
        freedom: Degrees of freedom it was estimated with.
        sittings: Different sittings that it comes from.
        apart: Whether any two runs of a group differ at all.
    """

    variance: float
    freedom: int
    sittings: int
    apart: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A difference with the interval that holds both uncertainties.

    Attributes:
        value: Second run minus first; 0 is no change.
        low: Lower end of the 95 % interval.
        high: Upper end.
        p: Two-sided p that nothing changed.
    """

    value: float
    low: float
    high: float
    p: float


def between(groups: Iterable[tuple[ArrayLike, ArrayLike, Sequence[int]]]) -> Between | None:
    """The variance between sittings; None without a group that has two sittings.

    Args:
        groups: Of each group of alike runs, oldest first, the values, their variances within the
            run, and the sitting of each, which groups may share; [k] each. A variance of 0 says
            that values are exact.
    """
    above, weight, freedom = 0.0, 0, 0
    apart = False
    linked: dict[int, set[int]] = {}  # of each sitting those that groups link it to
    for values, within, sittings in groups:
        newest = {sitting: at for at, sitting in enumerate(sittings)}
        if len(newest) < 2:
            continue
        chosen = list(newest.values())
        some, spread = (np.asarray(part, dtype=np.float64)[chosen] for part in (values, within))
        above += (some.size - 1) * _excess(some, spread)
        weight += some.size - 1
        apart = apart or bool((some != some[0]).any())
        for each in newest:
            ours, theirs = (linked.setdefault(one, {one}) for one in (next(iter(newest)), each))
            if ours is not theirs:
                freedom += 1
                ours |= theirs
                linked |= dict.fromkeys(theirs, ours)
    if not freedom:
        return None
    return Between(variance=max(0.0, above / weight), freedom=freedom, sittings=len(linked),
                    apart=apart)  # fmt: skip


def _excess(values: Floats, within: Floats) -> float:
    """By how much values of one group vary more than within each; may be negative."""
    known = bool((within > 0).all())
    weights = 1 / within if known else np.ones(values.size)  # exact: the sample variance
    total = float(weights.sum())
    scale = total - float(weights @ weights) / total
    squares = float(weights @ (values - float(weights @ values) / total) ** 2)
    return (squares - (values.size - 1 if known else 0)) / scale


def change(difference: Estimate, between: Between | None) -> Change | None:
    """A difference held against both uncertainties; None where it has no interval to begin with.

    Each end of the interval lies as far from the value as its own standard error and that between
    sittings reach together (Zou and Donner 2008 for ends at unequal distances).

    Args:
        difference: Second minus first with its 95 % interval, on a scale where 0 is no change.
        between: From ``between``; None where nothing is known of sittings, so that only what is
            uncertain within the runs counts.
    """
    if difference.value is None or difference.low is None or difference.high is None:
        return None
    value, tau = difference.value, math.sqrt(2 * between.variance) if between else 0.0
    freedom = between.freedom if between else NORMAL
    down, up = (math.hypot(max(0.0, reach) / Z, tau)
                for reach in (value - difference.low, difference.high - value))  # fmt: skip
    reach, towards = student(freedom), down if value > 0 else up
    p = 1.0 if value == 0 else tail(abs(value) / towards, freedom) if towards else 0.0
    return Change(value=value, low=value - reach * down, high=value + reach * up, p=p)


def tail(t: float, freedom: int) -> float:
    """Two-sided p of Student's t.

    With x = sqrt(f) tan(a), the density goes as cos(a)^(f-1).

    >>> round(tail(12.706, 1), 4), round(tail(2.2281, 10), 4), round(tail(1.96, 10**6), 4)
    (0.05, 0.05, 0.05)
    """
    if freedom >= NORMAL:
        return math.erfc(t / math.sqrt(2))
    angle = math.atan(t / math.sqrt(freedom))
    return _mass(angle, freedom) / _mass(0.0, freedom)


def _mass(start: float, freedom: int) -> float:
    angle = np.linspace(start, math.pi / 2, _NODES)
    density = np.cos(angle) ** (freedom - 1)
    return float((density[1:] + density[:-1]).sum() / 2 * (angle[1] - angle[0]))


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p values, in the order given.

    >>> adjusted([0.01, 0.04, 0.03, 0.5])
    [0.04, 0.05333333333333334, 0.05333333333333334, 0.5]
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")[::-1]
    steps = values[order] * values.size / np.arange(values.size, 0, -1)
    found = np.empty_like(values)
    found[order] = np.minimum(np.minimum.accumulate(steps), 1.0)
    return [float(value) for value in found]


def decide(found: Change, p: float, better: Literal["higher", "lower"]) -> Outcome:
    """What became of a figure.

    Args:
        found: The difference.
        p: Its p, adjusted over the table.
        better: Which way is.
    """
    if p > LEVEL or found.low <= 0 <= found.high:
        return "no detectable difference"
    return "improved" if (found.value > 0) == (better == "higher") else "regressed"
