"""The scripted driver: both libraries through the real binding, against each other."""

import contextlib
import ctypes
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pynvml
import pytest

from tokonomy.measure.clock import FakeClock
from tokonomy.measure.scripted import (
    Course,
    Event,
    Fault,
    Field,
    Gpu,
    Process,
    Profile,
    Slice,
    build,
    flat,
    installed,
    lent,
    names,
    ramps,
    steps,
    true_energy_uj,
    until,
)
from tokonomy.measure.scripted.course import exact, integral
from tokonomy.measure.scripted.faults import FAULTS, sound
from tokonomy.measure.scripted.install import Installed, Kind
from tokonomy.measure.scripted.library import NAME
from tokonomy.measure.scripted.script import render

SECOND = 10**9
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
KINDS = [pytest.param("c", marks=needs_compiler), "python"]
START_S = 3.3

Opening = Callable[..., Any]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    if shutil.which("cc") is None:
        return None
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def playing(library: Path | None) -> Opening:
    """``installed`` with the library that was built once."""

    def play(profile: Profile, kind: Kind, clock: FakeClock | None = None) -> Any:
        return installed(profile, kind=kind, clock=clock, library=library if kind == "c" else None)

    return play


# A profile in which everything moves.

BUSY = Gpu(
    name="scripted GPU with a longer name %20 é",
    power=ramps((0, 60), (1.5, 60), (1.5, 380), (2.25, 310.7), (4, 95.125), repeat_s=4.1),
    module_power=steps((0, 400), (2, 700)),
    used_bytes=until(2, 10**9, 3 * 10**9),
    resets=(6.05,),
    phase_ms=13.0,
    limit_w=until(5, 700, 450),
    temperature_c=ramps((0, 40), (60, 84)),
    utilization=until(1, 0, 97),
    sm_mhz=steps((0, 345), (1, 1980), repeat_s=3),
    reasons=until(4, 0x1, 0x4),
    violations_ns=((0, ramps((0, 0), (4, 0), (10, 6e9))), (1, flat(7))),
    corrected=until(3, 0, 2),
    processes=(
        Process(memory_bytes=10**9),
        Process(pid=4242, memory_bytes=None, from_s=2, until_s=5, name="another one"),
        Process(pid=77, kind="graphics", memory_bytes=5),
        Process(pid=78, kind="mps", memory_bytes=6),
    ),
    events=(Event(at_s=2.5, data=31), Event(at_s=2.5, data=63), Event(at_s=5.0, data=48, kind=2)),
    fields=(
        Field(id=83, source="energy", type=names.UNSIGNED_LONG_LONG),
        Field(id=185, source="average"),
        Field(id=186, source="instant"),
        Field(id=186, scope=names.SCOPE_MODULE, source="instant"),
        Field(id=185, scope=names.SCOPE_MODULE, code=names.NO_PERMISSION, source="average"),
        Field(id=150, course=ramps((0, 1), (9, 10))),
    ),
)
CUT = Gpu(
    uuid="GPU-cut",
    pci="00000001:C1:1f.0",
    mig_mode=True,
    slices=(Slice(uuid="MIG-a", gpu_instance=7), Slice(uuid="MIG-b", gpu_instance=8)),
    capability=(8, 0),
)
MOVING = Profile(
    gpus=(BUSY, CUT),
    faults=(
        Fault(function="nvmlDeviceGetName", code=999, from_s=1, until_s=2),
        Fault(function="nvmlDeviceGetTemperature", code=10, from_s=1, gpu=1),
        Fault(function="*", code=names.NO_PERMISSION, from_s=7.5, gpu=1),
        Fault(function="nvmlDeviceGetCount_v2", code=17, from_s=8),
    ),
)


# One list of calls, through the real binding.


def plain(value: Any) -> Any:
    """What a call gave, as something that compares."""
    if isinstance(value, ctypes.Array):
        return [plain(one) for one in value]
    if isinstance(value, ctypes.Union):
        return value.ullVal
    if isinstance(value, ctypes.Structure):
        return {name: plain(getattr(value, name)) for name, *_ in value._fields_}
    if isinstance(value, pynvml.nvmlFriendlyObject):
        return dict(vars(value))
    if isinstance(value, ctypes._Pointer):
        return ctypes.cast(value, ctypes.c_void_p).value
    if isinstance(value, list):
        return [plain(one) for one in value]
    return getattr(value, "value", value)


