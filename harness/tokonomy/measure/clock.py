"""The one clock base of all timing: monotonic nanoseconds, read after the device is idle."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


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


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class MonotonicClock:
    """``time.perf_counter_ns``: about 50 ns a read, steady under clock adjustments."""

    name: str = "perf_counter_ns"
    sync: Callable[[], None] = _nothing

    def now(self) -> int:
        """Nanoseconds since some fixed moment."""
        return time.perf_counter_ns()


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

    return MonotonicClock(name="perf_counter_ns, synchronised", sync=wait)
