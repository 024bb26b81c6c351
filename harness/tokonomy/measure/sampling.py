"""Reads a counter while something else runs, often only where a window begins and ends.

``Search`` decides, from what was read, when to read next and when a window is complete; it knows no
clock, so it runs in simulated time as well. ``Sampler`` is the thread that does as it says.
"""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from tokonomy.errors import TelemetryError
from tokonomy.measure.protocol import (
    BLURRED,
    BLURRED_MOST,
    LEAST_CALLS,
    LEAST_TICKS,
    PROBE_PAUSE_S,
    PROBE_S,
    PROBE_TICKS,
    READ_DENSE,
    READ_LEAST_NS,
    READ_SPARSE,
    READS_PER_TICK,
    SPARSE_LEAST_NS,
    SPARSE_PER_TICK,
    WINDOW_LATE,
)
from tokonomy.measure.telemetry import Counter
from tokonomy.measure.trace import Bins
from tokonomy.measure.windows import Reading, Tick, tick

_SECOND = 1_000_000_000
Wait = Callable[[float], object]
_JOIN_S = 5.0  # a driver call that hangs longer than this is left behind; the thread is a daemon


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a counter behaves, and how often it is read because of that; nanoseconds.

    Attributes:
        tick_ns: Median time between two ticks.
        read_ns: Median cost of reading the counter.
        power_ns: And of reading power, 0 where there is none.
    """

    tick_ns: int
    read_ns: int
    power_ns: int = 0

    @property
    def dense_ns(self) -> int:
        """Between two reads where a window begins or ends."""
        return max(READ_LEAST_NS, self.tick_ns // READS_PER_TICK, READ_DENSE * self.read_ns)

    @property
    def sparse_ns(self) -> int:
        """Between two reads otherwise, and between two reads of power."""
        cost = READ_SPARSE * (self.read_ns + self.power_ns)
        return max(SPARSE_LEAST_NS, self.tick_ns // SPARSE_PER_TICK, cost, self.dense_ns)


class Lengths(NamedTuple):
    """Nanoseconds of one window: at least, of the search for it, and after which it is given up.

    Whole calls fit into the search, and ticks next to their boundaries.
    """

    least_ns: int
    search_ns: int
    late_ns: int


def lengths(pace: Pace, window_s: float, min_ticks: int, call_ns: int = 0) -> Lengths:
    """How long a window is of at least so many seconds and ticks.

    Args:
        pace: Of the counter.
        window_s: Least seconds.
        min_ticks: Least ticks.
        call_ns: Time of a call; 0 while idle.
    """
    least_ns = max(int(window_s * _SECOND), min_ticks * pace.tick_ns)
    room_ns = 2 * call_ns if call_ns > pace.tick_ns else 0
    search_ns = max(least_ns, LEAST_CALLS * call_ns) + room_ns
    seen_ns = LEAST_TICKS * max(pace.tick_ns, pace.sparse_ns)
    return Lengths(least_ns, search_ns, WINDOW_LATE * max(search_ns, seen_ns) + _SECOND)


@dataclass(slots=True)
class Search:
    """Looks for the first and the last tick of one window.

    Attributes:
        pace: How often to read.
        least_ns: Least time between the two, in which ``LEAST_TICKS`` must be seen as well.
        since_ns: Readings that began earlier do not count.
        ticks: What was found so far; memory is bounded by the length of the window.
        complete: The last tick was found.
    """

    pace: Pace
    least_ns: int
    since_ns: int = 0
    ticks: list[Tick] = field(default_factory=list)
    complete: bool = False
    _before: Reading | None = None
    _closing: bool = False
    _blurred: int = 0

    def take(self, reading: Reading) -> int:
        """Note a reading; how many nanoseconds to wait until the next one."""
        if reading.start_ns < self.since_ns:
            return self.pace.sparse_ns
        seen = tick(self._before, reading) if self._before else None
        self._before = reading
        if seen is not None and not (self._seeking and self._passed_over(seen)):
            self.ticks.append(seen)
            self.complete = self._closing
        was, self._closing = self._closing, self._enough()
        if self._closing and not was:
            self._blurred = 0
        return self.pace.dense_ns if self._seeking else self.pace.sparse_ns

    @property
    def _seeking(self) -> bool:
        return not self.ticks or self._closing

    def _passed_over(self, seen: Tick) -> bool:
        """Whether an end of the window is not to be here, because its time is not well known."""
        self._blurred += 1
        wide = seen.high_ns - seen.low_ns > BLURRED * self.pace.dense_ns + 2 * self.pace.read_ns
        return wide and self._blurred <= BLURRED_MOST

    def _enough(self) -> bool:
        """Whether the next tick may be the last; the one after would be later still."""
        if len(self.ticks) < LEAST_TICKS or self._before is None:
            return False
        return self._before.start_ns - self.ticks[0].high_ns >= self.least_ns


@dataclass(slots=True)
class Sampler:
    """A thread that reads a counter, and power, until its search is complete or it is closed.

    Every reading is on the clock given. Entering starts the thread, whose name does not tell what
    it is for; leaving stops it and raises what it met.

    Attributes:
        counter: What is read, by this thread alone.
        search: Says when.
        now: Monotonic nanoseconds, the clock of the calls.
        bins: Where power also goes, for the trace.
        powers: Moment and watts of each reading of power.
    """

    counter: Counter
    search: Search
    now: Callable[[], int]
    bins: Bins
    powers: list[tuple[int, float]] = field(default_factory=list)
    error: BaseException | None = None
    _left: bool = False  # behind, by whoever waited for the thread
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.search.complete or self.error is not None

    def __enter__(self) -> Self:
        """Start reading."""
        self._thread = threading.Thread(target=self._run, name="Thread", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Stop reading; what went wrong in the work itself comes first."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
            if self._thread.is_alive():
                self._left = True
                self.error = TelemetryError("nvml-timeout", "a reading did not come back")
        if self.error is not None and kind is None:
            raise self.error

    def _run(self) -> None:
        try:
            self._read()
        except BaseException as error:  # raised where the thread is left, whatever it is
            self.error = error

    def _read(self) -> None:
        due, watts = self.now(), True
        while not self._stop.is_set():
            if watts and self.now() >= due:
                watts = self._power()
                due = self.now() + self.search.pace.sparse_ns
            start = self.now()
            reading = Reading(start, 0, self.counter.read())
            wait = self.search.take(reading._replace(end_ns=self.now()))
            if self.search.complete:
                break
            self._stop.wait(wait / _SECOND)
        if watts:
            self._power()

    def _power(self) -> bool:
        """Note power now; False where the device has none to give."""
        start = self.now()
        watts = self.counter.power_w()
        if watts is None or self._left:
            return False
        at = (start + self.now()) // 2
        self.powers.append((at, watts))
        self.bins.add(at, watts)
        return True


def probe(counter: Counter, now: Callable[[], int], wait: Wait = time.sleep) -> Pace:
    """Find the period of a counter's ticks and the cost of reading it, on an idle device.

    The period is good to two reads and the pause between them. Raises ``TelemetryError``
    (``too-few-ticks``) where it does not move.
    """
    reads, power_ns = [_timed(counter, now) for _ in range(5)], _power_ns(counter, now)
    cost = int(statistics.median(each.end_ns - each.start_ns for each in reads))
    search = Search(Pace(tick_ns=0, read_ns=cost), least_ns=2**62)
    until = now() + int(PROBE_S * _SECOND)
    while len(search.ticks) < PROBE_TICKS and now() < until:
        search.take(_timed(counter, now))
        wait(PROBE_PAUSE_S)
    at = [each.at_ns for each in search.ticks]
    if len(at) < PROBE_TICKS // 2:
        detail = f"the counter moved {len(at)} times in {PROBE_S:g} s of looking"
        raise TelemetryError("too-few-ticks", detail)
    period = statistics.median(b - a for a, b in itertools.pairwise(at))
    return Pace(tick_ns=int(period), read_ns=cost, power_ns=power_ns)


def _timed(counter: Counter, now: Callable[[], int]) -> Reading:
    start = now()
    energy_uj = counter.read()
    return Reading(start, now(), energy_uj)


def _power_ns(counter: Counter, now: Callable[[], int]) -> int:
    """Median cost of reading power; 0 where there is none."""
    taken = []
    for _ in range(3):
        start = now()
        if counter.power_w() is None:
            return 0
        taken.append(now() - start)
    return int(statistics.median(taken))