def said(call: Callable[[], Any]) -> Any:
    """What a call gave or raised."""
    try:
        return plain(call())
    except (pynvml.NVMLError, pynvml.NVMLLibraryMismatchError) as error:
        return type(error).__name__, str(error)


DEVICE_CALLS: dict[str, tuple[Any, ...]] = {
    "Name": (),
    "UUID": (),
    "VbiosVersion": (),
    "Serial": (),
    "PciInfo": (),
    "Index": (),
    "MinorNumber": (),
    "Brand": (),
    "Architecture": (),
    "NumGpuCores": (),
    "ComputeMode": (),
    "PersistenceMode": (),
    "VirtualizationMode": (),
    "MaxMigDeviceCount": (),
    "GpuInstanceId": (),
    "ComputeInstanceId": (),
    "PowerManagementMode": (),
    "PowerManagementLimit": (),
    "PowerManagementDefaultLimit": (),
    "PowerManagementLimitConstraints": (),
    "EnforcedPowerLimit": (),
    "PowerUsage": (),
    "TotalEnergyConsumption": (),
    "PerformanceState": (),
    "PowerState": (),
    "CudaComputeCapability": (),
    "MigMode": (),
    "EccMode": (),
    "CurrentClocksEventReasons": (),
    "CurrentClocksThrottleReasons": (),
    "SupportedClocksEventReasons": (),
    "SupportedClocksThrottleReasons": (),
    "SupportedEventTypes": (),
    "UtilizationRates": (),
    "ComputeRunningProcesses": (),
    "GraphicsRunningProcesses": (),
    "MPSComputeRunningProcesses": (),
    "MPSComputeRunningProcesses_v2": (),
    "DeviceHandleFromMigDeviceHandle": (),
    "MemoryInfo": ((), (pynvml.nvmlMemory_v2,), (123,)),
    "ClockInfo": ((0,), (1,), (2,), (3,)),
    "MaxClockInfo": ((0,), (2,)),
    "ApplicationsClock": ((0,), (2,)),
    "DefaultApplicationsClock": ((0,), (2,)),
    "Clock": ((0, 0), (1, 3), (2, 1), (3, 0)),
    "Temperature": ((0,), (1,)),
    "TemperatureV": ((0,), (1,)),
    "TemperatureThreshold": ((0,), (1,), (5,)),
    "TotalEccErrors": ((0, 0), (1, 1)),
    "MemoryErrorCounter": ((0, 0, 2), (1, 0, 2), (1, 0, 5)),
    "ViolationStatus": ((0,), (1,), (9,)),
    "MigDeviceHandleByIndex": ((0,), (1,), (2,)),
    "FieldValues": (
        ([83, 185, 186, (186, 1), (185, 1), 150, 74, 75, 187, 188, 189, 190, 192, 5],),
        ([],),
    ),
}
#: Not bus ids, though some of them begin as one.
ELSEWHERE = (
    "nowhere",
    "",
    "01",
    "01:00.0 and more",
    "01:00.",
    "01:00:00:00",
    "01:00.0\n",
    " 01:00.0",
    "0x1:00.0",
    "+1:00.0",
    "0_1:00.0",
    "-1:00.0",
    "000000001:00.0",
    ":01:00.0",
)
SYSTEM_CALLS: tuple[Callable[[], Any], ...] = (
    lambda: pynvml.nvmlSystemGetDriverVersion(),
    lambda: pynvml.nvmlSystemGetNVMLVersion(),
    lambda: pynvml.nvmlSystemGetCudaDriverVersion(),
    lambda: pynvml.nvmlSystemGetCudaDriverVersion_v2(),
    lambda: pynvml.nvmlSystemGetProcessName(4242),
    lambda: pynvml.nvmlSystemGetProcessName(1),
    lambda: pynvml.nvmlDeviceGetCount(),
    lambda: pynvml.nvmlDeviceGetHandleByIndex(99),
    lambda: pynvml.nvmlDeviceGetHandleByUUID(b"GPU-cut"),
    lambda: pynvml.nvmlDeviceGetHandleByUUID(b"MIG-b"),
    lambda: pynvml.nvmlDeviceGetHandleByUUID(b"GPU-none"),
    lambda: pynvml.nvmlDeviceGetHandleByPciBusId("0001:c1:1F.0"),
    lambda: pynvml.nvmlDeviceGetHandleByPciBusId("00000000:01:00.0"),
    lambda: pynvml.nvmlDeviceGetHandleByPciBusId("01:00.0"),
    *(
        lambda bus=bus: pynvml.nvmlDeviceGetHandleByPciBusId(bus)
        for bus in (*ELSEWHERE, "01:00", "01:00.7")
    ),
    lambda: pynvml.nvmlDeviceGetAttributes(pynvml.nvmlDeviceGetHandleByIndex(0)),
    lambda: pynvml.nvmlErrorString(15),
    lambda: pynvml.nvmlErrorString(998),
)


