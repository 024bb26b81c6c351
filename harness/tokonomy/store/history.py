"""How sittings differ: what sets of records tell of runs that should be alike."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Literal

from tokonomy.stats.decisions import Between, between
from tokonomy.stats.estimate import Estimate, Z, missing
from tokonomy.store.epochs import Device, by_device, epoch, sittings
from tokonomy.store.metrics import Metric
from tokonomy.store.sources import Entry, Key, Pool

Kind = Literal["share", "ratio", "amount", "count"]
"""What a figure is, which decides how it is compared; see ``regressions``."""

LEAST_SITTINGS = 3
"""Sittings from which on a history tells how they differ."""

SAME = "no two of which differ"
"""In a basis where sittings show no difference, so that any is taken for a change."""

WITHIN = "within the runs only"
"""Basis of what was decided without knowing sittings, which may differ by more."""


class History:
    """What sets of records tell of sittings: by cell, by machine, and when epochs began.

    Runs of a cell are alike up to the one that is compared, and those after it are alike among
    themselves; a change between the two is no variation of sittings, or it would hide itself.

    Sittings count, not runs: a cell's are those of its own runs, and where cells are pooled those
    of all runs of the machine, since the cells of one share what it was like.
    """

    def __init__(self, pools: Iterable[Pool], first: Mapping[Key, Entry]) -> None:
        every = {run: each for pool in pools for run, each in pool.items()}
        seen = (each.sentinel for each in every.values())
        self.begun = by_device(one for one in seen if one is not None)
        self._cells: dict[tuple[Key, Device, int], list[list[Entry]]] = defaultdict(list)
        self._machines: dict[tuple[Device, int], list[list[Entry]]] = defaultdict(list)
        self._kept: dict[tuple[object, ...], tuple[int, Between | None]] = {}
        groups: dict[tuple[object, ...], list[Entry]] = defaultdict(list)
        for each in sorted(every.values(), key=lambda each: each.order):
            if each.status == "ok" and each.trust.stands:
                after = each.cell in first and each.order > first[each.cell].order
                groups[each.cell, each.source, each.device, self.epoch(each), after].append(each)
        for group in groups.values():
            where = group[0].device, self.epoch(group[0])
            self._cells[group[0].cell, *where].append(group)
            self._machines[where].append(group)

    def epoch(self, each: Entry) -> int:
        """The epoch of its device that a run is of."""
        return epoch(each.order[0], self.begun.get(each.device, ()))

    def between(self, figure: str, kind: Kind, first: Entry) -> tuple[str, Between | None]:
        """What is known of sittings, in words, and how they differ in a figure of a run's cell.

        Args:
            figure: Its name.
            kind: What it is.
            first: The older run.
        """
        where = first.device, self.epoch(first)
        for words, groups in (
            ("own history of {} sittings", self._cells[first.cell, *where]),
            ("pooled history of {} sittings of {} cells", self._machines[where]),
        ):
            cells, found = self._estimate(figure, kind, groups)
            if found is None or found.freedom < LEAST_SITTINGS - 1:
                continue
            told = words.format(found.sittings, cells)
            if found.apart or kind == "ratio":
                return told, found
            # Sittings give the very same answers, or take the very same memory. One has to say
            # what the same is; after n more that agree with it, others may differ from it in a
            # share of up to 1 - 0.05^(1/n), at 95 %. The degrees of freedom count these.
            most = 1 - 0.05 ** (1 / found.freedom)
            return f"{told}, {SAME} (up to {most:.0%} of others may)", None
        return WITHIN, None

    def _estimate(
        self, figure: str, kind: Kind, groups: list[list[Entry]]
    ) -> tuple[int, Between | None]:
        """Cells that tell something of a figure, and what they tell."""
        at = figure, id(groups)
        if at not in self._kept:
            runs = sittings(chain.from_iterable(groups), lambda each: each.order[0])
            place = {each.run_id: number for number, some in enumerate(runs) for each in some}
            spread = [(group[0].cell, _spread(group, figure, kind, place))
                      for group in groups if len(group) > 1]  # fmt: skip
            cells = {cell for cell, (_, _, numbers) in spread if len(set(numbers)) > 1}
            self._kept[at] = len(cells), between(each for _, each in spread)
        return self._kept[at]


def _spread(
    runs: Sequence[Entry], figure: str, kind: Kind, place: Mapping[str, int]
) -> tuple[list[float], list[float], list[int]]:
    """Values of runs that have one, variances within the run, and sittings; see ``between``."""
    values, within, numbers = [], [], []
    for each in runs:
        found = additive(each.figures.get(figure), kind)
        if found.value is not None and (kind != "ratio" or found.low is not None):
            values.append(found.value)
            # The same samples, so what is uncertain about them is common to all runs.
            within.append(variance(found) if kind == "ratio" else 0.0)
            numbers.append(place[each.run_id])
    return values, within, numbers


def additive(metric: Metric | None, kind: Kind) -> Estimate:
    """A figure on the scale on which sittings add to it: shares as they are, else logarithms."""
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
