"""A GPU as a device to measure on, through NVML.

The counter's joules are of the board: NVIDIA documents it for "this GPU", like power of scope 0. A
driver that tells power of the whole module only (a processor on the same carrier) is taken to count
the module. On a slice (MIG) or a virtual GPU both are of more than is measured, so there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Self

from tokonomy.errors import TelemetryError
from tokonomy.measure import gpu_facts, nvml, occupancy, probe
from tokonomy.measure.clock import Clock
from tokonomy.measure.cpu import CpuTelemetry
from tokonomy.measure.protocol import ALONE_S
from tokonomy.measure.telemetry import Counter, Exclusivity, Telemetry, tried
from tokonomy.measure.visible import Target
from tokonomy.measure.watching import Watch
from tokonomy.store.fields import Boundary, Missing, Scalar
from tokonomy.store.observed import Flag

_BOUNDARIES: dict[str, Boundary] = {"gpu": "board", "module": "module"}
_LOOKS = 8  # while waiting for the device to look unused
#: The newest chip whose ``nvmlDeviceGetPowerUsage`` is not an average over a second: GA100.
_LAST_INSTANT = (8, 0)


def scope(handle: object) -> str | None:
    """Whose instantaneous power the driver tells: the GPU's, else its module's, else nobody's."""
    wanted = [(nvml.POWER_INSTANT, nvml.SCOPES[name]) for name in _BOUNDARIES]
    powers = nvml.told(nvml.fields, handle, *wanted) or []
    told = zip(_BOUNDARIES, powers, strict=False)
    return next((name for name, power in told if not isinstance(power, Missing)), None)


@dataclass(slots=True)
class EnergyCounter:
    """``nvmlDeviceGetTotalEnergyConsumption``: millijoules since the driver was loaded.

    Volta and newer; moves about every 100 ms; a read can cost milliseconds; starts again when the
    driver is loaded again.

    Attributes:
        scope: Whose power stands beside it; None where only ``nvmlDeviceGetPowerUsage`` could.
    """

    handle: object
    device: str
    scope: str | None
    meter: str = "nvml-total-energy"
    boundary: Boundary = field(init=False)
    quantum_uj: int = 1000
    _last: int = 0

    def __post_init__(self) -> None:
        self.boundary = _BOUNDARIES[self.scope or "gpu"]

    def read(self) -> int:
        """Microjoules; raises ``TelemetryError`` ``counter-reset`` where it went back."""
        now, last = _energy_mj(self.handle), self._last
        self._last = now
        if now < last:
            raise TelemetryError("counter-reset", f"from {last} mJ to {now} mJ")
        return now * 1000

    def power_w(self) -> float | None:
        """Instantaneous power, watts; None where the driver has only an average."""
        return power_w(self.handle, self.scope)


def _energy_mj(handle: object) -> int:
    energy: int = nvml.ask("nvmlDeviceGetTotalEnergyConsumption", handle)
    if energy == 2**64 - 1:
        raise TelemetryError("nvml-error", "the energy counter says that it is not available")
    return energy


def _counts(handle: object) -> None:
    """Raise where there is no counter; not to support it is to have none."""
    try:
        _energy_mj(handle)
    except TelemetryError as error:
        if error.reason != "nvml-not-supported":
            raise
        raise TelemetryError("no-energy-counter", error.detail) from None


def power_w(handle: object, scope: str | None) -> float | None:
    """Field 186 where there is one; the older function only where that is no average."""
    if scope is not None:
        watts = nvml.told(nvml.field, handle, nvml.POWER_INSTANT, nvml.SCOPES[scope])
        return None if watts is None else watts / 1e3
    chip = nvml.told(gpu_facts.capability, handle)
    if chip is None or chip > _LAST_INSTANT:
        return None
    watts = nvml.told(nvml.ask, "nvmlDeviceGetPowerUsage", handle)
    return None if watts is None else watts / 1e3


def energy_counter(handle: object, uuid: str, scope: str | None) -> EnergyCounter:
    """The energy counter of a GPU; raises ``TelemetryError`` where there is none."""
    if gpu_facts.mig(handle):
        raise TelemetryError("mig-slice", "the counter is of the whole GPU")
    shared = gpu_facts.sharing(handle)
    if shared not in ("none", "passthrough"):
        raise TelemetryError("vgpu", f"virtualisation: {shared}")
    _counts(handle)
    return EnergyCounter(handle=handle, device=uuid, scope=scope)


