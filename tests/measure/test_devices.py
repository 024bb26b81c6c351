"""Opening a device by its name, and the list of all of them; here torch has no CUDA."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from gpus import KINDS, one, passing, scripted, told
from tokonomy.cli import cli
from tokonomy.errors import BadDevice, TelemetryError
from tokonomy.measure import devices, environment
from tokonomy.measure.clock import FakeClock
from tokonomy.measure.cpu import CpuTelemetry
from tokonomy.measure.reasons import REASONS
from tokonomy.measure.scripted import Fault, Gpu, Process, Profile, flat, installed
from tokonomy.measure.scripted.faults import FAULTS
from tokonomy.measure.scripted.install import Kind
from tokonomy.measure.untold import UntoldTelemetry
from tokonomy.store.fields import Missing
from tokonomy.store.record import Machine

each_kind = pytest.mark.parametrize("kind", KINDS)
each_use = pytest.mark.parametrize("use", [devices.open_telemetry, devices.device_class])
without_cuda = pytest.mark.skipif(torch.version.cuda is not None, reason="needs torch for CPUs")


def test_the_processors_are_always_there() -> None:
    assert isinstance(devices.open_telemetry("cpu"), CpuTelemetry)


@pytest.mark.parametrize(
    "name", ["", "gpu", "cuda", "cuda:", "cuda:x", "cuda:-1", "cuda:²", "cpu:0"]
)
@each_use
def test_a_name_that_is_no_device_is_refused(use: Callable[[str], object], name: str) -> None:
    with pytest.raises(BadDevice, match="a device is cpu or cuda:N"):
        use(name)


@without_cuda
@each_use
def test_a_cuda_device_that_torch_cannot_use_is_refused_with_why(
    use: Callable[[str], object],
) -> None:
    with pytest.raises(BadDevice, match="torch build without CUDA"):
        use("cuda:0")


@dataclass(frozen=True)
class Properties:
    """What torch says of a device: as little as the oldest version does, or more."""

    name: str = "scripted GPU"
    total_memory: int = 80 << 30
    uuid: str | None = None
    pci_domain_id: int | None = None
    pci_bus_id: int | None = None
    pci_device_id: int | None = None


@pytest.fixture
def torch_sees(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have torch report CUDA devices."""

    def see(*found: Properties) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(found))
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda at: found[at])
        monkeypatch.setattr(torch.version, "cuda", "12.9")

    return see


def as_torch(gpu: Gpu, *, place: bool = True) -> Properties:
    domain, bus, rest = gpu.pci.split(":")
    ids = {"pci_domain_id": domain, "pci_bus_id": bus, "pci_device_id": rest.split(".")[0]}
    numbers = {name: int(text, 16) for name, text in ids.items()} if place else {}
    return Properties(name=gpu.name, uuid=gpu.uuid.removeprefix("GPU-"), **numbers)


@each_kind
@pytest.mark.parametrize("place", [True, False])
def test_cuda_0_is_the_gpu_that_torch_means(kind: Kind, place: bool, torch_sees: Any) -> None:
    slow, fast = FAULTS["swapped-order"](0.0).gpus
    torch_sees(as_torch(fast, place=place), as_torch(slow, place=place))
    with installed(Profile(gpus=(slow, fast)), kind=kind, clock=FakeClock()):
        for name, gpu in (("cuda:0", fast), ("cuda:1", slow)):
            with devices.open_telemetry(name) as telemetry:
                assert telemetry.facts()["gpu_uuid"] == gpu.uuid
        with pytest.raises(BadDevice, match="torch sees 2 devices"):
            devices.open_telemetry("cuda:2")


