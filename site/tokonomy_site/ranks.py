"""Ranks as ranges: how many rows of a class are better than one, and how many worse.

Of n rows, one that a are better than and that is better than b has a rank from 1 + a to n - b.
Better means that their 95 % intervals do not overlap; a figure that is exact is its own interval,
and one whose interval is withheld may lie anywhere. Rows of one class were scored on the same
samples, so two whose intervals overlap may still differ in quality. Intervals of costs know nothing
of how sittings differ, so ranges by cost hold for these runs and not for the next ones.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from tokonomy.store.metrics import METRICS
from tokonomy_site.board import Row
from tokonomy_site.charts import COSTS, QUALITIES, interval
from tokonomy_site.families import Spec
from tokonomy_site.figures import known
from tokonomy_site.snapshot import Snapshot

Range = tuple[int, int]


def ranges(intervals: Sequence[tuple[float, float]]) -> list[Range]:
    """Ranks of intervals of which lower is better.

    >>> ranges([(1, 2), (1.5, 3), (4, 5), (4, 5)])
    [(1, 2), (1, 2), (3, 4), (3, 4)]
    """
    lows, highs = sorted(low for low, _ in intervals), sorted(high for _, high in intervals)
    return [(1 + bisect_left(highs, low), bisect_right(lows, high)) for low, high in intervals]


def ranks(every: Sequence[Row], snapshot: Snapshot, spec: Spec) -> dict[str, tuple[str, str]]:
    """Ranks by quality and by cost of each row that has them, by row id.

    Stale and doubted rows have none, and are none that others are held against.
    """
    good = [row for row in every if row.run.status == "ok" and row.run.trust.stands]
    fresh = [row for row in good if not snapshot.stale(row.run)]
    quality, cost = (_said(fresh, name, widest) for name, widest in
                     ((spec.quality, QUALITIES), (spec.cost, COSTS)))  # fmt: skip
    return {row.id: (quality.get(row.id, ""), cost.get(row.id, "")) for row in fresh}


def _said(rows: Sequence[Row], name: str, widest: tuple[float, float]) -> dict[str, str]:
    have = [row for row in rows if known(row.run.figure(name))]
    sign = -1.0 if METRICS[name].better == "higher" else 1.0
    intervals = []
    for row in have:
        low, high = sorted(sign * end for end in interval(row.run.figure(name), widest))
        intervals.append((low, high))
    return {row.id: _text(found) for row, found in zip(have, ranges(intervals), strict=True)}


def _text(found: Range) -> str:
    low, high = found
    return str(low) if low == high else f"{low}\u2013{high}"
