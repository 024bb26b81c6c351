"""How far a figure of two runs lies apart, with what is uncertain within the runs.

Quality is paired sample by sample; everything else is second minus first of what each run has.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tokonomy.stats.estimate import Estimate, Z, missing
from tokonomy.stats.means import mean
from tokonomy.stats.paired import Comparison, mcnemar
from tokonomy.stats.paired import difference as paired
from tokonomy.store.comparison import RunComparison
from tokonomy.store.history import Kind, additive, variance
from tokonomy.store.observed import Energy, Quality
from tokonomy.store.record import Record
from tokonomy.store.sources import Entry


class Pair(NamedTuple):
    """Two runs of a cell, with what their comparison needs."""

    entries: tuple[Entry, Entry]
    records: tuple[Record, Record]
    compared: RunComparison
    epochs: tuple[int, int]


def difference(name: str, kind: Kind, pair: Pair) -> tuple[Estimate, Comparison | None]:
    """Second minus first on the additive scale, from what is uncertain within the runs."""
    if kind == "share":
        return _quality(name, pair)
    if name == "latency_ratio":
        found = pair.compared.latency_ratio
        return _logged(found), None
    ours, theirs = (additive(each.figures.get(name), kind) for each in pair.entries)
    why = _apart(name, kind, pair)
    if why or ours.value is None or theirs.value is None:
        return missing(why or ours.reason or theirs.reason or "not-recorded"), None
    value = theirs.value - ours.value
    reach = Z * math.sqrt(variance(ours) + variance(theirs))
    if kind == "ratio" and (ours.low is None or theirs.low is None):
        return missing(ours.reason or theirs.reason or "no-interval"), None
    return Estimate(value=value, low=value - reach, high=value + reach, n=0), None


def _apart(name: str, kind: Kind, pair: Pair) -> str | None:
    """Why two figures that are no samples' are not held against each other."""
    ours, theirs = pair.entries
    if ours.device != theirs.device:
        return "other-machine"
    if name == "energy_ratio":
        energy = [each.energy for each in pair.records]
        if len({each.boundary for each in energy if isinstance(each, Energy)}) > 1:
            return "other-boundary"
    return None


def _logged(found: Estimate) -> Estimate:
    parts = (None if part is None else math.log(part)
             for part in (found.value, found.low, found.high))  # fmt: skip
    value, low, high = parts
    return Estimate(value=value, low=low, high=high, n=found.n, reason=found.reason)


def _quality(name: str, pair: Pair) -> tuple[Estimate, Comparison | None]:
    """Paired by sample; graded scores by the mean of their differences."""
    found, test = pair.compared.difference, pair.compared.test
    if found.value is None and found.reason != "scores-not-binary":
        return found, None
    if name == "accuracy" and test is not None:
        return found, test
    ours, theirs = (_each(record, name) for record in pair.records)
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return missing("other-samples"), None
    if name == "agreement":
        return paired(theirs, ours), mcnemar(theirs, ours)
    return mean(theirs - ours), None


def _each(record: Record, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """A quality figure sample by sample, shape [n]."""
    quality = record.quality
    if not isinstance(quality, Quality):
        return None
    if name == "accuracy":
        return np.array(quality.scores["method"], dtype=np.float64)
    pairs = zip(quality.outputs["method"], quality.outputs["reference"], strict=True)
    return np.array([ours == theirs for ours, theirs in pairs], dtype=np.float64)
