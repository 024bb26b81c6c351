"""Power over time in a bounded number of bins, each with its lowest and highest sample."""

from __future__ import annotations

from dataclasses import dataclass, field

from tokonomy.measure.protocol import TRACE_BINS, TRACE_STEP_NS
from tokonomy.store.observed import Trace


@dataclass(slots=True)
class Bins:
    """Takes samples one by one; when full, every two neighbouring bins become one.

    So memory is bounded, no sample is looked at twice, and no peak is lost. A bin without samples
    is left out of the trace.

    Attributes:
        begun_ns: What times count from.
        step_ns: Width of a bin; doubles whenever the bins run out.
        samples: How many came in.
    """

    begun_ns: int
    most: int = TRACE_BINS
    step_ns: int = TRACE_STEP_NS
    samples: int = 0
    _low: dict[int, float] = field(default_factory=dict)
    _high: dict[int, float] = field(default_factory=dict)

    def add(self, at_ns: int, power_w: float) -> None:
        """Note one sample; times before the beginning count as the beginning."""
        place = max(0, at_ns - self.begun_ns) // self.step_ns
        while place >= self.most:
            self._halve()
            place //= 2
        self.samples += 1
        low = self._low.get(place)
        if low is None:
            self._low[place] = self._high[place] = power_w
        elif power_w < low:
            self._low[place] = power_w
        elif power_w > self._high[place]:
            self._high[place] = power_w

    def _halve(self) -> None:
        """Make every two bins one."""
        self.step_ns *= 2
        low: dict[int, float] = {}
        high: dict[int, float] = {}
        for place in self._low:
            half = place // 2
            low[half] = min(low.get(half, self._low[place]), self._low[place])
            high[half] = max(high.get(half, self._high[place]), self._high[place])
        self._low, self._high = low, high

    def trace(self, source: str) -> Trace | None:
        """What was seen so far; None without a sample."""
        if not self.samples:
            return None
        places = sorted(self._low)
        return Trace(
            source=source,
            samples=self.samples,
            at_ms=[place * self.step_ns / 1e6 for place in places],
            low_w=[self._low[place] for place in places],
            high_w=[self._high[place] for place in places],
        )
