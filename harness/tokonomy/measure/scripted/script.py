"""A profile laid flat for the players: devices with tables of answers, and a text of them.

The text has a word for each thing and is read by the C library; words are separated by blanks,
and those inside a name are escaped as in addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from tokonomy.measure.scripted import names
from tokonomy.measure.scripted.course import Course, flat, scaled
from tokonomy.measure.scripted.meter import Meter, meter, nanoseconds
from tokonomy.measure.scripted.profile import Event, Field, Gpu, Process, Profile, Slice

#: First word of the text, with the version of its form.
HEADER = "tokonomy-scripted-nvml 1"
#: Bits that a device can tell: events (ECC errors, performance state, Xid, clocks), reasons.
EVENT_TYPES, REASONS = 0x1F, 0x7FF

#: Function, its inputs packed four bits each, and which of its outputs.
Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU or a slice of one, as a table of answers.

    Attributes:
        gpu: Number of the GPU.
        is_slice: Whether it is a slice.
        lost_ns: When it is gone.
        texts: Answers that are text, by function.
        values: Answers that are numbers.
        meter: Its energy counter and power sensor; None where it has neither.
        module: The same of its module.
        counts: Whether the counter is there.
    """

    gpu: int
    is_slice: bool = False
    lost_ns: int | None = None
    cost_ns: int = 0
    texts: dict[str, str]
    values: dict[Key, Course]
    meter: Meter | None = None
    module: Meter | None = None
    counts: bool = False
    fields: tuple[Field, ...] = ()
    processes: tuple[Process, ...] = ()
    events: tuple[Event, ...] = ()


def devices(profile: Profile) -> tuple[Device, ...]:
    """The GPUs in order, then their slices."""
    gpus = [_gpu(number, gpu) for number, gpu in enumerate(profile.gpus)]
    slices = [
        _slice(number, gpu, part)
        for number, gpu in enumerate(profile.gpus)
        if gpu.mig_mode
        for part in gpu.slices
    ]
    return (*gpus, *slices)


def _gpu(number: int, gpu: Gpu) -> Device:
    texts = _texts(gpu.name, gpu.uuid, gpu.pci)
    texts |= {"nvmlDeviceGetVbiosVersion": gpu.vbios, "nvmlDeviceGetSerial": gpu.serial}
    values = _identity(number, gpu) | _limits(gpu) | _clocks(gpu) | _health(gpu) | _load(gpu)
    return Device(
        gpu=number,
        lost_ns=None if gpu.lost_s is None else nanoseconds(gpu.lost_s),
        cost_ns=nanoseconds(gpu.read_cost_us / 1e6),
        texts=texts,
        values=values | _memory(gpu.memory_bytes, gpu.reserved_bytes, gpu.used_bytes),
        meter=meter(gpu, gpu.power),
        module=None if gpu.module_power is None else meter(gpu, gpu.module_power),
        counts=gpu.counter,
        fields=(*gpu.fields, *_common_fields(gpu)),
        processes=gpu.processes,
        events=tuple(sorted(gpu.events, key=lambda event: event.at_s)),
    )


def _slice(number: int, gpu: Gpu, part: Slice) -> Device:
    values: dict[Key, Course] = {
        ("nvmlDeviceGetGpuInstanceId", 0, 0): flat(part.gpu_instance),
        ("nvmlDeviceGetComputeInstanceId", 0, 0): flat(part.compute_instance),
        ("nvmlDeviceGetVirtualizationMode", 0, 0): flat(gpu.virtualization),
    }
    return Device(
        gpu=number,
        is_slice=True,
        lost_ns=None if gpu.lost_s is None else nanoseconds(gpu.lost_s),
        texts=_texts(part.name, part.uuid, gpu.pci),
        values=values | _memory(part.memory_bytes, 0, part.used_bytes),
        processes=part.processes,
    )


def _texts(name: str, uuid: str, pci: str) -> dict[str, str]:
    return {
        "nvmlDeviceGetName": name,
        "nvmlDeviceGetUUID": uuid,
        "nvmlDeviceGetPciInfo_v3": pci,
    }


def _table(function: str, *outputs: Course, inputs: int = 0) -> dict[Key, Course]:
    return {(function, inputs, slot): course for slot, course in enumerate(outputs)}