def handles() -> list[Any]:
    """Of every GPU and slice there is, and one that is none."""
    found = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(2)]
    found += [pynvml.nvmlDeviceGetMigDeviceHandleByIndex(found[1], index) for index in range(2)]
    return [*found, ctypes.cast(12345, pynvml.c_nvmlDevice_t)]


def everything(devices: list[Any]) -> list[Any]:
    """The answers to every call there is, now."""
    answers = [said(call) for call in SYSTEM_CALLS]
    for handle in devices:
        answers.append(said(lambda handle=handle: pynvml.nvmlDeviceIsMigDeviceHandle(handle)))
        for name, inputs in DEVICE_CALLS.items():
            function = getattr(pynvml, f"nvmlDeviceGet{name}")
            for extra in inputs or ((),):
                answers.append((name, said(lambda f=function, x=extra, h=handle: f(h, *x))))
    return answers


def transcript(profile: Profile, kind: Kind, playing: Opening) -> list[Any]:
    clock = FakeClock(time_ns=17 * SECOND + 123)
    told: list[Any] = []
    with playing(profile, kind, clock):
        told.append(said(pynvml.nvmlInit))
        count = said(pynvml.nvmlDeviceGetCount)
        found = range(count) if isinstance(count, int) else ()
        devices = handles() if profile is MOVING else list(map(handle_at, found))
        for _ in range(18):
            told += everything(devices)
            clock.advance(513_700_007)
        told.append(said(pynvml.nvmlShutdown))
    return told


def handle_at(index: int) -> Any:
    return pynvml.nvmlDeviceGetHandleByIndex(index)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(time_ns=5 * SECOND)


@needs_compiler
@pytest.mark.parametrize("name", ["moving", *FAULTS])
def test_both_libraries_say_the_same(name: str, playing: Opening) -> None:
    profile = MOVING if name == "moving" else FAULTS[name](START_S)
    in_c = transcript(profile, "c", playing)
    assert in_c == transcript(profile, "python", playing)
    assert len(in_c) > 300


@needs_compiler
def test_the_library_in_c_has_exactly_the_listed_functions(library: Path) -> None:
    listed = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True)
    found = {line.split()[-1] for line in listed.stdout.splitlines()}
    assert {name for name in found if name.startswith("nvml")} == names.FUNCTIONS


@pytest.mark.parametrize("kind", KINDS)
def test_a_busy_device_answers_what_its_profile_says(
    kind: Kind, playing: Opening, clock: FakeClock
) -> None:
    with playing(MOVING, kind, clock):
        pynvml.nvmlInit()
        handle = handle_at(0)
        assert pynvml.nvmlDeviceGetName(handle) == BUSY.name
        assert [p.pid for p in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)] == [os.getpid()]
        clock.advance(3 * SECOND)
        listed = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
        assert [(p.pid, p.usedGpuMemory) for p in listed[1:]] == [(4242, None)]
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2)
        assert (memory.used, memory.reserved) == (3 * 10**9, 2**29)
        assert pynvml.nvmlDeviceGetTotalEccErrors(handle, 0, 0) == 2
        assert pynvml.nvmlDeviceGetPowerManagementLimit(handle) == 700_000
        clock.advance(3 * SECOND)
        assert pynvml.nvmlDeviceGetPowerManagementLimit(handle) == 450_000
        assert pynvml.nvmlDeviceGetViolationStatus(handle, 0).violationTime == 2 * SECOND
        assert pynvml.nvmlDeviceGetTemperatureV(handle, 0) == round(40 + 44 * 6 / 60)


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_bus_id_finds_a_device(kind: Kind, playing: Opening, clock: FakeClock) -> None:
    with playing(MOVING, kind, clock):
        pynvml.nvmlInit()
        for bus in ("01:00", "0:1:0", "01:00.7", "00000000:01:00.0"):
            assert plain(pynvml.nvmlDeviceGetHandleByPciBusId(bus)) == plain(handle_at(0))
        for bus in ELSEWHERE:
            with pytest.raises(pynvml.NVMLError_NotFound):
                pynvml.nvmlDeviceGetHandleByPciBusId(bus)


