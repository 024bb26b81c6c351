"""What follows from a record: every figure of ``METRICS``, recomputed, never written back to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tokonomy.catalog.cards import Effect
from tokonomy.stats.estimate import inverse
from tokonomy.stats.latency import autocorrelation, block_ratios, percentile, ratio, separation
from tokonomy.stats.paired import average, binary, difference, mcnemar, retained, wilson
from tokonomy.store.metrics import METRICS, Metric, absent, estimated, present
from tokonomy.store.record import Costs, Layer, Memory, Missing, Quality, Record, Timing, Work

DERIVATION = 1
"""Raised with every change to what is derived; the store then recomputes all of its figures."""

_MS = 1e-6  # milliseconds in a nanosecond
_SAME = 1e-6  # tokens; mean counts closer than this are equal


def derive(record: Record) -> list[Metric]:
    """Every figure of ``METRICS``, in its order; a missing one has its reason."""
    parts = (
        (record.quality, _quality), (record.timing, _timing), (record.memory, _memory),
        (record.work, _work), (record.costs, _costs),
    )
    found: dict[str, Metric] = {}
    fallback = {"energy_j": record.energy.reason}
    for part, make in parts:
        if isinstance(part, Missing):
            fallback |= dict.fromkeys(_OF_PART[make.__name__], part.reason)
        else:
            found |= {metric.name: metric for metric in make(part, record)}  # type: ignore[operator]
    return [found.get(name) or absent(name, fallback[name]) for name in METRICS]
