"""Axes of a chart: from a value to a place, and where the ticks stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tokonomy_site.figures import Form

_STEPS = (1, 2, 2.5, 5, 10)
_LOG_FROM = 4.0  # a wider range than this factor would squeeze the fast end on a linear axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A linear or logarithmic axis of ``[low, high]`` over pixels ``[start, end]``."""

    low: float
    high: float
    start: float
    end: float
    log: bool
    ticks: tuple[float, ...]
    form: Form

    def place(self, value: float) -> float:
        """Where ``value`` stands, in pixels, held inside the axis."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return round(self.start + (at - low) / (high - low) * (self.end - self.start), 1)


def _step(width: float, wanted: int) -> float:
    raw = width / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    return next(step * power for step in _STEPS if step * power >= raw * 0.999)


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 100 else (1, 3)
    ticks = (step * 10.0**decade for decade in decades for step in steps)
    return tuple(tick for tick in ticks if low * 0.999 <= tick <= high * 1.001)


def scale(
    values: Sequence[float],
    *,
    start: float,
    end: float,
    form: Form,
    bounds: tuple[float, float] | None = None,
    logs: bool = False,
) -> Scale:
    """An axis that holds all of ``values`` with a little room.

    Args:
        values: What must fit; at least one.
        start: Pixel of the low end.
        end: Pixel of the high end.
        form: Writes a tick.
        bounds: Where the quantity itself ends; the axis never goes beyond.
        logs: Whether a logarithmic axis is allowed; taken where the range calls for it.
    """
    low, high = min(values), max(values)
    if logs and low > 0 and high / low >= _LOG_FROM:
        low, high = low / 1.12, high * 1.12
        ticks = _log_ticks(low, high)
        return Scale(low=low, high=high, start=start, end=end, log=True, ticks=ticks, form=form)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = low - room, high + room
    if bounds:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    step = _step(high - low, 6)
    first = math.ceil(low / step - 1e-9)
    ticks = tuple(round(step * (first + i), 10) for i in range(12) if step * (first + i) <= high)
    return Scale(low=low, high=high, start=start, end=end, log=False, ticks=ticks, form=form)