def _identity(number: int, gpu: Gpu) -> dict[Key, Course]:
    mig = flat(bool(gpu.mig_mode))
    table = (
        _table("nvmlDeviceGetIndex", flat(number))
        | _table("nvmlDeviceGetMinorNumber", flat(number))
        | _table("nvmlDeviceGetBrand", flat(0))
        | _table("nvmlDeviceGetArchitecture", flat(gpu.architecture))
        | _table("nvmlDeviceGetNumGpuCores", flat(gpu.cores))
        | _table("nvmlDeviceGetComputeMode", flat(0))
        | _table("nvmlDeviceGetPersistenceMode", flat(gpu.persistence))
        | _table("nvmlDeviceGetVirtualizationMode", flat(gpu.virtualization))
        | _table("nvmlDeviceGetCudaComputeCapability", *map(flat, gpu.capability))
        | _table("nvmlDeviceGetMaxMigDeviceCount", flat(0 if gpu.mig_mode is None else 7))
    )
    return table if gpu.mig_mode is None else table | _table("nvmlDeviceGetMigMode", mig, mig)


def _limits(gpu: Gpu) -> dict[Key, Course]:
    low, high = (flat(limit * 1000) for limit in gpu.limit_range_w)
    enforced = gpu.limit_w if gpu.enforced_w is None else gpu.enforced_w
    return (
        _table("nvmlDeviceGetPowerManagementMode", flat(1))
        | _table("nvmlDeviceGetPowerManagementLimit", scaled(gpu.limit_w, 1000))
        | _table("nvmlDeviceGetPowerManagementDefaultLimit", flat(gpu.default_limit_w * 1000))
        | _table("nvmlDeviceGetPowerManagementLimitConstraints", low, high)
        | _table("nvmlDeviceGetEnforcedPowerLimit", scaled(enforced, 1000))
    )


def _clocks(gpu: Gpu) -> dict[Key, Course]:
    table: dict[Key, Course] = {}
    top_sm, top_memory = flat(gpu.max_sm_mhz), flat(gpu.max_memory_mhz)
    multiprocessors = (gpu.sm_mhz, gpu.asked_sm_mhz or top_sm, top_sm)
    memory = (gpu.memory_mhz, top_memory, top_memory)
    for kind, (now, asked, top) in enumerate((multiprocessors, multiprocessors, memory)):
        table |= _table("nvmlDeviceGetClockInfo", now, inputs=kind)
        table |= _table("nvmlDeviceGetMaxClockInfo", top, inputs=kind)
        table |= _table("nvmlDeviceGetApplicationsClock", asked, inputs=kind)
        table |= _table("nvmlDeviceGetDefaultApplicationsClock", top, inputs=kind)
        for which, course in enumerate((now, asked, top, top)):
            table |= _table("nvmlDeviceGetClock", course, inputs=kind * 16 + which)
    return table


def _health(gpu: Gpu) -> dict[Key, Course]:
    table = _table("nvmlDeviceGetSupportedEventTypes", flat(EVENT_TYPES))
    if gpu.reasons is not None:
        for name in ("ClocksEventReasons", "ClocksThrottleReasons"):
            table |= _table(f"nvmlDeviceGetCurrent{name}", gpu.reasons)
            table |= _table(f"nvmlDeviceGetSupported{name}", flat(REASONS))
    for policy, course in gpu.violations_ns:
        table |= _table("nvmlDeviceGetViolationStatus", course, inputs=policy)
    if gpu.ecc is None:
        return table
    table |= _table("nvmlDeviceGetEccMode", flat(gpu.ecc), flat(gpu.ecc))
    for kind, course in enumerate((gpu.corrected, gpu.uncorrected) if gpu.ecc else ()):
        for span in (0, 1):  # since the last boot, and ever
            table |= _table("nvmlDeviceGetTotalEccErrors", course, inputs=kind * 16 + span)
            place = kind * 256 + span * 16 + 2  # all of them in the device's memory
            table |= _table("nvmlDeviceGetMemoryErrorCounter", course, inputs=place)
    return table


