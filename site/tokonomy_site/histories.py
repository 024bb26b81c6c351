"""Histories: the same cell run again and again, and where a figure of it changed for good.

A cell is what stays the same by ``IDENTITY``, so its code and the harness may change between runs.
Changes are looked for in figures that do not depend on how fast the device was that day: ratios
taken within a run, quality, memory. Runs of one sitting share the machine's mood, so each sitting
is one value, the median. The level of chance is shared by all series of a snapshot.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from tokonomy.stats import changes
from tokonomy.store.epochs import Device, epoch, sittings
from tokonomy.store.metrics import METRICS
from tokonomy_site.figures import form_of, known
from tokonomy_site.links import slug
from tokonomy_site.snapshot import Run

WATCHED = ("accuracy", "speed_up", "peak_memory_bytes", "energy_ratio", "kv_physical_ratio")
"""Figures that are watched for changes."""

ROOM = 1_000_000
"""Bytes of a page of histories, roughly: below the 1.5 MiB of a page."""

MOST = 300
"""Runs of a cell that are drawn, listed and searched for changes, the newest."""

_CELL, _ROW = 6_500, 1_300  # bytes of a cell without its runs, and of a run

Begun = Mapping[Device, Sequence[str]]
Identity = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A figure of a cell that shifted for good.

    Attributes:
        run: The first of the first sitting at the new level.
        figure: Its name.
        before: Median of the level before.
        after: Median of the new level.
        why: What else is known to have changed between that run and the one before.
    """

    run: Run
    figure: str
    before: float
    after: float
    why: str

    @property
    def good(self) -> bool:
        """Whether it is for the better."""
        return (self.after > self.before) == (METRICS[self.figure].better == "higher")

    @property
    def said(self) -> str:
        """The change in words, such as "speed-up fell from 1.44 to 1.31, by 9.0 %"."""
        form, unit = form_of(self.figure)
        verb = "rose" if self.after > self.before else "fell"
        share = 100 * abs(self.after / self.before - 1)
        ends = f"from {form(self.before)} to {form(self.after)} {unit}".strip()
        return f"{METRICS[self.figure].title.lower()} {verb} {ends}, by {share:.1f}\u00a0%"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Runs of one cell, at least two.

    Attributes:
        runs: Oldest first.
        changes: Where a figure changed, oldest first.
        path: The page that shows it.
        anchor: Its place there.
    """

    runs: tuple[Run, ...]
    changes: tuple[Change, ...]
    path: str
    anchor: str

    @property
    def href(self) -> str:
        """Where it is shown, relative to the site."""
        return f"{self.path}#{self.anchor}"


def histories(runs: Iterable[Run], begun: Begun) -> dict[Identity, History]:
    """Every history among these runs, by the identity of its cell.

    Args:
        runs: Any runs; only results have histories.
        begun: When each device's epochs began, from ``epochs.by_device``.
    """
    cells: dict[Identity, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.order):
        if run.role == "result":
            cells[run.identity].append(run)
    again = {cell: tuple(some) for cell, some in cells.items() if len(some) > 1}
    long = {(cell, name): each for cell, some in again.items() for name, each in searched(some)}
    level = changes.LEVEL / max(1, len(long))
    found: dict[Identity, list[Change]] = defaultdict(list)
    for (cell, name), each in long.items():
        found[cell] += _changes(each, name, level, begun)
    return {
        cell: History(
            runs=again[cell],
            changes=tuple(sorted(found[cell], key=lambda change: change.run.order)),
            path=path,
            anchor=_anchor(cell),
        )
        for path, cell in _placed(again)
    }


def chance(found: Iterable[History]) -> float:
    """The share of snapshots with these histories that would show a change if nothing changed.

    It is a bound. The level of one series ends at ``changes.LEAST_LEVEL``, so that of very many of
    them more than ``changes.LEVEL`` may show one.
    """
    many = sum(1 for each in found for _ in searched(each.runs))
    return min(1.0, max(changes.LEVEL, many * changes.LEAST_LEVEL))


def searched(runs: Sequence[Run]) -> Iterator[tuple[str, list[list[Run]]]]:
    """Figures with enough sittings to show a change, and these."""
    for name in WATCHED:
        series = _series(runs, name)
        if len(series) >= 2 * changes.LEAST_VALUES:
            yield name, series


def _series(runs: Sequence[Run], name: str) -> list[list[Run]]:
    """Sittings of runs with the figure that stand; none where it is not above 0 throughout."""
    some = [
        run
        for run in runs[-MOST:]
        if run.status == "ok" and run.trust.stands and known(run.figure(name))
    ]
    positive = all((run.figure(name).value or 0.0) > 0 for run in some)
    return sittings(some, lambda run: run.started) if positive else []


def _changes(
    series: Sequence[Sequence[Run]], name: str, level: float, begun: Begun
) -> Iterator[Change]:
    values = [median(run.figure(name).value or 0.0 for run in sitting) for sitting in series]
    for before, after in pairwise(changes.epochs(values, level=level)):
        first = series[after.start][0]
        why = _why(series[after.start - 1][-1], first, begun)
        yield Change(run=first, figure=name, before=before.level, after=after.level, why=why)


def _why(last: Run, first: Run, begun: Begun) -> str:
    moments = begun.get(Device(first.device_class, first.machine), ())
    found = []
    if last.source_hash != first.source_hash:
        found.append("the method's code changed")
    if last.version != first.version:
        found.append(f"the harness went from {last.version} to {first.version}")
    if epoch(last.started, moments) != epoch(first.started, moments):
        found.append("a new epoch of the device began")
    said = "; ".join(found) or "code, harness and epoch of the device stayed as they were"
    return f"{said[0].upper()}{said[1:]}."


def _anchor(cell: Identity) -> str:
    return "c" + hashlib.sha256(repr(cell).encode()).hexdigest()[:12]


def _placed(
    cells: Mapping[Identity, Sequence[Run]],
) -> Iterator[tuple[str, Identity]]:
    """The page of each cell: those of a method, the longest first, on as many as they need."""
    methods: dict[str, list[Identity]] = defaultdict(list)
    for cell, runs in cells.items():
        methods[runs[0].method].append(cell)
    for method, some in sorted(methods.items()):
        part, size = 1, 0
        for cell in sorted(some, key=lambda cell: (-len(cells[cell]), repr(cell))):
            size += (more := _CELL + _ROW * min(MOST, len(cells[cell])))
            if size > ROOM:
                part, size = part + 1, more
            yield f"history/{slug(method)}{f'-part-{part}' if part > 1 else ''}.html", cell
