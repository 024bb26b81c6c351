"""How sessions differ: what sets of records tell of runs that should be alike."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from tokonomy.stats.decisions import Sessions, sessions
from tokonomy.stats.estimate import Estimate, Z, missing
from tokonomy.store.epochs import Device, by_device, epoch
from tokonomy.store.metrics import Metric
from tokonomy.store.sources import Entry, Key, Pool

Kind = Literal["share", "ratio", "amount", "count"]
"""What a figure is, which decides how it is compared; see ``regressions``."""

LEAST_RUNS = 3
"""Runs from which on a cell's own history tells how sessions differ."""

WITHIN = "within the runs only"
"""Basis of what was decided without knowing sessions, which may differ by more."""


class History:
    """What sets of records tell of sessions: by cell, by machine, and when epochs began.

    Runs of a cell are alike up to the one that is compared, and those after it are alike among
    themselves; a change between the two is no variation of sessions, or it would hide itself.
    """

    def __init__(self, pools: Iterable[Pool], first: Mapping[Key, Entry]) -> None:
        every = {run: each for pool in pools for run, each in pool.items()}
        seen = (each.sentinel for each in every.values())
        self.begun = by_device(one for one in seen if one is not None)
        self._cells: dict[tuple[Key, Device, int], list[list[Entry]]] = defaultdict(list)
        self._machines: dict[tuple[Device, int], list[list[Entry]]] = defaultdict(list)
        self._kept: dict[tuple[object, ...], Sessions | None] = {}
        groups: dict[tuple[object, ...], list[Entry]] = defaultdict(list)
        for each in every.values():
            if each.status == "ok" and each.trust.stands:
                after = each.cell in first and each.order > first[each.cell].order
                groups[each.cell, each.source, each.device, self.epoch(each), after].append(each)
        for group in groups.values():
            if len(group) > 1:
                where = group[0].device, self.epoch(group[0])
                self._cells[group[0].cell, *where].append(group)
                self._machines[where].append(group)

    def epoch(self, each: Entry) -> int:
        """The epoch of its device that a run is of."""
        return epoch(each.order[0], self.begun.get(each.device, ()))

    def sessions(self, figure: str, kind: Kind, first: Entry) -> tuple[str, Sessions | None]:
        """What is known of sessions, in words, and how they differ in a figure of a run's cell.

        Args:
            figure: Its name.
            kind: What it is.
            first: The older run.
        """
        where = first.device, self.epoch(first)
        for words, groups in (
            ("own history of {0.runs} runs", self._cells[first.cell, *where]),
            ("pooled history of {0.runs} runs of {0.groups} cells", self._machines[where]),
        ):
            found = self._estimate(figure, kind, groups)
            if found is None or found.freedom < LEAST_RUNS - 1:
                continue
            if found.apart or kind == "ratio":
                return words.format(found), found
            if kind == "share":  # sessions give the very same answers
                return f"{words.format(found)}, all alike", None
        return WITHIN, None

    def _estimate(self, figure: str, kind: Kind, groups: list[list[Entry]]) -> Sessions | None:
        at = figure, id(groups)
        if at not in self._kept:
            self._kept[at] = sessions(_spread(each, figure, kind) for each in groups)
        return self._kept[at]


def _spread(runs: Sequence[Entry], figure: str, kind: Kind) -> tuple[list[float], list[float]]:
    """Values of runs that have one, and their variances within the run; see ``sessions``."""
    values, within = [], []
    for each in runs:
        found = additive(each.figures.get(figure), kind)
        if found.value is not None and (kind != "ratio" or found.low is not None):
            values.append(found.value)
            # The same samples, so what is uncertain about them is common to all runs.
            within.append(variance(found) if kind == "ratio" else 0.0)
    return values, within


def additive(metric: Metric | None, kind: Kind) -> Estimate:
    """A figure on the scale on which sessions add to it: shares as they are, else logarithms."""
    if metric is None or metric.value is None:
        return missing((metric.reason if metric else None) or "not-recorded")
    parts = [metric.value, metric.low, metric.high]
    if kind != "share":
        if any(part is not None and part <= 0 for part in parts):
            return missing("not-computable")
        parts = [None if part is None else math.log(part) for part in parts]
    value, low, high = parts
    if low is None or high is None:
        low = high = None
    return Estimate(value=value, low=low, high=high, n=metric.n or 0, reason=metric.reason)


def variance(found: Estimate) -> float:
    """Variance that the width of a 95 % interval stands for; 0 without one."""
    if found.low is None or found.high is None:
        return 0.0
    return ((found.high - found.low) / 2 / Z) ** 2