# Energy and power.


def random_course(rng: random.Random) -> Course:
    times = [0.0, *sorted(rng.uniform(0, 5) for _ in range(rng.randint(0, 6)))]
    points = tuple((at, rng.uniform(20, 700)) for at in times)
    repeat_s = rng.choice([None, times[-1] + rng.uniform(0.1, 2)])
    return Course(points=points, ramps=rng.random() < 0.5, repeat_s=repeat_s)


@pytest.mark.parametrize("seed", range(20))
def test_the_integral_is_the_exact_one(seed: int) -> None:
    rng = random.Random(seed)
    course = random_course(rng)
    for _ in range(20):
        seconds = rng.uniform(0, 60)
        assert integral(course, seconds) == pytest.approx(float(exact(course, Fraction(seconds))))


def test_the_exact_integral_of_known_shapes() -> None:
    assert exact(ramps((0, 0), (2, 10)), Fraction(1)) == Fraction(5, 2)
    assert exact(ramps((0, 0), (2, 10), (2, 1)), Fraction(3)) == 11
    assert exact(steps((0, 100), (1, 300), repeat_s=2), Fraction(7)) == 3 * 400 + 100
    assert true_energy_uj(Gpu(power=flat(250)), SECOND, 3 * SECOND) == 500_000_000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_the_counter_is_the_integral_up_to_its_last_tick(
    seed: int, kind: Kind, playing: Opening, clock: FakeClock
) -> None:
    rng = random.Random(seed)
    tick_ms = rng.choice([20.0, 100.0, 500.0])
    gpu = Gpu(power=random_course(rng), tick_ms=tick_ms, phase_ms=rng.uniform(0, 20))
    with playing(Profile(gpus=(gpu,)), kind, clock) as driver:
        pynvml.nvmlInit()
        for _ in range(60):
            clock.advance(rng.randint(0, SECOND // 3))
            shown = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle_at(0))
            true = driver.true_energy_uj(0, driver.start_ns, clock.now()) / 1000
            short = true - (shown - gpu.counter_start_mj)
            assert -1e-3 <= short <= 700 * (tick_ms + gpu.phase_ms) + 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_counter_moves_only_at_ticks(kind: Kind, playing: Opening, clock: FakeClock) -> None:
    gpu = Gpu(power=flat(200), tick_ms=100, phase_ms=30, counter_start_mj=0)
    shown = []
    with playing(Profile(gpus=(gpu,)), kind, clock):
        pynvml.nvmlInit()
        for _ in range(30):
            shown.append(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle_at(0)))
            clock.advance(10_000_000)
    assert shown == [0] * 3 + [6_000] * 10 + [26_000] * 10 + [46_000] * 7


@pytest.mark.parametrize("kind", KINDS)
def test_a_reset_starts_the_counter_at_nothing(
    kind: Kind, playing: Opening, clock: FakeClock
) -> None:
    with playing(FAULTS["counter-reset"](2.05), kind, clock):
        pynvml.nvmlInit()
        clock.advance(2 * SECOND)
        before = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle_at(0))
        clock.advance(SECOND // 20)
        after = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle_at(0))
        clock.advance(SECOND)
        later = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle_at(0))
    assert (before, after, later) == (1_600_000, 0, 300 * 950)


