"""Looks at a GPU again and again, and says what moved that spoils a measurement.

Every look answers for the time since the one before. What the device does not tell, ever or at one
look, cannot be watched then, and ``unwatched`` says so; a reading that fails once is not a cause.
What comes and goes between two looks is not seen of processes, nor of limits without a counter
(see ``throttling``). Clocks that are locked to a range cannot be read, so that only application
clocks are watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from tokonomy.errors import DeviceLost, TelemetryError
from tokonomy.measure import gpu_facts, nvml, occupancy, throttling
from tokonomy.store.observed import Flag

_EVENTS = 64  # taken at one look; a device that reports more has said enough


@dataclass(frozen=True, slots=True)
class _Compared:
    """A reading that stays the same while nothing is wrong."""

    name: str
    code: str
    unit: str
    read: Callable[[object], float]


_COMPARED = (
    _Compared("power limit", "limits-changed", " W", gpu_facts.limit_w),
    _Compared(
        "enforced power limit",
        "limits-changed",
        " W",
        lambda handle: gpu_facts.limit_w(handle, "EnforcedPowerLimit"),
    ),
    _Compared(
        "processor clock",
        "clocks-changed",
        " MHz",
        lambda handle: gpu_facts.asked_clock(handle, nvml.SM),
    ),
    _Compared(
        "memory clock",
        "clocks-changed",
        " MHz",
        lambda handle: gpu_facts.asked_clock(handle, nvml.MEMORY),
    ),
    _Compared("uncorrected errors", "ecc-error", "", gpu_facts.ecc_uncorrected),
)


@dataclass(slots=True)
class Watch:
    """What a GPU showed at the last look; opened by the first.

    Attributes:
        handle: Of the GPU as a whole.
        part: Where processes are listed: a slice of it, or the same.
        own: This process as NVML may call it.
        touched: Whether this process is on the device by now. In a container its id is what came
            until the first look at which it is; whatever comes later is somebody else's.
        unwatched: What could not be watched, at one look at least, with the last reason.
        hides: Whether this process is on the device and in none of its lists; None until then.
    """

    handle: object
    part: object
    own: occupancy.Self
    touched: Callable[[], bool] = occupancy.touched
    unwatched: dict[str, str] = field(default_factory=dict)
    hides: bool | None = None
    _values: dict[str, float] = field(default_factory=dict)
    _held: dict[str, int] = field(default_factory=dict)
    _harmful: set[str] = field(default_factory=set)
    _others: set[int] = field(default_factory=set)
    _mine: frozenset[int] = frozenset()
    _events: Any = None

    def open(self) -> None:
        """Take the first look."""
        for one in _COMPARED:
            with self._noting(one.name):
                self._values[one.name] = one.read(self.handle)
        with self._noting("clock reasons"):
            self._harmful = _harmful(self.handle)
        with self._noting("events"):
            self._listen()
        self._held = throttling.harmful(throttling.held_ns(self.handle))
        if not self._held:
            self.unwatched["throttle counters"] = "nvml-not-supported"
        pids = self._listed()
        if self.own.before is None:
            self.own = replace(self.own, before=frozenset(pids))
        self._others = pids - self.own.among(pids)

    def close(self) -> None:
        """Stop listening."""
        if self._events is not None:
            events, self._events = self._events, None
            with suppress(TelemetryError):  # the device may be gone
                nvml.ask("nvmlEventSetFree", events)

    def look(self) -> list[Flag]:
        """What was observed since the last look; raises ``DeviceLost``."""
        return [*self._throttled(), *self._company(), *self._changes(), *self._reported()]

    @contextmanager
    def _noting(self, name: str) -> Iterator[None]:
        """Note why something cannot be watched; a lost device still raises."""
        try:
            yield
        except DeviceLost:
            raise
        except TelemetryError as error:
            self.unwatched[name] = error.reason

    def _throttled(self) -> list[Flag]:
        """One flag for whatever held the clocks down, then or now."""
        held = throttling.harmful(throttling.held_ns(self.handle))
        if self._held.keys() - held.keys():
            self.unwatched["throttle counters"] = "nvml-error"
        moved = {
            name: time - self._held[name]
            for name, time in held.items()
            if name in self._held and time != self._held[name]
        }
        self._held |= held
        now: set[str] = set()
        with self._noting("clock reasons"):
            now = _harmful(self.handle)
        active, self._harmful = self._harmful | now, now
        said = [f"{name} for {time / 1e6:g} ms" for name, time in moved.items()]
        said += sorted(active - moved.keys())
        return [Flag(code="throttled", detail=", ".join(said))] if said else []

    def _company(self) -> list[Flag]:
        """Processes of others, then or now."""
        pids = self._listed()
        if not self._mine and self.touched():
            self._mine = self.own.pids | self.own.among(pids)  # never asked again
            self.hides = not self._mine & pids and "compute processes" not in self.unwatched
            if self.hides:
                self.unwatched["processes"] = "hidden"
        mine = self._mine or self.own.pids
        now = pids - mine
        seen, self._others = (self._others | now) - mine, now
        return [occupancy.foreign(seen)] if seen else []

    def _listed(self) -> set[int]:
        """Ids of all processes on the device that it lists."""
        pids, untold = occupancy.processes(self.part)
        self.unwatched |= {f"{kind} processes": reason for kind, reason in untold.items()}
        return set(pids)

    def _changes(self) -> list[Flag]:
        """One flag for each kind of thing that is not as it was."""
        found: dict[str, list[str]] = {}
        for one in _COMPARED:
            was = now = self._values.get(one.name)
            if was is None:
                continue
            with self._noting(one.name):
                now = one.read(self.handle)
            if now is None or now == was:
                continue
            self._values[one.name] = now
            said = f"{one.name} {was:g}{one.unit} before, {now:g}{one.unit} now"
            found.setdefault(one.code, []).append(said)
        return [Flag(code=code, detail="; ".join(said)) for code, said in found.items()]

    def _listen(self) -> None:
        """Have the driver keep critical errors for us."""
        kinds = int(nvml.ask("nvmlDeviceGetSupportedEventTypes", self.handle))
        kinds &= nvml.XID | nvml.DOUBLE_BIT
        if not kinds & nvml.XID:
            raise TelemetryError("nvml-not-supported", "no events of critical errors")
        self._events = nvml.ask("nvmlEventSetCreate")
        nvml.ask("nvmlDeviceRegisterEvents", self.handle, kinds, self._events)

    def _reported(self) -> list[Flag]:
        """Events since the last look."""
        found: list[Flag] = []
        while self._events is not None and len(found) < _EVENTS:
            try:
                event = nvml.ask("nvmlEventSetWait", self._events, 0)
            except DeviceLost:
                raise
            except TelemetryError as error:
                if error.reason != "nvml-timeout":  # which means that there is nothing more
                    self.unwatched["events"] = error.reason
                break
            found.append(_flag(int(event.eventType), int(event.eventData)))
        return found


def _harmful(handle: object) -> set[str]:
    return set(throttling.active(handle)) & throttling.HARMFUL


def _flag(kind: int, data: int) -> Flag:
    if kind & nvml.DOUBLE_BIT:
        return Flag(code="ecc-error", detail="double-bit memory error")
    return Flag(code="xid-error", detail=f"Xid {data}")