@dataclass(slots=True)
class GpuTelemetry:
    """A GPU while something is measured on it; NVML is open from enter to exit.

    Attributes:
        target: The GPU, and the slice of it.
        own: This process as NVML may call it; ``touched`` says whether it is on the device.
        host: The processors that drive it: what spoils a measurement there does so here.
        wait: Sleeps for so many seconds.
    """

    target: Target
    own: occupancy.Self = field(default_factory=occupancy.myself)
    touched: Callable[[], bool] = occupancy.touched
    host: Telemetry = field(default_factory=CpuTelemetry)
    wait: Callable[[float], object] = time.sleep
    _handle: Any = None
    _part: Any = None
    _scope: str | None = None
    _watch: Watch = field(init=False)
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        """Open NVML and take a first look; raises ``TelemetryError``."""
        with ExitStack() as stack:
            stack.enter_context(nvml.library())
            self._handle = self._part = nvml.ask("nvmlDeviceGetHandleByUUID", self.target.gpu.uuid)
            if self.target.slice is not None:
                self._part = nvml.ask("nvmlDeviceGetHandleByUUID", self.target.slice.uuid)
            self._scope = scope(self._handle)
            self._watch = Watch(self._handle, self._part, self.own, self.touched)
            stack.callback(self._watch.close)
            self._watch.open()
            stack.enter_context(self.host)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Close NVML."""
        self._open.close()

    def facts(self) -> dict[str, Scalar]:
        """Identity, limits and versions."""
        more: dict[str, Scalar] = {
            "gpu_slices": ", ".join(part.uuid for part in self.target.gpu.slices)[:500] or None,
            "gpu_slice": self.target.slice.uuid if self.target.slice else None,
        }
        return gpu_facts.facts(self._handle) | gpu_facts.system() | more

    def state(self) -> dict[str, Scalar]:
        """How the GPU is doing, and the processors that drive it.

        What could not be watched until now is in ``gpu_unwatched``, with the reasons;
        ``gpu_hides_processes`` is null until this process is on the device and could be listed.
        """
        gpu = gpu_facts.state(self._handle, self._part, self._power_w)
        watch = {"gpu_hides_processes": self._watch.hides, "gpu_unwatched": self._unwatched()}
        return self.host.state() | gpu | watch

    def exclusivity(self) -> Exclusivity:
        """Whether this process is alone on the device; waits a little until it looks so.

        What has just ended is seen for up to two seconds. Neighbours of a slice share its clocks
        and its power, so that on a slice nothing is proven.
        """
        found = occupancy.judge(occupancy.look(self._part), self.own)
        for _ in range(_LOOKS):
            if found.proven:
                break
            self.wait(ALONE_S / _LOOKS)
            found = occupancy.judge(occupancy.look(self._part), self.own)
        if found.proven and self.target.slice is not None:
            return Exclusivity(proven=False, detail="other slices share clocks and power")
        return found

    def causes(self) -> list[Flag]:
        """What was observed on the GPU and on the processors since the last call."""
        return [*self._watch.look(), *self.host.causes()]

    def temperature_c(self) -> float | None:
        """Of the chip, degrees Celsius."""
        return nvml.told(gpu_facts.temperature_c, self._handle)

    def used_bytes(self) -> int | Missing:
        """Device memory in use by everyone, of the slice on a slice."""
        return tried(occupancy.used_bytes, self._part)

    def counter(self) -> Counter | Missing:
        """The energy counter, or why there is none."""
        return tried(energy_counter, self._handle, self.target.gpu.uuid, self._scope)

    def probes(self, clock: Clock) -> dict[str, float | str | Missing]:
        """What its energy counter and power fields are like, and what cannot be watched."""
        counting = probe.counting(self.counter(), clock, self.wait)
        more = {"unwatched": self._unwatched() or "nothing"}
        return counting | probe.power_fields(self._handle) | more

    def _unwatched(self) -> str | None:
        said = ", ".join(f"{what}: {why}" for what, why in self._watch.unwatched.items())
        return said[:500] or None

    def _power_w(self) -> float | None:
        return power_w(self._handle, self._scope)