@pytest.mark.parametrize("kind", KINDS)
def test_power_is_an_average_and_an_instant(kind: Kind, playing: Opening, clock: FakeClock) -> None:
    gpu = Gpu(power=until(2, 100, 300), power_scale=1.05)
    with playing(Profile(gpus=(gpu,)), kind, clock):
        pynvml.nvmlInit()
        clock.advance(5 * SECOND // 2)
        assert pynvml.nvmlDeviceGetPowerUsage(handle_at(0)) == 210_000
        values = pynvml.nvmlDeviceGetFieldValues(handle_at(0), [185, 186])
        assert [one.value.uiVal for one in values] == [210_000, 315_000]


@pytest.mark.parametrize("kind", KINDS)
def test_each_field_has_its_own_code(kind: Kind, playing: Opening, clock: FakeClock) -> None:
    asked = [83, 185, 186, (186, names.SCOPE_MODULE), 9999]
    with playing(FAULTS["field-codes"](0), kind, clock):
        pynvml.nvmlInit()
        values = pynvml.nvmlDeviceGetFieldValues(handle_at(0), asked)
    assert [one.nvmlReturn for one in values] == [0, 0, 3, 0, 3]
    assert values[3].value.uiVal == 900_000
    assert [one.valueType for one in values[:2]] == [
        pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG,
        pynvml.NVML_VALUE_TYPE_UNSIGNED_INT,
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_read_takes_time(kind: Kind, playing: Opening, clock: FakeClock) -> None:
    with playing(FAULTS["slow-reads"](0), kind, clock) as driver:
        pynvml.nvmlInit()
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle_at(0))
        pynvml.nvmlDeviceGetName(handle_at(0))
        pynvml.nvmlDeviceGetPowerUsage(handle_at(0))
        assert clock.now() - driver.start_ns == 10_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_real_time_is_that_of_the_monotonic_clock(kind: Kind, playing: Opening) -> None:
    gpu = Gpu(power=flat(1000), tick_ms=0.001, counter_start_mj=0, read_cost_us=3000)
    with playing(Profile(gpus=(gpu,)), kind) as driver:
        pynvml.nvmlInit()
        handle = handle_at(0)
        for _ in range(3):
            earliest = time.perf_counter_ns()
            shown = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)  # 1 mJ is 1 microsecond
            latest = time.perf_counter_ns()
            lowest, highest = (t - driver.start_ns for t in (earliest + 3_000_000, latest))
            assert lowest / 1000 - 2 <= shown <= highest / 1000


# Events, loss, permissions, missing things.


