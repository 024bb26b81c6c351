"""Ready profiles, one for each thing that goes wrong with a GPU or its driver.

Each is a function of the second at which the fault begins; what is wrong from the start (a library
that is not there, a device that cannot do something) ignores it. Everything else in a profile is in
order: an idle device, nothing else on it, 300 W.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tokonomy.measure.scripted import names
from tokonomy.measure.scripted.course import Course, flat, ramps, steps
from tokonomy.measure.scripted.profile import (
    GIB,
    POWER_FIELDS,
    Event,
    Fault,
    Field,
    Gpu,
    Process,
    Profile,
    Slice,
    until,
)

#: Above the highest number that Linux gives a process.
FOREIGN_PID = 2**22 + 1
#: Reason bits: the driver, and the hardware, slow down because of heat.
THERMAL = 0x20 | 0x40
THERMAL_POLICY = 1
#: Xid 31, a memory page fault; Xid 79, the GPU has fallen off the bus.
XID_FAULT, XID_OFF_BUS = 31, 79

SOUND = Gpu(power=flat(300))
ENERGY = "nvmlDeviceGetTotalEnergyConsumption"


def sound(start_s: float = 0.0) -> Profile:
    """Nothing wrong."""
    return Profile(gpus=(SOUND,))


def _with(**changes: object) -> Profile:
    return Profile(gpus=(replace(SOUND, **changes),))  # type: ignore[arg-type]  # fields of Gpu


def _mib(before: float, at_s: float, after: float) -> Course:
    return until(at_s, before * 2**20, after * 2**20)


def quantised_ticks(start_s: float) -> Profile:
    """A counter that moves twice a second, out of step with everything."""
    return _with(tick_ms=500.0, phase_ms=37.0, power=steps((0, 80), (start_s, 300)))


def counter_reset(start_s: float) -> Profile:
    """The counter starts again at 0, as when the driver is loaded again."""
    return _with(resets=(start_s,))


def not_supported(start_s: float) -> Profile:
    """A device that has neither an energy counter nor power fields."""
    fields = tuple(replace(one, code=names.NOT_SUPPORTED) for one in POWER_FIELDS)
    return _with(counter=False, fields=fields, ecc=None, mig_mode=None)


def symbol_missing(start_s: float) -> Profile:
    """A driver that is older than the functions wanted of it."""
    newer = (ENERGY, "nvmlDeviceGetFieldValues", "nvmlDeviceGetTemperatureV")
    reasons = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetSupportedClocksEventReasons")
    return replace(sound(), missing=(*newer, *reasons))


def none_memory(start_s: float) -> Profile:
    """The driver does not tell how much memory a process uses; the device's total grows."""
    process = Process(memory_bytes=None, from_s=start_s)
    return _with(processes=(process,), used_bytes=_mib(0, start_s, 2048))


def host_pids(start_s: float) -> Profile:
    """Processes have the numbers that the host gives them: none of them is one of ours."""
    process = Process(pid=FOREIGN_PID, memory_bytes=GIB, from_s=start_s, name="python")
    return _with(processes=(process,), used_bytes=_mib(0, start_s, 1024))


def device_lost(start_s: float) -> Profile:
    """The GPU falls off the bus."""
    return _with(lost_s=start_s, events=(Event(at_s=start_s, data=XID_OFF_BUS),))


def swapped_order(start_s: float) -> Profile:
    """Two GPUs; NVML counts them by bus id, CUDA the faster (the second) first."""
    slow = replace(SOUND, name="scripted slow GPU", power=flat(60), sm_mhz=flat(900))
    fast = replace(
        SOUND,
        name="scripted fast GPU",
        uuid="GPU-5c000001-0000-0000-0000-000000000001",
        pci="00000000:41:00.0",
        serial="5c000001",
    )
    return Profile(gpus=(slow, fast))


def mig_slice(start_s: float) -> Profile:
    """A GPU that is cut into slices, which tell neither power nor energy."""
    parts = tuple(
        Slice(uuid=f"MIG-5c000000-0000-0000-0000-00000000000{number}", gpu_instance=number)
        for number in (7, 8)
    )
    return _with(mig_mode=True, slices=parts)


