"""Why a GPU's clocks are lower than asked: reasons that hold now, and the time each has held.

**The software power cap is not harmful here.** A board under load runs at its power limit by
design, the limit is a fact of the record, and many boards are at theirs whenever they work; a
method that needs less power gains clocks from it, which is part of its effect. It is recorded
(``gpu_power_cap_ns``) and told as the flag ``power-capped``. Heat, external power, a slow neighbour
in a synchronised group and the hardware's emergency brake come from outside the two arms: they
spoil what was measured meanwhile. The chip's own voltage limit (reliability) holds at full clocks
and says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tokonomy.measure import nvml
from tokonomy.store.fields import Scalar
from tokonomy.store.observed import Flag

#: Bits of the clock-event reasons, as in ``nvml.h``.
_BITS: Final = {
    0x001: "idle",
    0x002: "application clocks",
    0x004: "software power cap",
    0x008: "hardware slowdown",
    0x010: "sync boost",
    0x020: "software thermal slowdown",
    0x040: "hardware thermal slowdown",
    0x080: "hardware power brake",
    0x100: "display clocks",
    0x200: "board limit",
    0x400: "reliability",
}
HARMFUL: Final = frozenset(
    {
        "hardware slowdown",
        "sync boost",
        "software thermal slowdown",
        "hardware thermal slowdown",
        "hardware power brake",
        "board limit",
    }
)
#: Policies that have counters: name to number of the policy and of the field; nanoseconds.
_POLICIES: Final = {
    "power cap": (0, 74),
    "thermal": (1, 75),
    "sync boost": (2, 76),
    "board limit": (3, 77),
}
#: Counters of newer drivers, fields only; nanoseconds.
_FIELDS: Final = {
    "software thermal slowdown": 269,
    "hardware thermal slowdown": 270,
    "hardware power brake": 271,
}
_CAP = "power cap"


def active(handle: object) -> list[str]:
    """Reasons that hold now."""
    names = (
        "nvmlDeviceGetCurrentClocksEventReasons",
        "nvmlDeviceGetCurrentClocksThrottleReasons",  # its name before driver 535
    )
    bits = int(nvml.newest(names, handle))
    named = [name for bit, name in _BITS.items() if bits & bit]
    rest = bits & ~sum(_BITS)
    return [*named, f"unknown {rest:#x}"] if rest else named


def held_ns(handle: object, *, harmful: bool) -> dict[str, int]:
    """How long each harmful limit has held since the driver was loaded, or else the power cap.

    Only those that the device tells.
    """
    policies = [name for name in _POLICIES if (name != _CAP) is harmful]
    readings = {name: nvml.told(_policy, handle, name) for name in policies}
    if harmful:
        for name, number in _FIELDS.items():
            readings[name] = nvml.told(_whole, handle, number)
    return {name: held for name, held in readings.items() if held is not None}


def _whole(handle: object, number: int) -> int:
    return int(nvml.field(handle, number))


def _policy(handle: object, name: str) -> int:
    """The counter of a policy; the field is the newer way, and older drivers have the function."""
    policy, number = _POLICIES[name]
    return nvml.either(
        lambda: _whole(handle, number),
        lambda: int(nvml.ask("nvmlDeviceGetViolationStatus", handle, policy).violationTime),
    )


def capped(before: Mapping[str, Scalar], after: Mapping[str, Scalar]) -> Flag | None:
    """The flag of a device that ran at its power limit, from its state before and after."""
    was, now = (state.get("gpu_power_cap_ns") for state in (before, after))
    if not isinstance(was, int) or not isinstance(now, int) or now <= was:
        return None
    return Flag(code="power-capped", detail=f"for {(now - was) / 1e9:.3g} s of the run")
