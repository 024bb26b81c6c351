"""The processors as a device to measure on.

Nobody has a machine's processors to himself: the system's own services run on them, and a virtual
machine shares them with others unseen. So other work is never a reason to refuse a run; where more
of it is seen than an idle system has, exclusivity is said to be unverified.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tokonomy.measure import disturbances, environment, rapl
from tokonomy.measure.disturbances import Asleep, Files, Marks, asleep, number, read
from tokonomy.measure.protocol import OTHERS_CPUS, OTHERS_LOOK_S
from tokonomy.measure.telemetry import Counter, Exclusivity
from tokonomy.store.fields import Missing, Scalar
from tokonomy.store.observed import NO_DEVICE_MEMORY, Flag

ROOT = Path("/")
_BUSY = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_WAITING = ("idle", "iowait")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Seconds since start that some processors spent working, and of these stolen from them.

    Time stolen by a hypervisor is time that somebody else's guest worked.
    """

    busy_s: float
    steal_s: float


def load(stat: str | None, cpus: frozenset[int]) -> Load | None:
    """From the text of ``/proc/stat``; None where it says nothing of these processors."""
    ticks = os.sysconf("SC_CLK_TCK")
    busy = steal = seen = 0
    for line in (stat or "").splitlines():
        name, *words = line.split()
        if not name.startswith("cpu") or number(name[3:]) not in cpus:
            continue
        counts = dict(zip(_BUSY, (number(word) or 0 for word in words), strict=False))
        busy += sum(count for kind, count in counts.items() if kind not in _WAITING)
        steal += counts.get("steal", 0)
        seen += 1
    return Load(busy_s=busy / ticks, steal_s=steal / ticks) if seen else None


def _affinity() -> frozenset[int]:
    return frozenset(os.sched_getaffinity(0))


@dataclass(slots=True)
class CpuTelemetry:
    """The processors that this process may use.

    Attributes:
        root: Folder that holds ``proc`` and ``sys``.
        affinity: Gives the processors this process may use.
        slept: Gives how long the machine was suspended.
        wait: Sleeps for so many seconds.
    """

    root: Path = ROOT
    affinity: Callable[[], frozenset[int]] = _affinity
    slept: Callable[[], Asleep] = asleep
    wait: Callable[[float], object] = time.sleep
    _files: Files = field(init=False)
    _marks: Marks = field(init=False)

    def __post_init__(self) -> None:
        self._files = disturbances.find(self.root)
        self._marks = self._take()

    def __enter__(self) -> Self:
        """Nothing is held open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""

    def facts(self) -> dict[str, Scalar]:
        """What does not change."""
        return environment.hardware()

    def state(self) -> dict[str, Scalar]:
        """What moves; counts and seconds are since the machine started."""
        marks, seen = self._take(), load(self._stat(), self.affinity())
        return environment.state() | {
            "busy_s": None if seen is None else seen.busy_s,
            "steal_s": None if seen is None else seen.steal_s,
            "thermal_throttles": marks.throttles,
            "quota_throttles": marks.quotas,
        }

    def exclusivity(self) -> Exclusivity:
        """Whether others work less than an idle system's services do, in a short look.

        Work of other guests of a hypervisor shows as steal alone, so a quiet look inside a virtual
        machine proves no more than that they leave us our share.
        """
        cpus = self.affinity()
        before, own_s = load(self._stat(), cpus), time.process_time()
        begun = time.monotonic()
        self.wait(OTHERS_LOOK_S)
        after, own_s = load(self._stat(), cpus), time.process_time() - own_s
        took_s = max(OTHERS_LOOK_S, time.monotonic() - begun)
        if before is None or after is None:
            return Exclusivity(proven=False, detail="the load of processors cannot be read")
        others = max(0.0, after.busy_s - before.busy_s - own_s) / took_s
        detail = f"others kept {others:.2f} of {len(cpus)} processors busy"
        return Exclusivity(proven=others <= OTHERS_CPUS, detail=detail)

    def causes(self) -> list[Flag]:
        """What happened since the last call."""
        was, self._marks = self._marks, self._take()
        return disturbances.compare(was, self._marks)

    def temperature_c(self) -> float | None:
        """Of the first package, degrees Celsius."""
        return environment.temperature_c(self.root / "sys/class")

    def used_bytes(self) -> Missing:
        """A processor has no memory of its own."""
        return NO_DEVICE_MEMORY

    def counter(self) -> Counter | Missing:
        """RAPL's packages, or why they cannot be read."""
        return rapl.open_counter(self.root / "sys/class/powercap")

    def _stat(self) -> str | None:
        return read(self.root / "proc/stat")

    def _take(self) -> Marks:
        return disturbances.take(self._files, self.affinity(), self.slept())