@pytest.mark.parametrize("kind", KINDS)
def test_events_come_once_and_in_order(kind: Kind, playing: Opening, clock: FakeClock) -> None:
    xid = pynvml.nvmlEventTypeXidCriticalError
    with playing(MOVING, kind, clock) as driver:
        pynvml.nvmlInit()
        watch = pynvml.nvmlEventSetCreate()
        late = pynvml.nvmlEventSetCreate()
        pynvml.nvmlDeviceRegisterEvents(handle_at(0), xid, watch)
        with pytest.raises(pynvml.NVMLError_Timeout):
            pynvml.nvmlEventSetWait(watch, 1000)
        assert clock.now() - driver.start_ns == SECOND
        first = pynvml.nvmlEventSetWait(watch, 5000)
        assert clock.now() - driver.start_ns == 5 * SECOND // 2
        assert plain(first.device) == plain(handle_at(0))
        assert (first.eventType, first.eventData) == (xid, 31)
        assert pynvml.nvmlEventSetWait(watch, 0).eventData == 63
        clock.advance(4 * SECOND)
        with pytest.raises(pynvml.NVMLError_Timeout):  # what happened at 5 s is of another kind
            pynvml.nvmlEventSetWait(watch, 0)
        pynvml.nvmlDeviceRegisterEvents(handle_at(0), xid, late)
        with pytest.raises(pynvml.NVMLError_Timeout):  # what was before is not told
            pynvml.nvmlEventSetWait(late, 0)
        with pytest.raises(pynvml.NVMLError_NotSupported):
            pynvml.nvmlDeviceRegisterEvents(handle_at(0), 1 << 40, late)
        pynvml.nvmlEventSetFree(watch)
        with pytest.raises(pynvml.NVMLError_InvalidArgument):
            pynvml.nvmlEventSetWait(watch, 0)
        for _ in range(names.EVENT_SETS - 1):
            pynvml.nvmlEventSetCreate()
        with pytest.raises(pynvml.NVMLError_InsufficientSize):
            pynvml.nvmlEventSetCreate()


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_device_is_lost_for_every_call(
    kind: Kind, playing: Opening, clock: FakeClock
) -> None:
    with playing(FAULTS["device-lost"](2), kind, clock):
        pynvml.nvmlInit()
        handle, watch = handle_at(0), pynvml.nvmlEventSetCreate()
        pynvml.nvmlDeviceRegisterEvents(handle, pynvml.nvmlEventTypeXidCriticalError, watch)
        assert pynvml.nvmlDeviceGetPowerUsage(handle) == 300_000
        clock.advance(2 * SECOND)
        assert pynvml.nvmlEventSetWait(watch, 0).eventData == 79
        calls: list[Callable[[], Any]] = [
            lambda: pynvml.nvmlEventSetWait(watch, 0),
            lambda: handle_at(0),
            lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle),
            lambda: pynvml.nvmlDeviceGetFieldValues(handle, [83]),
            lambda: pynvml.nvmlDeviceGetComputeRunningProcesses(handle),
        ]
        for call in calls:
            with pytest.raises(pynvml.NVMLError_GpuIsLost, match="GPU is lost"):
                call()
        assert pynvml.nvmlDeviceGetCount() == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("driver-not-loaded", pynvml.NVMLError_DriverNotLoaded),
        ("version-mismatch", pynvml.NVMLError_LibRmVersionMismatch),
        ("library-missing", pynvml.NVMLError_LibraryNotFound),
    ],
)
def test_what_prevents_the_driver(name: str, error: type, kind: Kind, playing: Opening) -> None:
    with playing(FAULTS[name](0), kind):
        with pytest.raises(error):
            pynvml.nvmlInit()
        with pytest.raises(pynvml.NVMLError_Uninitialized):
            pynvml.nvmlDeviceGetCount()


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_function_is_not_found(kind: Kind, playing: Opening, clock: FakeClock) -> None:
    with playing(FAULTS["symbol-missing"](0), kind, clock):
        pynvml.nvmlInit()
        handle = handle_at(0)
        for call in (
            pynvml.nvmlDeviceGetTotalEnergyConsumption,
            pynvml.nvmlDeviceGetCurrentClocksEventReasons,
            pynvml.nvmlDeviceGetBoardId,  # of the real library, and not of this one
        ):
            with pytest.raises(pynvml.NVMLError_FunctionNotFound):
                call(handle)
        assert pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_answers_before_init_and_after_shutdown(kind: Kind, playing: Opening) -> None:
    with playing(sound(), kind):
        for _ in range(2):
            with pytest.raises(pynvml.NVMLError_Uninitialized):
                pynvml.nvmlDeviceGetHandleByIndex(0)
            pynvml.nvmlInit()
            pynvml.nvmlInit()
            pynvml.nvmlShutdown()
            assert pynvml.nvmlDeviceGetCount() == 1
            pynvml.nvmlShutdown()
        with pytest.raises(pynvml.NVMLError_Uninitialized):
            pynvml.nvmlShutdown()


@pytest.mark.parametrize("kind", KINDS)
def test_slices_are_devices_without_energy(kind: Kind, playing: Opening, clock: FakeClock) -> None:
    with playing(FAULTS["mig-slice"](0), kind, clock):
        pynvml.nvmlInit()
        whole = handle_at(0)
        part = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(whole, 1)
        assert pynvml.nvmlDeviceGetMigMode(whole) == [1, 1]
        assert pynvml.nvmlDeviceGetGpuInstanceId(part) == 8
        assert pynvml.nvmlDeviceIsMigDeviceHandle(part).value == 1
        owner = pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(part)
        assert pynvml.nvmlDeviceGetUUID(owner) == pynvml.nvmlDeviceGetUUID(whole)
        with pytest.raises(pynvml.NVMLError_NotSupported):
            pynvml.nvmlDeviceGetTotalEnergyConsumption(part)
        with pytest.raises(pynvml.NVMLError_NotSupported):
            pynvml.nvmlDeviceGetUtilizationRates(whole)