def test_a_torch_that_says_nothing_leaves_the_environment(
    torch_sees: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = FAULTS["swapped-order"](0.0)
    torch_sees(Properties(), Properties())
    with installed(profile, kind="python", clock=FakeClock()):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        with pytest.raises(BadDevice, match="rule of its own"):
            devices.open_telemetry("cuda:0")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", profile.gpus[1].uuid)
        with devices.open_telemetry("cuda:0") as telemetry:
            assert telemetry.facts()["gpu_uuid"] == profile.gpus[1].uuid


def test_who_was_there_before_torch_was_asked_is_no_part_of_us(torch_sees: Any) -> None:
    gpu = replace(Gpu(), processes=(Process(pid=4242),))
    torch_sees(as_torch(gpu))
    with (
        installed(Profile(gpus=(gpu,)), kind="python", clock=FakeClock()),
        devices.open_telemetry("cuda:0") as telemetry,
    ):
        telemetry.wait = lambda seconds: None  # type: ignore[attr-defined]  # of GpuTelemetry
        foreign = telemetry.exclusivity().foreign
    assert foreign is not None
    assert foreign.code == "foreign-process"


@each_kind
@pytest.mark.parametrize("fault", ["library-missing", "driver-not-loaded", "version-mismatch"])
def test_a_gpu_whose_driver_tells_nothing_is_open_and_says_so(
    fault: str, kind: Kind, torch_sees: Any
) -> None:
    torch_sees(as_torch(Gpu()))
    with (
        installed(FAULTS[fault](0.0), kind=kind, clock=FakeClock()),
        devices.open_telemetry("cuda:0") as telemetry,
    ):
        assert isinstance(telemetry, UntoldTelemetry)
        facts, state, counter = telemetry.facts(), telemetry.state(), telemetry.counter()
        assert not telemetry.exclusivity().proven
        assert telemetry.temperature_c() is None
        assert telemetry.used_bytes() == counter
    Machine(software={}, hardware=facts, before=state, after=state)
    assert facts["gpu_name"] == "scripted GPU"
    assert isinstance(counter, Missing)
    assert counter.reason in REASONS
    assert state["gpu_unwatched"] == f"everything: {counter.reason}"


TOO_OLD = "The NVIDIA driver on your system is too old (found version 11040).\nPlease update"


def refuse(at: int) -> Any:
    raise RuntimeError(TOO_OLD)


def test_a_cuda_that_cannot_begin_is_refused_and_listed_with_why(
    torch_sees: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch_sees(as_torch(Gpu()))
    monkeypatch.setattr(torch.cuda, "get_device_properties", refuse)
    with installed(one(), kind="python"):
        for use in (devices.open_telemetry, devices.device_class):
            with pytest.raises(BadDevice, match=r"cuda:0 cannot be used: .*version 11040\)\.$"):
                use("cuda:0")
        _, gpu = devices.devices()
    assert gpu["device"] is None
    assert gpu["detail"].startswith("not usable: cuda:0 cannot be used: The NVIDIA driver")


def test_the_class_of_the_processors_says_how_many() -> None:
    assert devices.device_class("cpu") == f"cpu: {environment.processors()}"


SLOWER = {"asked_sm_mhz": flat(1200)}


@each_kind
@pytest.mark.parametrize(
    ("changes", "apart"),
    [
        ({}, ""),
        ({"limit_w": flat(400)}, " limited to 400 W"),
        ({"enforced_w": flat(350)}, " limited to 350 W"),
        (SLOWER, ", processor clock 1200 MHz"),
        (SLOWER | {"limit_w": flat(400)}, " limited to 400 W, processor clock 1200 MHz"),
    ],
)
def test_a_gpu_that_is_not_as_it_came_is_of_another_class(
    changes: dict[str, Any], apart: str, kind: Kind, torch_sees: Any
) -> None:
    torch_sees(as_torch(Gpu()))
    with installed(one(**changes), kind=kind, clock=FakeClock()):
        assert devices.device_class("cuda:0") == f"cuda: scripted GPU{apart}"


LIMITS = ("nvmlDeviceGetEnforcedPowerLimit", "nvmlDeviceGetPowerManagementDefaultLimit")
UNTOLD = [
    *(FAULTS[name](0.0) for name in ("library-missing", "driver-not-loaded", "device-lost")),
    *(replace(one(), faults=(Fault(function=name, code=3),)) for name in LIMITS),
]


@pytest.mark.parametrize("profile", UNTOLD)
def test_a_gpu_whose_power_limit_is_not_told_is_of_another_class(
    profile: Profile, torch_sees: Any
) -> None:
    torch_sees(as_torch(Gpu()))
    with installed(profile, kind="python", clock=FakeClock()):
        assert devices.device_class("cuda:0") == "cuda: scripted GPU, power limit unknown"


def test_clocks_that_cannot_be_asked_for_set_nothing_apart(torch_sees: Any) -> None:
    torch_sees(as_torch(Gpu()))
    names = ("nvmlDeviceGetClock", "nvmlDeviceGetApplicationsClock")
    faults = tuple(Fault(function=name, code=3) for name in names)
    with installed(replace(one(**SLOWER), faults=faults), kind="python", clock=FakeClock()):
        assert devices.device_class("cuda:0") == "cuda: scripted GPU"


def rows(profile: Profile, kind: Kind, *seen: Gpu, why: str | None = None) -> list[devices.Row]:
    with scripted(profile, kind) as clock:
        return devices.listed([told(gpu) for gpu in seen], why, clock, passing(clock))


@each_kind
def test_gpus_are_listed_as_cuda_orders_them_and_then_the_rest(kind: Kind) -> None:
    slow, fast = FAULTS["swapped-order"](0.0).gpus
    profile = Profile(gpus=(slow, fast))
    both = rows(profile, kind, fast, slow)
    assert [(row["device"], row["name"]) for row in both] == [
        ("cuda:0", fast.name),
        ("cuda:1", slow.name),
    ]
    some = rows(profile, kind, fast)
    assert [row["device"] for row in some] == ["cuda:0", None]
    assert some[1]["detail"].startswith("not usable: CUDA does not enumerate it")
    none = rows(profile, kind, why="torch build without CUDA")
    assert [row["detail"].split(",")[0] for row in none] == [
        "not usable: torch build without CUDA"
    ] * 2
    for row in (*both, *some, *none):
        assert row["energy"] == "nvml-total-energy"
        assert row["probes"]["energy_tick_ms"] == pytest.approx(100, abs=1)
        json.dumps(row, allow_nan=False)


@each_kind
def test_a_device_that_torch_and_nvml_do_not_agree_on_is_listed_as_unknown(kind: Kind) -> None:
    stranger = replace(Gpu(), uuid="GPU-dddddddd-0000-0000-0000-000000000000")
    first, second = rows(one(), kind, stranger)
    assert (first["device"], first["reason"]) == ("cuda:0", "bad-device")
    assert "torch says" in first["detail"]
    assert (second["device"], second["name"]) == (None, "scripted GPU")


@each_kind
def test_a_gpu_that_cannot_be_read_is_listed_with_why(kind: Kind) -> None:
    slow, fast = FAULTS["swapped-order"](0.0).gpus
    dead = Profile(gpus=(replace(slow, lost_s=0.0), fast))
    found = rows(dead, kind, fast)
    assert [row["reason"] for row in found] == [None, "device-lost"]
    assert REASONS["device-lost"] in found[1]["detail"]
    dying = Profile(gpus=(replace(fast, lost_s=0.5),))  # while its counter is looked at
    (row,) = rows(dying, kind, fast)
    assert (row["device"], row["reason"]) == ("cuda:0", "device-lost")
    assert row["facts"] == {"gpu_uuid": fast.uuid}


@each_kind
def test_a_driver_without_gpus_says_so(kind: Kind) -> None:
    (row,) = rows(Profile(gpus=()), kind)
    assert (row["device"], row["reason"]) == (None, "no-gpu")


@each_kind
def test_a_refused_counter_is_a_probe_with_a_reason(kind: Kind) -> None:
    (row,) = rows(FAULTS["no-permission"](0.0), kind, Gpu())
    assert row["energy"] == "nvml-no-permission"
    assert row["probes"]["energy_counter"]["reason"] == "nvml-no-permission"
    fault = Fault(function="nvmlInitWithFlags", code=9)
    with pytest.raises(TelemetryError, match="driver-not-loaded"):
        rows(replace(one(), faults=(fault,)), kind)


@without_cuda
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("library-missing", "nvml-library-missing"),
        ("driver-not-loaded", "driver-not-loaded"),
        ("version-mismatch", "driver-version-mismatch"),
    ],
)
def test_the_list_is_never_silent_about_gpus(fault: str, reason: str) -> None:
    with installed(FAULTS[fault](0.0), kind="python"):
        done = CliRunner().invoke(cli, ["list", "devices", "--json"])
        table = CliRunner().invoke(cli, ["list", "devices"])
    assert done.exit_code == table.exit_code == 0, done.output + table.output
    cpu, gpu = json.loads(done.stdout)
    assert (cpu["device"], cpu["reason"]) == ("cpu", None)
    assert cpu["facts"]["cpus"]
    assert cpu["energy"] == cpu["probes"]["energy_counter"] or cpu["energy"] in REASONS
    assert (gpu["device"], gpu["reason"]) == (None, reason)
    assert REASONS[reason][:30] in gpu["detail"]
    assert reason in table.stdout


@without_cuda
def test_show_env_keeps_its_keys_and_adds_devices() -> None:
    fast = replace(Gpu(), tick_ms=5.0)
    with installed(Profile(gpus=(fast,)), kind="python"):
        done = CliRunner().invoke(cli, ["show-env", "--json"])
        text = CliRunner().invoke(cli, ["show-env"])
    assert done.exit_code == text.exit_code == 0, done.output + text.output
    found = json.loads(done.stdout)
    assert list(found) == ["device", "harness", "software", "hardware", "state", "devices"]
    gpu = found["devices"][1]
    assert gpu["detail"].startswith("not usable: torch build without CUDA, GPU-5c0")
    assert gpu["facts"]["gpu_power_limit_w"] == 700
    assert gpu["probes"]["unwatched"] == "nothing"
    assert 0 < gpu["probes"]["energy_tick_ms"] < 1000
    assert "energy_counter           nvml-total-energy" in text.stdout
    assert "power_instant_module_w   - (nvml-not-supported)" in text.stdout
