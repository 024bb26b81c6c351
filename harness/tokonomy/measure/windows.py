"""Energy per call from readings of a counter and the times of calls; pure functions.

**What is known.** True energy E(t) never falls. The counter is a register that at moments of its
own, its ticks, takes over E rounded down to its quantum q, and stands still in between. A reading
begun at s and ended at e gives the register at some moment between. If two readings after each
other differ, then the register ticked between the start of the first and the end of the second,
and what the second shows is E at such a tick, less than q below it. Ticks that fell between the
same two readings count as one.

**The window** lies between two ticks, A in [a0, a1] and B in [b0, b1]; its energy D is the
difference of the counter, so E(B) - E(A) is within q of D. Calls follow each other without a gap;
C(t) counts those begun and ended, the running one by the share of its time. The window holds
N = C(B) - C(A) calls, taken in the middle of what C can be at either tick, and energy per call is
D/N.

**The bound** is the largest relative distance from D/N to anything the readings leave possible, in
two views of what energy per call is:

1. *by time*: energy of the window over C(B) - C(A), a call cut by a tick counting by its time. Only
   q and the times of the ticks are open: (D ± q) / (C(b) - C(a)) at the ends of a and b. Nothing
   is assumed of power.
2. *by whole calls*: calls are alike, each takes the energy x, anyhow spread over its time. Let i be
   the last call boundary at or before a0, j at or before b0, and g the energy from there to the
   tick: E(B) - E(A) = (j - i) x + g(B) - g(A). Of g it is known that it is at least 0, at most x
   for each call that reaches from the boundary past the tick, and at most the rise of the counter
   (and q) since the last tick before the boundary. That bounds x from either side.

The bound covers both. For calls much shorter than a tick it is about the time between two
readings and one call at either end; for calls much longer than a tick, about a tick at either end.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tokonomy.errors import TelemetryError
from tokonomy.measure.protocol import LEAST_TICKS


class Reading(NamedTuple):
    """The counter, microjoules, at some moment between ``start_ns`` and ``end_ns``."""

    start_ns: int
    end_ns: int
    energy_uj: int


class Tick(NamedTuple):
    """A change of the counter to ``energy_uj`` between two moments."""

    low_ns: int
    high_ns: int
    energy_uj: int

    @property
    def at_ns(self) -> int:
        """The middle."""
        return (self.low_ns + self.high_ns) // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Work between two ticks; fields as in ``store.observed.Trial``."""

    first: Tick
    last: Tick
    calls: float
    span_ns: int
    energy_uj: int
    ticks: int
    bound: float


def tick(before: Reading, now: Reading) -> Tick | None:
    """The tick between two readings after each other, if there was one."""
    if now.energy_uj == before.energy_uj:
        return None
    return Tick(before.start_ns, now.end_ns, now.energy_uj)


def count(edges: Sequence[int], at_ns: float) -> float:
    """C(t): calls up to a moment inside the loop, the running one by the share of its time.

    >>> count([0, 10, 30], 20)
    1.5
    """
    place = min(bisect_right(edges, at_ns) - 1, len(edges) - 2)
    begun, ended = edges[place], edges[place + 1]
    return place + (at_ns - begun) / (ended - begun) if ended > begun else float(place)


def measure(
    seen: Sequence[Tick],
    edges: Sequence[int],
    quantum_uj: int,
    *,
    least_ns: int = 0,
) -> Window:
    """The window between the first tick and the last, or a better pair near them.

    Raises ``TelemetryError`` (``too-few-ticks``, ``too-few-calls``) where it holds too few or is
    too short: a last tick that did not come in time is one too few.

    Args:
        seen: Ticks in order; those outside the loop do not count.
        edges: When the loop began and when each call ended, ns; never falling.
        quantum_uj: Step of the counter.
        least_ns: Least length of the window.
    """
    inside = [each for each in seen if edges[0] <= each.low_ns and each.high_ns <= edges[-1]]
    require(inside)
    known = _Known(inside, edges, quantum_uj)
    found = known.window(*known.ends())
    if found.span_ns < least_ns or found.ticks < LEAST_TICKS:
        found = known.window(0, len(inside) - 1)
    if found.span_ns < least_ns:
        detail = f"ticks {found.span_ns / 1e9:.2f} s apart at most; {least_ns / 1e9:.2f} are needed"
        raise TelemetryError("too-few-ticks", detail)
    if not math.isfinite(found.bound):
        raise TelemetryError("too-few-calls", f"{found.calls:.1f} calls between two ticks")
    return found


def require(seen: Sequence[Tick]) -> None:
    """Raise unless there are enough ticks for a window."""
    held = max(0, len(seen) - 1)
    if held < LEAST_TICKS:
        detail = f"the counter moved {held} times in a window; {LEAST_TICKS} are needed"
        raise TelemetryError("too-few-ticks", detail)


