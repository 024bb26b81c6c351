"""How time passes for a scripted driver: as it really does, or as a test moves it."""

from __future__ import annotations

import time
from collections.abc import Callable

from tokonomy.measure.clock import Clock


def waiter(clock: Clock) -> Callable[[int], None]:
    """What lets nanoseconds pass on a clock: moves one that can be moved, else sleeps."""
    advance: Callable[[int], None] | None = getattr(clock, "advance", None)
    return advance or _sleep


def _sleep(nanoseconds: int) -> None:
    until = time.perf_counter_ns() + nanoseconds
    if nanoseconds > 2_000_000:  # shorter than that, sleeping is too coarse
        time.sleep((nanoseconds - 1_000_000) / 1e9)
    while time.perf_counter_ns() < until:
        pass