def _load(gpu: Gpu) -> dict[Key, Course]:
    table = (
        _table("nvmlDeviceGetTemperature", gpu.temperature_c)
        | _table("nvmlDeviceGetTemperatureThreshold", flat(gpu.slowdown_c + 5))
        | _table("nvmlDeviceGetTemperatureThreshold", flat(gpu.slowdown_c), inputs=1)
        | _table("nvmlDeviceGetPerformanceState", gpu.pstate)
        | _table("nvmlDeviceGetPowerState", gpu.pstate)
    )
    if gpu.mig_mode:  # utilisation is told neither of slices nor of a GPU that is cut
        return table
    return table | _table("nvmlDeviceGetUtilizationRates", gpu.utilization, gpu.memory_utilization)


def _memory(total: int, reserved: int, used: Course) -> dict[Key, Course]:
    return _table("nvmlDeviceGetMemoryInfo", flat(total), flat(reserved), used)


def _common_fields(gpu: Gpu) -> tuple[Field, ...]:
    """Violations by policy (74 and on, ns) and limits (187 and on, mW)."""
    low, high = gpu.limit_range_w
    now = scaled(gpu.limit_w, 1000)
    limits = (flat(low * 1000), flat(high * 1000), flat(gpu.default_limit_w * 1000), now)
    wide = names.UNSIGNED_LONG_LONG
    offsets = {policy: 74 + policy for policy in range(6)} | {10: 80, 11: 81}
    violations = (
        Field(id=offsets[policy], type=wide, course=course)
        for policy, course in gpu.violations_ns
        if policy in offsets
    )
    return (
        *violations,
        *(Field(id=187 + offset, course=limit) for offset, limit in enumerate(limits)),
        Field(id=192, course=now),
    )


def render(profile: Profile, start_ns: int | None) -> str:
    """The text that the C library reads.

    Args:
        profile: What it plays.
        start_ns: Time of the monotonic clock that is second 0; None for the first ``nvmlInit``.
    """
    return "\n".join((HEADER, *_lines(profile, start_ns), "end", ""))


def _lines(profile: Profile, start_ns: int | None) -> Iterator[str]:
    yield f"start {-1 if start_ns is None else start_ns}"
    yield f"driver {_word(profile.driver)}"
    yield f"nvml {_word(profile.nvml)}"
    yield f"cuda {profile.cuda}"
    for fault in profile.faults:
        gpu = -1 if fault.gpu is None else fault.gpu
        yield f"fault {fault.function} {fault.code} {_span(fault.from_s, fault.until_s)} {gpu}"
    for device in devices(profile):
        yield from _device(device)


def _device(device: Device) -> Iterator[str]:
    lost = -1 if device.lost_ns is None else device.lost_ns
    yield f"device {device.gpu} {int(device.is_slice)} {lost} {device.cost_ns} {int(device.counts)}"
    yield from (f"text {function} {_word(text)}" for function, text in device.texts.items())
    for (function, inputs, slot), course in device.values.items():
        yield f"value {function} {inputs} {slot} {_course(course)}"
    for number, one in enumerate((device.meter, device.module)):
        if one is not None:
            yield f"meter {number} {_meter(one)}"
    for known in device.fields:
        head = f"field {known.id} {known.scope} {known.code} {known.type} {known.source}"
        yield f"{head} {_course(known.course)}"
    yield from map(_process, device.processes)
    for event in device.events:
        yield f"event {nanoseconds(event.at_s)} {event.kind} {event.data}"


def _process(process: Process) -> str:
    pid = -1 if process.pid is None else process.pid
    used = -1 if process.memory_bytes is None else process.memory_bytes
    span = _span(process.from_s, process.until_s)
    return f"process {pid} {used} {process.kind} {span} {_word(process.name)}"


def _meter(one: Meter) -> str:
    numbers = (
        *(one.tick_ns, one.phase_ns, one.start_mj),
        *(one.sensor_ns, one.seen_ns, one.average_ns, one.usage_ns, repr(one.scale)),
        *(len(one.resets_ns), *one.resets_ns),
    )
    return f"{' '.join(map(str, numbers))} {_course(one.power_mw)}"


def _course(course: Course) -> str:
    points = " ".join(f"{float(at)!r} {float(height)!r}" for at, height in course.points)
    return f"{int(course.ramps)} {course.repeat_s or 0.0!r} {len(course.points)} {points}"


def _word(text: str) -> str:
    return quote(text) or "%00"


def _span(from_s: float, until_s: float | None) -> str:
    return f"{nanoseconds(from_s)} {-1 if until_s is None else nanoseconds(until_s)}"
