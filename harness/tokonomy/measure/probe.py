"""What a device's energy counter and power fields are like: found once, by trying.

Support differs by device and by driver, so nothing is looked up by name. Every answer is a value
or a reason.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from tokonomy.measure import nvml
from tokonomy.measure.clock import Clock
from tokonomy.measure.protocol import COUNTER_GAPS, COUNTER_PAUSE_S, COUNTER_S
from tokonomy.measure.telemetry import Counter, tried
from tokonomy.store.fields import Missing

Wait = Callable[[float], object]
Answer = float | str | Missing
_FIELDS = {
    "power_instant": nvml.POWER_INSTANT,
    "power_average": nvml.POWER_AVERAGE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticking:
    """How a counter moves.

    Attributes:
        tick_ms: Median gap between two changes, milliseconds; known to two reads and pauses.
        read_us: Median cost of one read, microseconds.
        gaps: How many gaps that is the median of.
    """

    tick_ms: float | Missing
    read_us: float | Missing
    gaps: int


def ticking(counter: Counter, clock: Clock, wait: Wait = time.sleep) -> Ticking:
    """Read a counter until its ticks are known, for at most ``COUNTER_S`` seconds."""
    seen = tried(_changes, counter, clock, wait)
    if isinstance(seen, Missing):
        return Ticking(tick_ms=seen, read_us=seen, gaps=0)
    changes, costs = seen
    gaps = [after - before for before, after in pairwise(changes)]
    few = Missing(
        reason="too-few-ticks", detail=f"the counter moved {len(changes)} times in {COUNTER_S:g} s"
    )
    return Ticking(
        tick_ms=statistics.median(gaps) / 1e6 if gaps else few,
        read_us=statistics.median(costs) / 1e3 if costs else few,
        gaps=len(gaps),
    )


def _changes(counter: Counter, clock: Clock, wait: Wait) -> tuple[list[int], list[int]]:
    """When a counter moved, and what each read of it took, nanoseconds."""
    changes: list[int] = []
    costs: list[int] = []
    until, last = clock.now() + int(COUNTER_S * 1e9), None
    for _ in range(int(COUNTER_S / COUNTER_PAUSE_S)):
        if len(changes) > COUNTER_GAPS or (start := clock.now()) >= until:
            break
        energy_uj = counter.read()
        end = clock.now()
        costs.append(end - start)
        if last is not None and energy_uj != last:
            changes.append((start + end) // 2)
        last = energy_uj
        wait(COUNTER_PAUSE_S)
    return changes, costs


def power_fields(handle: object) -> dict[str, float | Missing]:
    """Watts by field and scope, such as ``power_instant_gpu_w``, each present or with a reason."""
    wanted = {
        f"{name}_{scope}_w": (number, place)
        for name, number in _FIELDS.items()
        for scope, place in nvml.SCOPES.items()
    }
    found = tried(nvml.fields, handle, *wanted.values())
    if isinstance(found, Missing):
        return dict.fromkeys(wanted, found)
    return {
        name: power if isinstance(power, Missing) else power / 1e3
        for name, power in zip(wanted, found, strict=True)
    }


def counting(
    counter: Counter | Missing, clock: Clock, wait: Wait = time.sleep
) -> dict[str, Answer]:
    """Whether energy is counted, of what, and how: the same answers for every kind of device."""
    if isinstance(counter, Missing):
        return {"energy_counter": counter}
    found = ticking(counter, clock, wait)
    power = counter.power_w()
    none = Missing(reason="nvml-not-supported", detail="no instantaneous power")
    return {
        "energy_counter": counter.meter,
        "energy_boundary": counter.boundary,
        "energy_step_uj": counter.quantum_uj,
        "energy_tick_ms": found.tick_ms,
        "energy_tick_gaps": found.gaps,
        "energy_read_us": found.read_us,
        "power_now_w": none if power is None else power,
    }
