"""What a device's energy counter and power fields are like: found once, by trying.

Support differs by device and by driver, so nothing is looked up by name. Every answer is a value
or a reason.
"""

from __future__ import annotations

import time

from tokonomy.measure import nvml, sampling
from tokonomy.measure.clock import Clock
from tokonomy.measure.sampling import Wait
from tokonomy.measure.telemetry import Counter, tried
from tokonomy.store.fields import Missing

Answer = float | str | Missing
_FIELDS = {
    "power_instant": nvml.POWER_INSTANT,
    "power_average": nvml.POWER_AVERAGE,
}


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
    pace = tried(sampling.probe, counter, clock.now, wait)
    power = counter.power_w()
    none = Missing(reason="nvml-not-supported", detail="no instantaneous power")
    return {
        "energy_counter": counter.meter,
        "energy_boundary": counter.boundary,
        "energy_step_uj": counter.quantum_uj,
        "energy_tick_ms": pace if isinstance(pace, Missing) else pace.tick_ns / 1e6,
        "energy_read_us": pace if isinstance(pace, Missing) else pace.read_ns / 1e3,
        "power_now_w": none if power is None else power,
    }
