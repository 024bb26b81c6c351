"""The one clock base of all timing: monotonic nanoseconds, read after the device is idle.

On a GPU a pair of events on the current stream is kept beside it. They span everything from before
the call's first work on the device to after its last, gaps in between included; so what the host's
time has beyond theirs is the way to the first kernel and back from the last, and no more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

Call = Callable[[Any], object]


class Taken(NamedTuple):
    """One call: nanoseconds end to end, nanoseconds between its events, and what it gave."""

    host_ns: int
    device_ns: int | None
    output: object


class Clock(Protocol):
    """Reads time."""

    @property
    def name(self) -> str:
        """What a record calls it."""

    @property
    def sync(self) -> Callable[[], None]:
        """Waits until everything asked of the device is done."""

    def now(self) -> int:
        """Nanoseconds since some fixed moment; never goes back."""

    def timed(self, call: Call, argument: object) -> Taken:
        """Call once, from an idle device to an idle device."""


def _nothing() -> None:
    pass


def _taken(clock: Clock, call: Call, argument: object) -> Taken:
    """One call by the host's clock alone; nothing else stands between the two readings."""
    clock.sync()
    start = clock.now()
    output = call(argument)
    clock.sync()
    return Taken(clock.now() - start, None, output)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonotonicClock:
    """``time.perf_counter_ns``: about 50 ns a read, steady under clock adjustments."""

    name: str = "perf_counter_ns"
    sync: Callable[[], None] = _nothing

    def now(self) -> int:
        """Nanoseconds since some fixed moment."""
        return time.perf_counter_ns()

    def timed(self, call: Call, argument: object) -> Taken:
        """Call once."""
        return _taken(self, call, argument)


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaClock:
    """The host's clock around a synchronised call, and two events of the device's beside it.

    The first event is recorded before the clock is read, the second within, which costs both arms
    the same few microseconds. Events are good to half a microsecond, and stand on the current
    stream of the current device, which is the one that is timed.

    Attributes:
        sync: Waits until the device is idle.
        start, end: Events that keep time.
    """

    sync: Callable[[], None]
    start: Any
    end: Any
    name: str = "perf_counter_ns, synchronised"

    def now(self) -> int:
        """Nanoseconds since some fixed moment."""
        return time.perf_counter_ns()

    def timed(self, call: Call, argument: object) -> Taken:
        """Call once, between two events."""
        self.sync()
        self.start.record()
        begun = time.perf_counter_ns()
        output = call(argument)
        self.end.record()
        self.sync()
        host_ns = time.perf_counter_ns() - begun
        return Taken(host_ns, max(1, round(self.start.elapsed_time(self.end) * 1e6)), output)


@dataclass(slots=True, kw_only=True)
class FakeClock:
    """A clock that moves only when told to; for tests and for planted truth.

    Attributes:
        time_ns: What it shows.
        syncs: The time shown at each ``sync``.
    """

    name: str = "fake"
    time_ns: int = 0
    syncs: list[int] = field(default_factory=list)

    def now(self) -> int:
        """What it shows, in nanoseconds."""
        return self.time_ns

    def sync(self) -> None:
        """Note that it was asked to."""
        self.syncs.append(self.time_ns)

    def timed(self, call: Call, argument: object) -> Taken:
        """Call once."""
        return _taken(self, call, argument)

    def advance(self, nanoseconds: int) -> None:
        """Let time pass."""
        self.time_ns += nanoseconds


def clock_for(device: str) -> Clock:
    """The clock of a device: on a GPU each reading waits until it is idle."""
    if not device.startswith("cuda"):
        return MonotonicClock()
    import torch  # slow to import, and only needed here

    def wait() -> None:
        torch.cuda.synchronize(device)

    cuda: Any = torch.cuda
    start, end = (cuda.Event(enable_timing=True) for _ in range(2))
    return CudaClock(sync=wait, start=start, end=end)


def l2_cold(device: str, mib: int = 512) -> Callable[[], None]:
    """Gives a function that fills the device's L2 cache with something else.

    For benches of single kernels only: a run's calls find in the cache what their own work left.

    Args:
        device: Such as ``cuda:0``.
        mib: Size of what is written; several times any L2 cache (50 MiB on an H100).
    """
    import torch  # as above

    other = torch.empty(mib << 20, dtype=torch.int8, device=device)

    def flush() -> None:
        other.zero_()

    return flush
