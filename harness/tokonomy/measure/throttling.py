"""Why a GPU's clocks are lower than asked: reasons that hold now, and the time each has held.

**The software power cap is not harmful here.** A board under load runs at its power limit by
design, the limit is a fact of the record, and many boards are at theirs whenever they work; a
method that needs less power gains clocks from it, which is part of its effect. It is recorded
(``gpu_power_cap_ns``) and told as the flag ``power-capped``. Heat, external power, a slow neighbour
in a synchronised group and the hardware's emergency brake come from outside the two arms: they
spoil what was measured meanwhile. The chip's own voltage limit (reliability) holds at full clocks
and says nothing. Nor does the bit of a hardware slowdown: NVIDIA documents that a change of clocks
may set it too, and where heat or the power brake is behind it, their own bits are set beside it.

**Not seen between two looks:** the hardware's own slowdown for heat, and the power brake. Counters
of these two exist, but under numbers that differ between versions of ``nvml.h`` and mean something
else to older drivers; only counters whose numbers have always meant the same are read. So these two
are seen only while they hold at a look.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tokonomy.measure import nvml
from tokonomy.measure.telemetry import tried
from tokonomy.store.fields import Missing, Scalar
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
        "sync boost",
        "software thermal slowdown",
        "hardware thermal slowdown",
        "hardware power brake",
        "board limit",
    }
)
CAP: Final = "power cap"
#: Limits that have counters, by number of the policy; the field of each is so much further on.
_COUNTED: Final = (CAP, "thermal", "sync boost", "board limit")
_FIRST_FIELD = 74


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


def held_ns(handle: object) -> dict[str, int]:
    """How long each limit has held since the driver was loaded; only those that the device tells.

    Read by number, all at once; an older driver has a function for each instead.
    """
    numbers = [(_FIRST_FIELD + policy, 0) for policy in range(len(_COUNTED))]
    fields = tried(nvml.fields, handle, *numbers)
    held: dict[str, int] = {}
    for policy, name in enumerate(_COUNTED):
        field = fields if isinstance(fields, Missing) else fields[policy]
        time = nvml.told(_violation, handle, policy) if isinstance(field, Missing) else field
        if time is not None:
            held[name] = int(time)
    return held


def harmful(held_ns: Mapping[str, int]) -> dict[str, int]:
    """Those counters that tell of harm: all but the power cap's."""
    return {name: time for name, time in held_ns.items() if name != CAP}


def _violation(handle: object, policy: int) -> int:
    return int(nvml.ask("nvmlDeviceGetViolationStatus", handle, policy).violationTime)


def capped(before: Mapping[str, Scalar], after: Mapping[str, Scalar]) -> Flag | None:
    """The flag of a device that ran at its power limit, from its state before and after."""
    was, now = (state.get("gpu_power_cap_ns") for state in (before, after))
    if not isinstance(was, int) or not isinstance(now, int) or now <= was:
        return None
    return Flag(code="power-capped", detail=f"for {(now - was) / 1e9:.3g} s of the run")
