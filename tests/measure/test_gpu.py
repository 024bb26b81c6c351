"""A GPU through NVML: facts, state, who else is on it, what spoils measurements, its counter."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pynvml
import pytest

from gpus import HOST, KINDS, Bench, one, opened
from tokonomy.errors import DeviceLost, TelemetryError
from tokonomy.measure import occupancy, throttling
from tokonomy.measure.gpu import EnergyCounter
from tokonomy.measure.reasons import REASONS
from tokonomy.measure.scripted import (
    Event,
    Fault,
    Field,
    Gpu,
    Process,
    Profile,
    Slice,
    flat,
    steps,
    until,
)
from tokonomy.measure.scripted.faults import FAULTS, FOREIGN_PID
from tokonomy.measure.scripted.install import Kind
from tokonomy.store.fields import Missing
from tokonomy.store.record import Machine

GIB = 2**30
HIDDEN = occupancy.Self(pids=frozenset({77}), known=False)
AT_S = 2.0

each_kind = pytest.mark.parametrize("kind", KINDS)


def causes(bench: Bench, until_s: float = AT_S) -> list[str]:
    """Codes seen after the fault, when nothing was seen before it."""
    assert bench.gpu.causes() == []
    bench.pass_s(until_s + 0.5)
    return [flag.code for flag in bench.gpu.causes()]


@each_kind
def test_facts_and_state_fit_into_a_record(kind: Kind) -> None:
    with opened(one(), kind) as bench:
        facts, state = bench.gpu.facts(), bench.gpu.state()
    Machine(software={}, hardware=facts, before=state, after=state)
    assert all(name.startswith("gpu_") for name in facts)
    assert facts["gpu_uuid"] == Gpu().uuid
    assert facts["gpu_power_limit_w"] == 700
    assert (facts["gpu_mig"], facts["gpu_virtualisation"], facts["gpu_ecc"]) == (
        False,
        "none",
        True,
    )
    assert facts["gpu_cuda_driver"] == "12.9"
    assert state["gpu_unwatched"] is None
    assert state["gpu_sm_clock_mhz"] == 1980
    assert state["gpu_power_w"] == 100
    assert state["gpu_processes"] == 0
    assert state["gpu_clock_reasons"] == "none"
    assert "load_1min" in state


@each_kind
def test_what_a_device_does_not_support_is_null_one_by_one(kind: Kind) -> None:
    with opened(FAULTS["not-supported"](0.0), kind) as bench:
        facts, state, counter = bench.gpu.facts(), bench.gpu.state(), bench.gpu.counter()
    assert facts["gpu_ecc"] is None
    assert facts["gpu_mig"] is False
    assert facts["gpu_name"] == "scripted GPU"
    assert state["gpu_unwatched"] == "uncorrected errors: nvml-not-supported"
    assert (state["gpu_power_w"], state["gpu_ecc_uncorrected"]) == (None, None)
    assert state["gpu_temperature_c"] == 40
    assert isinstance(counter, Missing)
    assert counter.reason == "no-energy-counter"


@each_kind
def test_an_old_driver_is_read_as_far_as_it_goes(kind: Kind) -> None:
    with opened(FAULTS["symbol-missing"](0.0), kind) as bench:
        state, counter = bench.gpu.state(), bench.gpu.counter()
    assert state["gpu_temperature_c"] == 40
    assert state["gpu_clock_reasons"] == "none"
    assert state["gpu_throttle_ns"] == 0
    assert state["gpu_power_w"] is None
    assert isinstance(counter, Missing)
    assert counter.reason == "nvml-function-missing"


@each_kind
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("throttling", "throttled"),
        ("limits-changed", "limits-changed"),
        ("ecc", "ecc-error"),
        ("xid", "xid-error"),
        ("foreign-process", "foreign-process"),
    ],
)
def test_what_spoils_a_measurement_is_seen(fault: str, code: str, kind: Kind) -> None:
    with opened(FAULTS[fault](AT_S), kind) as bench:
        found = causes(bench)
    assert set(found) == {code}
    assert code in REASONS


@each_kind
@pytest.mark.parametrize("fault", ["sound", "quantised-ticks", "counter-reset", "slow-reads"])
def test_what_spoils_nothing_is_no_cause(fault: str, kind: Kind) -> None:
    with opened(FAULTS.get(fault, lambda at_s: one())(AT_S), kind) as bench:
        assert causes(bench) == []


@each_kind
@pytest.mark.parametrize(
    ("bits", "harmful"),
    [
        (0x001, False),
        (0x002, False),
        (0x004, False),
        (0x008, False),
        (0x008 | 0x040, True),
        (0x008 | 0x080, True),
        (0x010, True),
        (0x020, True),
        (0x040, True),
        (0x080, True),
        (0x100, False),
        (0x400, False),
        (0x8000, False),
    ],
)
def test_only_reasons_from_outside_are_causes(bits: int, harmful: bool, kind: Kind) -> None:
    with opened(one(reasons=until(AT_S, 0, bits)), kind) as bench:
        assert causes(bench) == ["throttled"] * harmful
        assert bench.gpu.state()["gpu_clock_reasons"] != "none"


@each_kind
def test_throttling_between_two_looks_is_seen_by_its_counter(kind: Kind) -> None:
    moved = until(AT_S, 0, 7_000_000)
    with opened(one(violations_ns=((0, flat(0)), (1, moved))), kind) as bench:
        bench.pass_s(AT_S + 1)
        (flag,) = bench.gpu.causes()
        assert flag.detail == "thermal for 7 ms"
        assert bench.gpu.causes() == []


COUNTED_NS = {0: 5, 1: 10, 2: 20, 3: 40}
OLD = ("nvmlDeviceGetFieldValues",)


@each_kind
@pytest.mark.parametrize("missing", [(), OLD], ids=["by number", "by function"])
@pytest.mark.parametrize("policies", [(0, 1, 2, 3), (0, 1), (1,), (0,), ()])
def test_each_counter_that_is_told_counts_once(
    policies: tuple[int, ...], missing: tuple[str, ...], kind: Kind
) -> None:
    violations = tuple((policy, flat(COUNTED_NS[policy])) for policy in policies)
    # Numbers of a newer header: something else to an older driver, and heat once more to this.
    newer = tuple(Field(id=number, type=3, course=flat(10**6)) for number in (269, 270, 271))
    profile = one(violations_ns=violations, fields=newer)
    with opened(replace(profile, missing=missing), kind) as bench:
        state = bench.gpu.state()
    harm = [COUNTED_NS[policy] for policy in policies if policy]
    assert state["gpu_throttle_ns"] == (sum(harm) if harm else None)
    assert state["gpu_power_cap_ns"] == (COUNTED_NS[0] if 0 in policies else None)


@each_kind
def test_a_power_cap_is_told_and_spoils_nothing(kind: Kind) -> None:
    profile = one(reasons=until(AT_S, 0, 4), violations_ns=((0, until(AT_S, 0, 10**9)),))
    with opened(profile, kind) as bench:
        before = bench.gpu.state()
        assert causes(bench) == []
        flag = throttling.capped(before, bench.gpu.state())
    assert flag is not None
    assert (flag.code, flag.detail) == ("power-capped", "for 1 s of the run")
    assert flag.code in REASONS
    assert throttling.capped(before, before) is None
    assert throttling.capped({}, before) is None


@each_kind
def test_a_change_is_told_once_and_a_process_as_long_as_it_stays(kind: Kind) -> None:
    other = Process(pid=4242, from_s=2, until_s=6)
    with opened(one(processes=(other,), limit_w=until(2, 700, 400)), kind) as bench:
        seen = []
        for _ in range(5):
            bench.pass_s(2)
            seen.append(sorted(flag.code for flag in bench.gpu.causes()))
    # At 6 s it is gone, and was there at the look before: the time between is spoiled too.
    other_s = ["foreign-process"]
    assert seen == [[*other_s, "limits-changed"], other_s, other_s, [], []]


@each_kind
def test_clocks_asked_of_the_device_are_watched(kind: Kind) -> None:
    with opened(one(asked_sm_mhz=until(AT_S, 1980, 1500)), kind) as bench:
        assert bench.gpu.causes() == []
        bench.pass_s(AT_S + 1)
        (flag,) = bench.gpu.causes()
    assert (flag.code, flag.detail) == (
        "clocks-changed",
        "processor clock 1980 MHz before, 1500 MHz now",
    )


@each_kind
def test_every_event_is_taken_and_named(kind: Kind) -> None:
    events = (Event(at_s=1, data=31), Event(at_s=1, data=79), Event(at_s=2, data=0, kind=2))
    with opened(one(events=events), kind) as bench:
        bench.pass_s(3)
        flags = bench.gpu.causes()
    assert [(flag.code, flag.detail) for flag in flags] == [
        ("xid-error", "Xid 31"),
        ("xid-error", "Xid 79"),
        ("ecc-error", "double-bit memory error"),
    ]


@each_kind
def test_a_lost_device_raises_and_still_closes(kind: Kind) -> None:
    with opened(FAULTS["device-lost"](AT_S), kind) as bench:
        assert bench.gpu.causes() == []
        bench.pass_s(AT_S + 1)
        counter = EnergyCounter(handle=bench.gpu._handle, device="", scope="gpu")
        gpu = bench.gpu
        reads = (gpu.causes, counter.read, gpu.state, gpu.temperature_c, gpu.used_bytes)
        for read in reads:
            with pytest.raises(DeviceLost, match="device-lost"):
                read()


@each_kind
def test_a_reading_that_fails_once_is_no_cause(kind: Kind) -> None:
    names = (
        "nvmlDeviceGetPowerManagementLimit",
        "nvmlDeviceGetCurrentClocksEventReasons",
        "nvmlDeviceGetComputeRunningProcesses_v3",
        "nvmlDeviceGetTotalEccErrors",
        "nvmlEventSetWait_v2",
    )
    faults = tuple(Fault(function=name, code=10, from_s=1, until_s=2) for name in names)
    with opened(replace(one(), faults=faults), kind) as bench:
        for _ in range(3):
            bench.pass_s(0.8)
            assert bench.gpu.causes() == []


@each_kind
def test_what_cannot_be_watched_is_said(kind: Kind) -> None:
    names = (
        "nvmlDeviceGetPowerManagementLimit",
        "nvmlEventSetCreate",
        "nvmlDeviceGetComputeRunningProcesses_v3",
    )
    faults = tuple(Fault(function=name, code=4) for name in names)
    profile = replace(one(violations_ns=()), faults=faults)
    with opened(profile, kind) as bench:
        said = str(bench.gpu.state()["gpu_unwatched"])
    assert "power limit: nvml-no-permission" in said
    assert "events: nvml-no-permission" in said
    assert "throttle counters: nvml-not-supported" in said
    assert "compute processes: nvml-no-permission" in said


@each_kind
@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("nvmlDeviceGetPowerManagementLimit", 4, "power limit: nvml-no-permission"),
        ("nvmlDeviceGetCurrentClocksEventReasons", 3, "clock reasons: nvml-not-supported"),
        ("nvmlDeviceGetComputeRunningProcesses_v3", 4, "compute processes: nvml-no-permission"),
        ("nvmlEventSetWait_v2", 999, "events: nvml-error"),
    ],
)
def test_a_watch_that_dies_on_the_way_is_said(name: str, code: int, said: str, kind: Kind) -> None:
    profile = replace(one(), faults=(Fault(function=name, code=code, from_s=AT_S),))
    with opened(profile, kind) as bench:
        assert bench.gpu.state()["gpu_unwatched"] is None
        assert causes(bench) == []
        assert bench.gpu.state()["gpu_unwatched"] == said
        assert "gpu_unwatched" not in bench.gpu.facts()


# Who else is on the device.


def exclusive(bench: Bench) -> tuple[bool, str | None]:
    found = bench.gpu.exclusivity()
    return found.proven, found.foreign.code if found.foreign else None


@each_kind
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (True, None)),
        ({"used_bytes": flat(60 * 2**20)}, (True, None)),
        ({"used_bytes": flat(300 * 2**20)}, (False, None)),
        ({"utilization": flat(1)}, (False, None)),
        ({"processes": (Process(pid=5, memory_bytes=None),)}, (False, "foreign-process")),
        ({"processes": (Process(pid=5, kind="graphics"),)}, (False, "foreign-process")),
        ({"processes": (Process(pid=5, kind="mps"),)}, (False, "foreign-process")),
        (
            {"processes": (Process(pid=77, memory_bytes=GIB),), "used_bytes": flat(GIB)},
            (True, None),
        ),
        (
            {"processes": (Process(pid=77, memory_bytes=GIB),), "used_bytes": flat(3 * GIB)},
            (False, None),
        ),
        (
            {"processes": (Process(pid=77, memory_bytes=None),), "used_bytes": flat(GIB)},
            (False, None),
        ),
    ],
)
def test_being_alone_needs_two_signs(
    changes: dict[str, Any], expected: tuple[bool, str | None], kind: Kind
) -> None:
    with opened(one(**changes), kind) as bench:
        assert exclusive(bench) == expected
        assert bench.gpu.exclusivity().detail


@each_kind
@pytest.mark.parametrize(
    ("name", "proven"),
    [
        ("nvmlDeviceGetComputeRunningProcesses_v3", False),
        ("nvmlDeviceGetGraphicsRunningProcesses_v3", False),
        ("nvmlDeviceGetMPSComputeRunningProcesses_v3", True),
        ("nvmlDeviceGetUtilizationRates", False),
        ("nvmlDeviceGetMemoryInfo_v2", False),  # then half a GiB of the driver's own counts too
    ],
)
def test_a_sign_that_cannot_be_read_proves_nothing(name: str, proven: bool, kind: Kind) -> None:
    with opened(replace(one(), faults=(Fault(function=name, code=3),)), kind) as bench:
        assert exclusive(bench) == (proven, None)


@each_kind
def test_what_has_just_ended_is_waited_for(kind: Kind) -> None:
    leaving = Process(pid=5, memory_bytes=GIB, until_s=1)
    busy = steps((0, 90), (1.2, 0))
    profile = one(processes=(leaving,), utilization=busy, used_bytes=until(1.1, GIB, 0))
    with opened(profile, kind) as bench:
        assert exclusive(bench) == (True, None)
        assert 1.2 <= bench.clock.time_ns / 1e9 - 1 <= 2.0


@each_kind
def test_on_a_slice_nothing_is_proven_and_the_counter_is_of_more(kind: Kind) -> None:
    part = Slice(uuid="MIG-5c000000-0000-0000-0000-000000000007", gpu_instance=7)
    with opened(one(mig_mode=True, slices=(part,)), kind) as bench:
        assert bench.gpu.facts()["gpu_slice"] == part.uuid
        assert exclusive(bench) == (False, None)
        assert bench.gpu.used_bytes() == 0
        counter = bench.gpu.counter()
    assert isinstance(counter, Missing)
    assert counter.reason == "mig-slice"


@each_kind
def test_in_a_container_our_own_host_id_is_no_foreigner_and_a_second_one_is(kind: Kind) -> None:
    ours = Process(pid=FOREIGN_PID, memory_bytes=None, from_s=1)
    other = Process(pid=FOREIGN_PID + 1, memory_bytes=None, from_s=5)
    with opened(one(processes=(ours, other)), kind, own=HIDDEN) as bench:
        assert bench.gpu.exclusivity().proven
        bench.pass_s(2)
        bench.touched = True
        assert bench.gpu.causes() == []
        bench.pass_s(2)
        assert bench.gpu.causes() == []
        bench.pass_s(2)
        (flag,) = bench.gpu.causes()
    assert flag.code == "foreign-process"
    assert str(FOREIGN_PID + 1) in (flag.detail or "")
    assert f"{FOREIGN_PID}," not in (flag.detail or "")


@each_kind
@pytest.mark.parametrize("touched", [False, True])
def test_in_a_container_that_hides_us_whoever_comes_is_foreign(touched: bool, kind: Kind) -> None:
    with opened(FAULTS["foreign-process"](AT_S), kind, own=HIDDEN) as bench:
        bench.touched = touched
        assert causes(bench) == ["foreign-process"]


@each_kind
@pytest.mark.parametrize(
    ("processes", "hides"),
    [((), True), ((Process(pid=77),), False)],
    ids=["hidden", "listed"],
)
def test_a_device_that_hides_us_hides_others_too(
    processes: tuple[Process, ...], hides: bool, kind: Kind
) -> None:
    with opened(one(processes=processes), kind, own=HIDDEN) as bench:
        assert bench.gpu.causes() == []
        assert occupancy.hidden(bench.gpu.state()) is None
        bench.touched = True
        assert bench.gpu.causes() == []
        state = bench.gpu.state()
    flag, unwatched = occupancy.hidden(state), state["gpu_unwatched"]
    assert (flag.code if flag else None) == ("exclusivity-unverified" if hides else None)
    assert unwatched == ("processes: hidden" if hides else None)


@each_kind
def test_whoever_was_there_when_this_process_came_is_foreign(kind: Kind) -> None:
    own = replace(HIDDEN, before=frozenset({5}))
    with opened(one(processes=(Process(pid=5),)), kind, own=own) as bench:
        assert exclusive(bench) == (False, "foreign-process")


def test_own_ids_come_from_every_namespace_that_is_seen(tmp_path: Path) -> None:
    (tmp_path / "ns").mkdir()
    (tmp_path / "status").write_text("Name:\tx\nNSpid:\t4711\t12\t1\nThreads:\t1\n")
    (tmp_path / "ns/pid").symlink_to("pid:[4026532000]")
    found = occupancy.myself(proc=tmp_path)
    assert found.pids == {4711, 12, 1, os.getpid()}
    assert not found.known
    (tmp_path / "ns/pid").unlink()
    (tmp_path / "ns/pid").symlink_to("pid:[4026531836]")
    assert occupancy.myself({3}, tmp_path).known
    assert occupancy.myself({3}, tmp_path).before == {3}
    assert not occupancy.myself(proc=tmp_path / "none").known
    assert os.getpid() in occupancy.myself().pids


def test_this_process_has_touched_no_gpu() -> None:
    assert not occupancy.touched()


# The counter.


@each_kind
def test_the_counter_is_in_microjoules_and_of_the_board(kind: Kind) -> None:
    with opened(one(power=flat(250), counter_start_mj=2**40), kind) as bench:
        counter = bench.gpu.counter()
        assert not isinstance(counter, Missing)
        first = counter.read()
        bench.pass_s(4)
        assert counter.read() - first == 1_000_000_000
        assert first >= 2**40 * 1000
        assert (counter.boundary, counter.quantum_uj) == ("board", 1000)
        assert (counter.meter, counter.device) == ("nvml-total-energy", Gpu().uuid)
        assert counter.power_w() == 250


@each_kind
def test_a_counter_that_goes_back_was_reset(kind: Kind) -> None:
    with opened(one(counter_start_mj=10**6, resets=(AT_S,)), kind) as bench:
        counter = bench.gpu.counter()
        assert not isinstance(counter, Missing)
        counter.read()
        bench.pass_s(AT_S + 0.5)
        with pytest.raises(TelemetryError, match="counter-reset"):
            counter.read()
        assert counter.read() >= 0  # and counts on from there


@each_kind
@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        (FAULTS["vgpu"](0.0), "vgpu"),
        (one(virtualization=3), "vgpu"),
        (FAULTS["no-permission"](0.0), "nvml-no-permission"),
        (FAULTS["not-supported"](0.0), "no-energy-counter"),
    ],
)
def test_no_counter_has_a_reason(profile: Profile, reason: str, kind: Kind) -> None:
    with opened(profile, kind) as bench:
        counter = bench.gpu.counter()
    assert isinstance(counter, Missing)
    assert counter.reason == reason
    assert reason in REASONS


@each_kind
@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("nvmlDeviceGetVirtualizationMode", 3, "nvml-not-supported"),
        ("nvmlDeviceGetVirtualizationMode", 13, "nvml-function-missing"),
        ("nvmlDeviceGetTotalEnergyConsumption", 3, "no-energy-counter"),
    ],
)
def test_only_the_counter_itself_is_said_to_lack(
    name: str, code: int, reason: str, kind: Kind
) -> None:
    with opened(replace(one(), faults=(Fault(function=name, code=code),)), kind) as bench:
        counter = bench.gpu.counter()
    assert isinstance(counter, Missing)
    assert counter.reason == reason


@each_kind
def test_a_gpu_passed_through_whole_keeps_its_counter(kind: Kind) -> None:
    with opened(one(virtualization=1), kind) as bench:
        assert not isinstance(bench.gpu.counter(), Missing)


@each_kind
def test_where_only_the_modules_power_is_told_the_counter_is_of_the_module(kind: Kind) -> None:
    with opened(FAULTS["field-codes"](0.0), kind) as bench:
        counter = bench.gpu.counter()
        assert not isinstance(counter, Missing)
        assert counter.boundary == "module"
        assert counter.power_w() == 900


@each_kind
def test_what_the_joules_are_of_is_found_once_for_all_counters(kind: Kind) -> None:
    mute = Fault(function="nvmlDeviceGetFieldValues", code=10, from_s=AT_S)
    with opened(replace(FAULTS["field-codes"](0.0), faults=(mute,)), kind) as bench:
        bench.pass_s(AT_S + 1)
        counter = bench.gpu.counter()
        assert not isinstance(counter, Missing)
        assert (counter.boundary, counter.power_w()) == ("module", None)


INSTANT_MISSING = {"fields": (Field(id=186, code=pynvml.NVML_ERROR_NOT_SUPPORTED),)}


@each_kind
@pytest.mark.parametrize(
    ("changes", "watts"),
    [
        ({"capability": (9, 0)} | INSTANT_MISSING, None),
        ({"capability": (8, 6)} | INSTANT_MISSING, None),
        ({"capability": (8, 0)} | INSTANT_MISSING, 100),
        ({"capability": (7, 0)} | INSTANT_MISSING, 100),
        ({"capability": (9, 0)}, 100),
    ],
)
def test_an_average_is_never_taken_for_instantaneous_power(
    changes: dict[str, Any], watts: float | None, kind: Kind
) -> None:
    with opened(one(**changes), kind) as bench:
        counter = bench.gpu.counter()
        assert not isinstance(counter, Missing)
        assert counter.power_w() == watts
        assert bench.gpu.state()["gpu_power_w"] == watts


@each_kind
@pytest.mark.parametrize(
    "read", [lambda gpu: gpu.temperature_c(), lambda gpu: gpu.state()["gpu_temperature_c"]]
)
def test_temperature_is_null_where_it_cannot_be_read(
    read: Callable[[Any], float | None], kind: Kind
) -> None:
    names = ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature")
    faults = tuple(Fault(function=name, code=3) for name in names)
    with opened(replace(one(), faults=faults), kind) as bench:
        assert read(bench.gpu) is None
    with opened(replace(one(), missing=names[:1]), kind) as bench:
        assert read(bench.gpu) == 40


@each_kind
def test_used_memory_is_a_number_or_a_reason(kind: Kind) -> None:
    with opened(one(used_bytes=flat(GIB)), kind) as bench:
        assert bench.gpu.used_bytes() == GIB
    names = ("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2")
    faults = tuple(Fault(function=name, code=4) for name in names)
    with opened(replace(one(), faults=faults), kind, own=HOST) as bench:
        found = bench.gpu.used_bytes()
        assert exclusive(bench) == (False, None)
    assert isinstance(found, Missing)
    assert found.reason == "nvml-no-permission"
