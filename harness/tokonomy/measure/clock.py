"""The one clock base of all timing: monotonic nanoseconds, read after the device is idle.

A GPU has a time of its own besides: that of a call whose work is all asked for by the time the
device begins, which a kernel that waits sees to. Two events around it give what the work takes
there when the host is ahead. What the host's time of such a call has beyond that is launching: the
way to the first kernel, the device's waits for the host in between, and the way back from the last.
A call that itself waits for the device cannot be queued whole; its waits for the host count as the
device's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from tokonomy.measure.arms import Predict
from tokonomy.measure.protocol import HOLD_CYCLES


class Taken(NamedTuple):
    """One call by the host's clock.

    Attributes:
        host_ns: Nanoseconds end to end.
        asking_ns: Those of them until all was asked of the device.
        output: What it gave.
    """

    host_ns: int
    asking_ns: int
    output: Any


class Queued(NamedTuple):
    """One call that was queued whole: nanoseconds of the device, and what it gave."""

    device_ns: int
    output: Any


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

    def timed(self, call: Predict, batch: Any) -> Taken:
        """Call once, from an idle device to an idle device."""

    def queued(self, call: Predict, batch: Any, asking_ns: int) -> Queued | None:
        """Call once with the device held until all is asked of it; None where it has no events.

        Args:
            call: What to call.
            batch: On what.
            asking_ns: How long asking takes.
        """


def _nothing() -> None:
    pass


def _taken(clock: Clock, call: Predict, batch: Any) -> Taken:
    clock.sync()
    begun = clock.now()
    output = call(batch)
    asked = clock.now()
    clock.sync()
    return Taken(clock.now() - begun, asked - begun, output)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonotonicClock:
    """``time.perf_counter_ns``: about 50 ns a read, steady under clock adjustments."""

    name: str = "perf_counter_ns"
    sync: Callable[[], None] = _nothing

    def now(self) -> int:
        """Nanoseconds since some fixed moment."""
        return time.perf_counter_ns()

    def timed(self, call: Predict, batch: Any) -> Taken:
        """Call once."""
        return _taken(self, call, batch)

    def queued(self, call: Predict, batch: Any, asking_ns: int) -> None:
        """A processor has no events, and nothing is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaClock:
    """The host's clock around a synchronised call, and two events around one that is queued.

    Events are good to half a microsecond, and stand on the current stream of the current device,
    which is the one that is timed.

    Attributes:
        sync: Waits until the device is idle.
        start, end: Events that keep time.
        hold: Keeps the device waiting for so many of its cycles.
    """

    sync: Callable[[], None]
    start: Any
    end: Any
    hold: Callable[[int], None]
    name: str = "perf_counter_ns, synchronised"

    def now(self) -> int:
        """Nanoseconds since some fixed moment."""
        return time.perf_counter_ns()

    def timed(self, call: Predict, batch: Any) -> Taken:
        """Call once, from an idle device to an idle device."""
        return _taken(self, call, batch)

    def queued(self, call: Predict, batch: Any, asking_ns: int) -> Queued:
        """Call once between two events, the device held until all of it is asked for."""
        self.sync()
        self.hold(asking_ns * HOLD_CYCLES)
        self.start.record()
        output = call(batch)
        self.end.record()
        self.sync()
        elapsed_ms: float = self.start.elapsed_time(self.end)
        return Queued(max(1, round(elapsed_ms * 1e6)), output)


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

    def timed(self, call: Predict, batch: Any) -> Taken:
        """Call once."""
        return _taken(self, call, batch)

    def queued(self, call: Predict, batch: Any, asking_ns: int) -> Queued | None:
        """As on a processor: nothing is called."""
        return None

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
    return CudaClock(sync=wait, start=start, end=end, hold=cuda._sleep)


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
