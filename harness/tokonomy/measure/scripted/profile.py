"""What a scripted driver plays: GPUs whose quantities are functions of time, and faults.

Times are seconds since the script began. Names of devices and drivers start with ``scripted``, so
that nothing played is ever taken for measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tokonomy.measure.scripted import names
from tokonomy.measure.scripted.course import Course, flat, steps

GIB = 2**30
#: Mark of everything that was played.
MARK = "scripted"
#: What a device does unless told otherwise: nothing, coolly, at full clocks and 100 W.
ZERO, IDLE_W, LIMIT_W, COOL_C = flat(0), flat(100), flat(700), flat(40)
SM_MHZ, MEMORY_MHZ = flat(1980), flat(2619)


def _marked(name: str) -> None:
    if not name.startswith(MARK):
        raise ValueError(f"expected a name that starts with {MARK!r}, got {name!r}")


def _known(function: str) -> None:
    if function not in names.FUNCTIONS:
        raise ValueError(f"expected a function of the scripted library, got {function!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process on a device.

    Attributes:
        pid: Its number; None stands for whichever process asks.
        memory_bytes: What it uses; None where the driver does not tell.
        kind: Which list it is in.
        from_s: When it arrives.
        until_s: When it leaves; None for never.
    """

    pid: int | None = None
    memory_bytes: int | None = None
    kind: Literal["compute", "graphics", "mps"] = "compute"
    from_s: float = 0.0
    until_s: float | None = None
    name: str = "scripted process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that a set of events reports, once.

    Attributes:
        at_s: When it happens.
        data: The Xid number, for an Xid.
        kind: Bit of NVML's event types.
    """

    at_s: float
    data: int
    kind: int = names.EVENT_XID


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A value that is read by number (``nvmlDeviceGetFieldValues``).

    Attributes:
        id: Number of the field.
        scope: GPU or module, for power.
        code: What the driver returns for this field alone.
        source: Where the value comes from: the energy counter, power as the sensor sees it, its
            average, the same of the module, or ``course``.
        type: Of the value, as NVML numbers them.
        course: The values, in the field's unit, where ``source`` says so.
    """

    id: int
    scope: int = names.SCOPE_GPU
    code: int = names.SUCCESS
    source: Literal["energy", "instant", "average", "course"] = "course"
    type: int = names.UNSIGNED_INT
    course: Course = ZERO