# In and out.


def globals_of_pynvml() -> tuple[Any, ...]:
    cache = dict(pynvml._nvmlGetFunctionPointer_cache)
    texts = dict(pynvml.NVMLError._errcode_to_string)
    return pynvml.nvmlLib, pynvml._nvmlLib_refcount, pynvml.CDLL, cache, texts


@pytest.mark.parametrize("kind", KINDS)
def test_pynvml_is_as_before_afterwards(kind: Kind, playing: Opening) -> None:
    before = globals_of_pynvml()
    with contextlib.suppress(KeyError), playing(sound(), kind):
        pynvml.nvmlInit()
        assert str(pynvml.NVMLError(998)) == "Unknown Error"
        assert globals_of_pynvml() != before
        raise KeyError
    assert globals_of_pynvml() == before


@pytest.mark.parametrize("kind", KINDS)
def test_one_driver_at_a_time(kind: Kind, playing: Opening) -> None:
    with playing(sound(), kind):
        pynvml.nvmlInit()
        with pytest.raises(RuntimeError, match="expected no scripted driver"):
            playing(FAULTS["vgpu"](0), kind).__enter__()
        assert pynvml.nvmlDeviceGetCount() == 1


@pytest.fixture
def nested() -> Iterator[Installed]:
    with installed(sound(), kind="python") as driver:
        yield driver


def test_what_is_played_says_so(nested: Installed) -> None:
    pynvml.nvmlInit()
    assert pynvml.nvmlDeviceGetName(handle_at(0)).startswith("scripted")
    assert pynvml.nvmlSystemGetDriverVersion().startswith("scripted")
    with pytest.raises(ValueError, match="starts with 'scripted'"):
        Gpu(name="NVIDIA H100")
    with pytest.raises(ValueError, match="starts with 'scripted'"):
        replace(nested.profile, driver="575.57.08")


ASKS = """
import pynvml
try:
    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    print(pynvml.nvmlDeviceGetName(handle))
    print(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
except pynvml.NVMLError as error:
    print(type(error).__name__)
"""


@needs_compiler
@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (MOVING, [BUSY.name, "1000000"]),
        (FAULTS["symbol-missing"](0), ["scripted GPU", "NVMLError_FunctionNotFound"]),
        (FAULTS["library-missing"](0), ["NVMLError_LibraryNotFound"]),
        (FAULTS["driver-not-loaded"](0), ["NVMLError_DriverNotLoaded"]),
    ],
)
def test_another_process_finds_it(profile: Profile, said: list[str], tmp_path: Path) -> None:
    still = replace(profile, gpus=tuple(replace(gpu, tick_ms=1e6) for gpu in profile.gpus))
    environment = os.environ | lent(still, tmp_path) | {"PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", ASKS]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    assert (done.stdout.splitlines(), done.stderr) == (said, "")


@needs_compiler
@pytest.mark.parametrize("text", ["", "other 1", "tokonomy-scripted-nvml 1\ndevice 0 0", "a\nend"])
def test_a_damaged_script_is_no_library(text: str, tmp_path: Path, library: Path) -> None:
    script = tmp_path / "profile.script"
    script.write_text(text)
    assert ctypes.CDLL(str(library)).scripted_load(str(script).encode()) != 0
    script.write_text(render(MOVING, None))
    assert ctypes.CDLL(str(library)).scripted_load(str(script).encode()) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Course(points=()),
        lambda: steps((1, 5)),
        lambda: steps((0, 5), (2, 5), (1, 5)),
        lambda: steps((0, float("nan"))),
        lambda: steps((0, 5), (2, 5), repeat_s=1),
        lambda: Gpu(tick_ms=0),
        lambda: Fault(function="nvmlDeviceGetBoardId", code=3),
        lambda: Profile(missing=("nvmlNothing",)),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        wrong()


@needs_compiler
def test_without_a_compiler_the_one_in_python_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with installed(sound()) as driver:
        assert driver.kind == "python"
    with pytest.raises(RuntimeError, match="expected a C compiler"):
        build(tmp_path)
    assert not (tmp_path / NAME).exists()
