"""What a GPU and its driver are, and how the GPU is doing: names to readings, null where not told.

Units are in the names. Power limits come from NVML in milliwatts, clocks in megahertz.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tokonomy.errors import TelemetryError
from tokonomy.measure import nvml, occupancy, throttling
from tokonomy.store.fields import Scalar

_SHARING = {0: "none", 1: "passthrough", 2: "vgpu", 3: "host-vgpu", 4: "host-vsga"}


def system() -> dict[str, Scalar]:
    """Versions of the driver, of NVML and of the newest CUDA the driver serves."""
    return _read(
        {
            "gpu_driver": lambda: nvml.text("nvmlSystemGetDriverVersion"),
            "gpu_nvml": lambda: nvml.text("nvmlSystemGetNVMLVersion"),
            "gpu_cuda_driver": _cuda,
        }
    )


def facts(handle: object) -> dict[str, Scalar]:
    """What does not change while the driver stays loaded."""
    return _read(
        {
            "gpu_name": lambda: nvml.text("nvmlDeviceGetName", handle),
            "gpu_uuid": lambda: nvml.text("nvmlDeviceGetUUID", handle),
            "gpu_pci_bus_id": lambda: pci_bus_id(handle),
            "gpu_vbios": lambda: nvml.text("nvmlDeviceGetVbiosVersion", handle),
            "gpu_compute": lambda: ".".join(map(str, capability(handle))),
            "gpu_memory_bytes": lambda: int(nvml.ask("nvmlDeviceGetMemoryInfo", handle).total),
            "gpu_mig": lambda: mig(handle),
            "gpu_virtualisation": lambda: sharing(handle),
            "gpu_ecc": lambda: bool(nvml.ask("nvmlDeviceGetEccMode", handle)[0]),
            "gpu_persistence": lambda: bool(nvml.ask("nvmlDeviceGetPersistenceMode", handle)),
            "gpu_power_limit_w": lambda: limit_w(handle),
            "gpu_power_limit_default_w": lambda: limit_w(handle, "PowerManagementDefaultLimit"),
            "gpu_power_limit_min_w": lambda: _limits_w(handle)[0],
            "gpu_power_limit_max_w": lambda: _limits_w(handle)[1],
            "gpu_sm_clock_max_mhz": lambda: _max_clock(handle, nvml.SM),
            "gpu_memory_clock_max_mhz": lambda: _max_clock(handle, nvml.MEMORY),
            "gpu_sm_clock_asked_mhz": lambda: asked_clock(handle, nvml.SM),
            "gpu_memory_clock_asked_mhz": lambda: asked_clock(handle, nvml.MEMORY),
        }
    )


def state(handle: object, part: object, power_w: Callable[[], float | None]) -> dict[str, Scalar]:
    """What moves; ``gpu_throttle_ns`` is since the driver was loaded, so only differences count.

    It sums the limits that do harm; ``gpu_power_cap_ns`` is the time at the power limit. Memory and
    processes are those of ``part``, a slice of the GPU or the same.
    """
    held = throttling.held_ns(handle)
    harm = throttling.harmful(held).values()
    return _read(
        {
            "gpu_sm_clock_mhz": lambda: _clock(handle, nvml.SM),
            "gpu_memory_clock_mhz": lambda: _clock(handle, nvml.MEMORY),
            "gpu_temperature_c": lambda: temperature_c(handle),
            "gpu_power_w": power_w,
            "gpu_power_limit_w": lambda: limit_w(handle, "EnforcedPowerLimit"),
            "gpu_utilisation": lambda: occupancy.utilisation(part),
            "gpu_used_bytes": lambda: occupancy.used_bytes(part),
            "gpu_processes": lambda: _processes(part),
            "gpu_performance_state": lambda: _performance_state(handle),
            "gpu_clock_reasons": lambda: ", ".join(throttling.active(handle)) or "none",
            "gpu_throttle_ns": lambda: sum(harm) if harm else None,
            "gpu_power_cap_ns": lambda: held.get(throttling.CAP),
            "gpu_ecc_uncorrected": lambda: ecc_uncorrected(handle),
        }
    )


def pci_bus_id(handle: object) -> str:
    """Domain, bus and device as NVML writes them, such as ``00000000:65:00.0``."""
    return nvml.text("nvmlDeviceGetPciInfo", handle, part="busId")


def capability(handle: object) -> tuple[int, int]:
    """CUDA compute capability."""
    major, minor = nvml.ask("nvmlDeviceGetCudaComputeCapability", handle)
    return int(major), int(minor)


def mig(handle: object) -> bool:
    """Whether the GPU is cut into slices; one that cannot be is not."""
    try:
        return bool(nvml.ask("nvmlDeviceGetMigMode", handle)[0])
    except TelemetryError as error:
        if error.reason in ("nvml-not-supported", "nvml-function-missing"):
            return False
        raise


def sharing(handle: object) -> str:
    """How the GPU is given to virtual machines; ``none`` on bare metal."""
    mode = int(nvml.ask("nvmlDeviceGetVirtualizationMode", handle))
    return _SHARING.get(mode, f"mode {mode}")


def limit_w(handle: object, which: str = "PowerManagementLimit") -> float:
    """A power limit, watts."""
    return float(nvml.ask(f"nvmlDeviceGet{which}", handle)) / 1e3


def asked_clock(handle: object, kind: int) -> int:
    """The application clock, MHz.

    Clocks locked to a range (``nvidia-smi -lgc``) leave it as it is and cannot be read.
    """
    return _application(handle, kind, nvml.APPLICATION, "nvmlDeviceGetApplicationsClock")


def default_clock(handle: object, kind: int) -> int:
    """The application clock that the GPU came with, MHz."""
    name = "nvmlDeviceGetDefaultApplicationsClock"
    return _application(handle, kind, nvml.APPLICATION_DEFAULT, name)


def _application(handle: object, kind: int, which: int, older: str) -> int:
    """An application clock; older drivers have a function for each."""
    return int(
        nvml.either(
            lambda: nvml.ask("nvmlDeviceGetClock", handle, kind, which),
            lambda: nvml.ask(older, handle, kind),
        )
    )


def apart(handle: object) -> str:
    """What sets a GPU apart from others of its name: power and clocks that it did not come with.

    Empty where there is nothing. Of clocks that are not told nothing is said: many GPUs have none
    that can be asked for.
    """
    limit = nvml.told(limit_w, handle, "EnforcedPowerLimit")
    usual = nvml.told(limit_w, handle, "PowerManagementDefaultLimit")
    if limit is None or usual is None:
        said = ", power limit unknown"
    else:
        said = "" if limit == usual else f" limited to {limit:g} W"
    for name, kind in (("processor", nvml.SM), ("memory", nvml.MEMORY)):
        clock, usual = nvml.told(asked_clock, handle, kind), nvml.told(default_clock, handle, kind)
        if clock is not None and usual is not None and clock != usual:
            said += f", {name} clock {clock} MHz"
    return said


def temperature_c(handle: object) -> float:
    """Of the chip, whole degrees Celsius."""
    names = ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature")
    return float(nvml.newest(names, handle, 0))


def ecc_uncorrected(handle: object) -> int:
    """Memory errors beyond correction since the driver was loaded."""
    kind = (nvml.UNCORRECTED, nvml.SINCE_LOAD)
    return int(nvml.ask("nvmlDeviceGetTotalEccErrors", handle, *kind))


def _read(readings: Mapping[str, Callable[[], Scalar]]) -> dict[str, Scalar]:
    return {name: nvml.told(read) for name, read in readings.items()}


def _cuda() -> str:
    names = ("nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetCudaDriverVersion")
    version = int(nvml.newest(names))
    return f"{version // 1000}.{version % 1000 // 10}"


def _limits_w(handle: object) -> tuple[float, float]:
    low, high = nvml.ask("nvmlDeviceGetPowerManagementLimitConstraints", handle)
    return low / 1e3, high / 1e3


def _max_clock(handle: object, kind: int) -> int:
    return int(nvml.ask("nvmlDeviceGetMaxClockInfo", handle, kind))


def _clock(handle: object, kind: int) -> int:
    return int(nvml.ask("nvmlDeviceGetClockInfo", handle, kind))


def _performance_state(handle: object) -> int:
    names = ("nvmlDeviceGetPerformanceState", "nvmlDeviceGetPowerState")
    return int(nvml.newest(names, handle))


def _processes(handle: object) -> int | None:
    """How many are listed; null where a list cannot be read."""
    found, untold = occupancy.processes(handle)
    return None if untold else len(found)
