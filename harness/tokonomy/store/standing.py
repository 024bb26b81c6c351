"""What a run is for, and what a reader must know of it.

Only results stand in tables of results, charts, fronts and counts of them. A planted control is
slow or large on purpose, calibration times the reference against itself, and on a scripted device
nothing was measured at all. The record alone tells, whether its method is installed or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from tokonomy.catalog.cards import PLANTED
from tokonomy.stats.estimate import Estimate, half_width
from tokonomy.store.calibration import SUITE
from tokonomy.store.cell import EnergyPlan, Measuring
from tokonomy.store.metrics import Metric
from tokonomy.store.observed import Energy, Timing
from tokonomy.store.record import Record
from tokonomy.store.scripted import scripted

Role = Literal["result", "calibration", "control", "scripted"]


def role(record: Record) -> Role:
    """What a run is for."""
    if scripted(record):
        return "scripted"
    if record.cell.method.id.startswith(PLANTED):
        return "control"
    return "calibration" if record.suite == SUITE else "result"


def flags(record: Record, figures: Iterable[Metric]) -> tuple[str, ...]:
    """Codes of what a reader must know: the record's own flags, and what is seen without them.

    Args:
        record: What the run left.
        figures: Derived from it.
    """
    return tuple(dict.fromkeys(_flags(record, figures)))


def _flags(record: Record, figures: Iterable[Metric]) -> Iterator[str]:
    yield from (flag.code for flag in record.flags)
    if _capped(record) or any(_wide(each, record) for each in figures):
        yield "unconverged"
    if isinstance(record.energy, Energy) and _weaker(record.cell.measuring.energy):
        yield "short-windows"


def _capped(record: Record) -> bool:
    """Whether timing ended before the interval was narrow."""
    return isinstance(record.timing, Timing) and record.timing.stop != "converged"


def _wide(figure: Metric, record: Record) -> bool:
    """Whether it is the ratio, and its interval as computed now is too wide or withheld.

    Too wide is wider than was asked or, where little was asked, wider than is asked by default.
    """
    if figure.name != "latency_ratio" or figure.value is None:
        return False
    found = half_width(Estimate(value=figure.value, low=figure.low, high=figure.high, n=0))
    return found is None or found > min(record.cell.measuring.half_width, Measuring().half_width)


def _weaker(plan: EnergyPlan | None) -> bool:
    """Whether energy was to be measured in fewer or shorter windows than by default."""
    usual, sizes = EnergyPlan(), ("trials", "window_s", "min_ticks")
    return plan is not None and any(getattr(plan, n) < getattr(usual, n) for n in sizes)