#: Energy; average and instantaneous power.
POWER_FIELDS = (
    Field(id=83, source="energy", type=names.UNSIGNED_LONG_LONG),
    Field(id=185, source="average"),
    Field(id=186, source="instant"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of a GPU that the driver shows as a device of its own (MIG)."""

    uuid: str
    gpu_instance: int
    compute_instance: int = 0
    memory_bytes: int = 10 * GIB
    used_bytes: Course = ZERO
    name: str = "scripted GPU MIG 1g.10gb"
    processes: tuple[Process, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A device; None where it does not support something.

    Attributes:
        pci: Bus id, ``domain:bus:device.function``.
        power: Watts of the board: what the energy counter counts and the sensor sees.
        tick_ms: The energy counter moves only at multiples of this, after ``phase_ms``.
        counter: Whether there is an energy counter.
        counter_start_mj: What it shows at the beginning, millijoules.
        resets: When it starts again at 0, as when a driver is loaded again; seconds.
        sensor_ms: How often the power sensor takes a value.
        seen_ms: Over how long it averages for an instantaneous value, milliseconds.
        average_ms: The same for an average.
        usage_ms: The same for ``nvmlDeviceGetPowerUsage``.
        power_scale: What the sensor shows for a true watt.
        module_power: Watts of the module, for fields of that scope.
        limit_w: Power limit, watts; ``enforced_w`` where what is enforced differs.
        sm_mhz: Clock of the multiprocessors and graphics; ``memory_mhz`` of the memory.
        asked_sm_mhz: What applications ask of the first, where that is not the highest.
        reasons: Bits of clock events (throttle reasons).
        violations_ns: Time spent below wanted clocks, by number of the policy; nanoseconds.
        ecc: Whether error correction is on; ``corrected`` and ``uncorrected`` count errors.
        mig_mode: Whether it is cut into ``slices``.
        virtualization: 0 bare, 1 passed through, 2 a virtual GPU.
        events: What sets of events report.
        fields: Values that are read by number, beside limits and violations.
        lost_s: From then on the device is gone.
        read_cost_us: What reading power or energy takes.
    """

    uuid: str = "GPU-5c000000-0000-0000-0000-000000000000"
    pci: str = "00000000:01:00.0"
    name: str = "scripted GPU"
    vbios: str = "scripted-96.00"
    serial: str = "5c000000"
    memory_bytes: int = 80 * GIB
    reserved_bytes: int = GIB // 2
    used_bytes: Course = ZERO
    power: Course = IDLE_W
    tick_ms: float = 100.0
    phase_ms: float = 0.0
    counter: bool = True
    counter_start_mj: int = 1_000_000
    resets: tuple[float, ...] = ()
    sensor_ms: float = 100.0
    seen_ms: float = 25.0
    average_ms: float = 1000.0
    usage_ms: float = 1000.0
    power_scale: float = 1.0
    module_power: Course | None = None
    limit_w: Course = LIMIT_W
    enforced_w: Course | None = None
    limit_range_w: tuple[float, float] = (200.0, 700.0)
    default_limit_w: float = 700.0
    sm_mhz: Course = SM_MHZ
    asked_sm_mhz: Course | None = None
    memory_mhz: Course = MEMORY_MHZ
    max_sm_mhz: int = 1980
    max_memory_mhz: int = 2619
    temperature_c: Course = COOL_C
    slowdown_c: int = 87
    utilization: Course = ZERO
    memory_utilization: Course = ZERO
    pstate: Course = ZERO
    reasons: Course | None = ZERO
    violations_ns: tuple[tuple[int, Course], ...] = ((0, ZERO), (1, ZERO), (5, ZERO))
    ecc: bool | None = True
    corrected: Course = ZERO
    uncorrected: Course = ZERO
    persistence: bool = True
    mig_mode: bool | None = False
    slices: tuple[Slice, ...] = ()
    virtualization: int = 0
    capability: tuple[int, int] = (9, 0)
    architecture: int = 9
    cores: int = 16896
    processes: tuple[Process, ...] = ()
    events: tuple[Event, ...] = ()
    fields: tuple[Field, ...] = POWER_FIELDS
    lost_s: float | None = None
    read_cost_us: float = 0.0

    def __post_init__(self) -> None:
        _marked(self.name)
        if self.tick_ms <= 0 or self.sensor_ms <= 0:
            raise ValueError(f"expected ticks above 0 ms, got {self.tick_ms}, {self.sensor_ms}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A function of NVML that returns an error for a while.

    Attributes:
        function: Its name in the C library, or ``*`` for all that take a device.
        code: The error.
        until_s: When it works again; None for never.
        gpu: Only for this device, by its number.
    """

    function: str
    code: int
    from_s: float = 0.0
    until_s: float | None = None
    gpu: int | None = None

    def __post_init__(self) -> None:
        if self.function != "*":
            _known(self.function)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A machine with a scripted driver.

    Attributes:
        gpus: In the order of NVML, which is that of their bus ids.
        missing: Functions that this driver does not have yet.
        absent: No library at all.
        cuda: Newest CUDA of the driver, 1000 times major plus 10 times minor.
    """

    gpus: tuple[Gpu, ...] = (Gpu(),)
    driver: str = "scripted-575.57.08"
    nvml: str = "scripted-12.575.57.08"
    cuda: int = 12090
    faults: tuple[Fault, ...] = ()
    missing: tuple[str, ...] = ()
    absent: bool = False

    def __post_init__(self) -> None:
        _marked(self.driver)
        for name in self.missing:
            _known(name)


def until(at_s: float, before: float, after: float) -> Course:
    """One value until a moment, another from then on."""
    return steps((0.0, before), (at_s, after))
