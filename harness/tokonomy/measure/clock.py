"""The one clock base of all timing: monotonic nanoseconds, read after the device is idle.

On a GPU each call is made a second time, untimed by the host, behind a kernel that waits: all that
the call asks of the device is asked by the time the device begins. Two events around it then give
what its work takes there when the host is ahead. What the host's time of the first call has beyond
that is launching: the way to the first kernel, the device's waits for the host in between, and the
way back from the last. A call that itself waits for the device cannot be queued whole; its waits
for the host count as the device's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from tokonomy.measure.protocol import HOLD_CYCLES

Call = Callable[[Any], object]


class Taken(NamedTuple):
    """One call: nanoseconds end to end, nanoseconds of the device alone, and what it gave."""

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
    """The host's clock around a synchronised call, and two events around its repetition.

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

    def timed(self, call: Call, argument: object) -> Taken:
        """Call once by the host's clock, and once more for the device's own time."""
        self.sync()
        begun = time.perf_counter_ns()
        output = call(argument)
        asked = time.perf_counter_ns()
        self.sync()
        host_ns = time.perf_counter_ns() - begun
        return Taken(host_ns, self.queued(call, argument, asked - begun), output)

    def queued(self, call: Call, argument: object, asking_ns: int) -> int:
        """Nanoseconds of a call on the device, the device held until all of it is asked for.

        Args:
            call: What to call.
            argument: On what.
            asking_ns: How long it takes to ask.
        """
        self.sync()
        self.hold(asking_ns * HOLD_CYCLES)
        self.start.record()
        call(argument)
        self.end.record()
        self.sync()
        elapsed_ms: float = self.start.elapsed_time(self.end)
        return max(1, round(elapsed_ms * 1e6))


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