@dataclass(frozen=True, slots=True)
class _Known:
    """Ticks, call boundaries and the counter's step: what a window is made from."""

    seen: Sequence[Tick]
    edges: Sequence[int]
    quantum_uj: int

    def ends(self) -> tuple[int, int]:
        """Places of the ticks with the least left open, each within a call of the outermost."""
        seen = self.seen
        longest = max(b - a for a, b in itertools.pairwise(self.edges))
        calls = count(self.edges, seen[-1].at_ns) - count(self.edges, seen[0].at_ns)
        mean_uj = (seen[-1].energy_uj - seen[0].energy_uj) / max(calls, 1e-9)
        head = [at for at, each in enumerate(seen) if each.low_ns <= seen[0].low_ns + longest]
        tail = [at for at, each in enumerate(seen) if each.high_ns >= seen[-1].high_ns - longest]
        middle = len(seen) // 3  # the two never meet, and most of the window stays
        return (
            min((at for at in head if at <= middle), key=lambda at: self._open(at, mean_uj)),
            min((at for at in tail if at >= 2 * middle), key=lambda at: self._open(at, mean_uj)),
        )

    def _open(self, place: int, mean_uj: float) -> float:
        """Calls left open by taking this tick as an end."""
        each = self.seen[place]
        across, energy = self._cut(place)
        width = count(self.edges, each.high_ns) - count(self.edges, each.low_ns)
        return width + min(across, energy / mean_uj if mean_uj > 0 else math.inf)

    def _cut(self, place: int) -> tuple[int, float]:
        """Most that lies between the boundary before a tick and the tick: calls, microjoules."""
        each = self.seen[place]
        edge = self._boundary(place)
        across = math.ceil(count(self.edges, each.high_ns)) - edge
        at = place - 1
        while at >= 0 and self.seen[at].high_ns > self.edges[edge]:
            at -= 1
        if at < 0:
            return across, math.inf
        return across, each.energy_uj - self.seen[at].energy_uj + self.quantum_uj

    def _boundary(self, place: int) -> int:
        """Number of the last call boundary before a tick."""
        return math.floor(count(self.edges, self.seen[place].low_ns))

    def window(self, first: int, last: int) -> Window:
        """The window between two ticks, given by their places."""
        a, b = self.seen[first], self.seen[last]
        at = [count(self.edges, each) for each in (a.low_ns, a.high_ns, b.low_ns, b.high_ns)]
        calls = (at[2] + at[3] - at[0] - at[1]) / 2
        energy_uj = b.energy_uj - a.energy_uj
        low, high = self._by_calls(first, last, energy_uj)
        low = min(low, max(0, energy_uj - self.quantum_uj) / (at[3] - at[0]))
        high = max(high, _over(energy_uj + self.quantum_uj, at[2] - at[1]))
        each = energy_uj / calls
        bound = max(high / each - 1, 1 - low / each) if each > 0 else math.inf
        return Window(
            first=a,
            last=b,
            calls=calls,
            span_ns=b.at_ns - a.at_ns,
            energy_uj=energy_uj,
            ticks=last - first,
            bound=bound,
        )

    def _by_calls(self, first: int, last: int, energy_uj: int) -> tuple[float, float]:
        """Least and most energy of a call if calls are alike."""
        whole = self._boundary(last) - self._boundary(first)
        least, most = max(0, energy_uj - self.quantum_uj), energy_uj + self.quantum_uj
        across_first, energy_first = self._cut(first)
        across_last, energy_last = self._cut(last)
        high = min(_over(most, whole - across_first), _over(most + energy_first, whole))
        low = max(_over(least, whole + across_last), _over(least - energy_last, whole, -math.inf))
        return max(0.0, low), high


def _over(energy_uj: float, calls: float, without: float = math.inf) -> float:
    """Energy over calls; ``without`` where none are certain."""
    return energy_uj / calls if calls > 0 else without


def integral_uj(powers: Sequence[tuple[int, float]], begun_ns: int, ended_ns: int) -> int | None:
    """Trapezoid integral of power samples (ns, watts) over a span, microjoules.

    None where no samples reach over the whole span.
    """
    if not powers or powers[0][0] > begun_ns or powers[-1][0] < ended_ns:
        return None
    inner = [each for each in powers if begun_ns < each[0] < ended_ns]
    path = [
        (begun_ns, _power(powers, begun_ns)),
        *inner,
        (ended_ns, _power(powers, ended_ns)),
    ]
    steps = itertools.pairwise(path)
    joules = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in steps) * 1e-9
    return round(joules * 1e6)


def _power(powers: Sequence[tuple[int, float]], at_ns: int) -> float:
    """Power at a moment between two samples, on the straight line between them."""
    place = bisect_right(powers, at_ns, key=lambda each: each[0])
    if place == len(powers) or place == 0:
        return powers[min(place, len(powers) - 1)][1]
    (begun, low), (ended, high) = powers[place - 1], powers[place]
    return low + (high - low) * (at_ns - begun) / (ended - begun) if ended > begun else high