def vgpu(start_s: float) -> Profile:
    """A share of a GPU in a virtual machine."""
    return _with(virtualization=2, counter=False, ecc=None, mig_mode=None, fields=())


def throttling(start_s: float) -> Profile:
    """The device gets hot and slows down."""
    slowed = ramps((0, 0), (start_s, 0), (start_s + 3600, 3600e9))
    return _with(
        reasons=until(start_s, 0, THERMAL),
        violations_ns=((0, flat(0)), (THERMAL_POLICY, slowed)),
        sm_mhz=until(start_s, 1980, 1200),
        temperature_c=until(start_s, 60, 91),
    )


def foreign_process(start_s: float) -> Profile:
    """Somebody else begins to use the device."""
    other = Process(pid=FOREIGN_PID, memory_bytes=4 * GIB, from_s=start_s, name="another")
    return _with(
        processes=(other,),
        used_bytes=_mib(0, start_s, 4096),
        utilization=until(start_s, 0, 95),
        power=until(start_s, 300, 450),
    )


def limits_changed(start_s: float) -> Profile:
    """Somebody lowers the power limit."""
    return _with(limit_w=until(start_s, 700, 400))


def ecc(start_s: float) -> Profile:
    """An error in memory that could not be corrected."""
    return _with(uncorrected=until(start_s, 0, 1))


def xid(start_s: float) -> Profile:
    """The driver reports a critical error."""
    return _with(events=(Event(at_s=start_s, data=XID_FAULT),))


def no_permission(start_s: float) -> Profile:
    """The driver refuses the counter, the fields and the lists of processes."""
    refused = (
        ENERGY,
        "nvmlDeviceGetFieldValues",
        "nvmlDeviceGetComputeRunningProcesses_v3",
        "nvmlDeviceGetGraphicsRunningProcesses_v3",
    )
    code = names.NO_PERMISSION
    faults = tuple(Fault(function=name, code=code, from_s=start_s) for name in refused)
    return replace(sound(), faults=faults)


def _uninitialised(code: int) -> Profile:
    return replace(sound(), faults=(Fault(function="nvmlInitWithFlags", code=code),))


def driver_not_loaded(start_s: float) -> Profile:
    """The library is there, the kernel's module is not."""
    return _uninitialised(names.DRIVER_NOT_LOADED)


def version_mismatch(start_s: float) -> Profile:
    """Library and kernel module are of different versions, as after an update without a reboot."""
    return _uninitialised(names.LIB_RM_VERSION_MISMATCH)


def library_missing(start_s: float) -> Profile:
    """There is no NVML library."""
    return replace(sound(), absent=True)


def slow_reads(start_s: float) -> Profile:
    """Reading power or energy takes 5 ms."""
    return _with(read_cost_us=5000.0)


def field_codes(start_s: float) -> Profile:
    """Reading fields succeeds, and each field says for itself that it failed, or what it means."""
    average, instant = POWER_FIELDS[1], replace(POWER_FIELDS[2], code=names.NOT_SUPPORTED)
    module = Field(id=186, scope=names.SCOPE_MODULE, source="instant")
    return _with(fields=(POWER_FIELDS[0], average, instant, module), module_power=flat(900))


FAULTS: dict[str, Callable[[float], Profile]] = {
    "quantised-ticks": quantised_ticks,
    "counter-reset": counter_reset,
    "not-supported": not_supported,
    "symbol-missing": symbol_missing,
    "none-memory": none_memory,
    "host-pids": host_pids,
    "device-lost": device_lost,
    "swapped-order": swapped_order,
    "mig-slice": mig_slice,
    "vgpu": vgpu,
    "throttling": throttling,
    "foreign-process": foreign_process,
    "limits-changed": limits_changed,
    "ecc": ecc,
    "xid": xid,
    "no-permission": no_permission,
    "driver-not-loaded": driver_not_loaded,
    "version-mismatch": version_mismatch,
    "library-missing": library_missing,
    "slow-reads": slow_reads,
    "field-codes": field_codes,
}
