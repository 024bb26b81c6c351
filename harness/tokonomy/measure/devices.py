"""The devices of this machine: naming one, opening it to measure on, and listing all of them.

A device that cannot be used, or that tells nothing, is listed with the reason.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from tokonomy.errors import BadDevice, DeviceLost, TelemetryError
from tokonomy.measure import environment, gpu_facts, nvml, occupancy, probe, resolve
from tokonomy.measure.clock import Clock, MonotonicClock
from tokonomy.measure.cpu import CpuTelemetry
from tokonomy.measure.gpu import GpuTelemetry
from tokonomy.measure.reasons import REASONS
from tokonomy.measure.sampling import Wait
from tokonomy.measure.telemetry import Telemetry
from tokonomy.measure.untold import UntoldTelemetry
from tokonomy.measure.visible import Target
from tokonomy.store.fields import Missing, Scalar

Row = dict[str, Any]


def cuda_index(device: str) -> int | None:
    """N of ``cuda:N``, None of the processors; raises ``BadDevice``."""
    kind, _, index = device.partition(":")
    if kind == "cuda" and index.isascii() and index.isdecimal():
        return int(index)
    if device == "cpu":
        return None
    raise BadDevice(
        f"a device is cpu or cuda:N; got {device!r}; `tokonomy list devices` shows them"
    )


def device_class(device: str) -> str:
    """What kind of device it is; numbers of one class compare.

    Raises ``BadDevice``, and ``DeviceLost`` where it is lost while it is asked.

    A GPU whose power limit or clocks are not those it came with is of another kind, and so is one
    of which the driver does not tell.
    """
    at = cuda_index(device)
    if at is None:
        return f"cpu: {environment.processors()}"
    properties = _properties(at)
    try:
        with nvml.library():
            gpu = target(at, _told(properties)).gpu
            apart = gpu_facts.apart(nvml.ask("nvmlDeviceGetHandleByUUID", gpu.uuid))
    except DeviceLost:
        raise
    except (BadDevice, TelemetryError):
        apart = ", power limit unknown"
    return f"cuda: {nvml.clean(str(properties.name))}{apart}"


def open_telemetry(device: str) -> Telemetry:
    """The telemetry of a device, to be entered; raises ``BadDevice``, ``TelemetryError``.

    A GPU whose driver tells nothing at all can still be measured on, without what it would tell.
    """
    at = cuda_index(device)
    if at is None:
        return CpuTelemetry()
    before = _everyone()  # before torch is asked, which may be what touches the device
    properties = _properties(at)
    try:
        found = target(at, _told(properties))
        return GpuTelemetry(found, own=occupancy.myself(before))
    except TelemetryError as error:
        return UntoldTelemetry(error, _known(properties))


def target(ordinal: int, told: resolve.Told) -> Target:
    """The GPU of ``cuda:<ordinal>``; raises ``BadDevice``, ``TelemetryError``."""
    with nvml.library():
        gpus, unread = resolve.listed()
        return resolve.resolve(ordinal, gpus, os.environ, told=told, whole=not unread)


def _everyone() -> set[int] | None:
    """Ids of all processes on all GPUs; None where nobody tells."""
    try:
        with nvml.library():
            gpus, _ = resolve.listed()
            handles = [nvml.ask("nvmlDeviceGetHandleByUUID", gpu.uuid) for gpu in gpus]
            return {pid for handle in handles for pid in occupancy.processes(handle)[0]}
    except TelemetryError:
        return None


def _properties(ordinal: int) -> Any:
    """What torch says of a CUDA device; raises ``BadDevice``."""
    import torch  # slow to import, and only a GPU needs it

    count = torch.cuda.device_count()
    if ordinal >= count:
        raise BadDevice(
            f"cuda:{ordinal} is not there: {_unusable(torch) or f'torch sees {count} devices'}; "
            "`tokonomy list devices` shows them"
        )
    try:
        return torch.cuda.get_device_properties(ordinal)
    except (RuntimeError, AssertionError) as error:  # such as a driver that is too old
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadDevice(f"cuda:{ordinal} cannot be used: {said}") from None


def _unusable(torch: Any) -> str | None:
    """Why this torch can use no GPU at all; None where it sees one."""
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        return "torch build without CUDA"
    return None if torch.cuda.device_count() else "torch sees no device"


def _told(properties: Any) -> resolve.Told:
    """Identity of a device as torch reports it; older versions report less."""
    uuid = getattr(properties, "uuid", None)
    parts = [getattr(properties, f"pci_{part}_id", None) for part in ("domain", "bus", "device")]
    place = [number for number in parts if isinstance(number, int)]
    return resolve.Told(
        uuid=None if uuid is None else str(uuid),
        pci_bus_id="{:08x}:{:02x}:{:02x}.0".format(*place) if len(place) == 3 else None,
    )


def _known(properties: Any) -> dict[str, Scalar]:
    told = _told(properties)
    return {
        "gpu_name": nvml.clean(str(properties.name)),
        "gpu_uuid": told.uuid,
        "gpu_pci_bus_id": told.pci_bus_id,
        "gpu_memory_bytes": int(properties.total_memory),
    }


def devices(clock: Clock | None = None) -> list[Row]:
    """Every device with its facts and probes: the processors, then GPUs as CUDA orders them.

    Each row has the name by which a run takes the device (null where none can), and why not. GPUs
    that NVML lists and CUDA does not are there too. Looking takes up to three seconds a device.
    """
    import torch  # as above

    clock = clock or MonotonicClock()
    try:
        usable, why = [_properties(at) for at in range(torch.cuda.device_count())], _unusable(torch)
    except BadDevice as error:
        usable, why = [], str(error)
    try:
        with nvml.library():
            gpus = listed([_told(each) for each in usable], why, clock)
    except TelemetryError as error:
        gpus = [_blind(f"cuda:{at}", error, _known(each)) for at, each in enumerate(usable)]
        gpus = gpus or [_blind(None, error)]
    return [_processors(clock), *gpus]


def listed(
    told: list[resolve.Told], unusable: str | None, clock: Clock, wait: Wait = time.sleep
) -> list[Row]:
    """A row for every CUDA device, and one for every other GPU of NVML, which must be open.

    Attributes:
        told: What torch says of each of its devices.
        unusable: Why torch can use none at all.
    """
    gpus, unread = resolve.listed()
    rows, met = [], set()
    for at, each in enumerate(told):
        try:
            target = resolve.resolve(at, gpus, os.environ, told=each, whole=not unread)
        except BadDevice as error:
            rows.append(_row(f"cuda:{at}", "unknown GPU", reason="bad-device", said=str(error)))
            continue
        met.add(target.gpu.uuid)
        rows.append(_seen(f"cuda:{at}", target, clock, wait))
    why = f"not usable: {unusable or 'CUDA does not enumerate it'}"
    rows += [_seen(None, Target(gpu=gpu), clock, wait, why) for gpu in gpus if gpu.uuid not in met]
    rows += [_blind(None, error) for error in unread.values()]
    none = _row(None, "no GPU", reason="no-gpu", said="the driver knows no GPU")
    return rows or [none]


def _seen(device: str | None, target: Target, clock: Clock, wait: Wait, why: str = "") -> Row:
    """The row of a GPU that NVML lists; it may be lost while it is looked at."""
    try:
        with GpuTelemetry(target, wait=wait) as gpu:
            facts, probes = gpu.facts(), gpu.probes(clock)
    except TelemetryError as error:
        return _blind(device, error, {"gpu_uuid": target.uuid})
    size = facts["gpu_memory_bytes"]
    said = [why, target.uuid, f"{size / 2**30:.0f} GiB" if isinstance(size, int) else ""]
    row = _row(device, str(facts["gpu_name"]), said=", ".join(filter(None, said)))
    return row | _answers(facts, probes)


def _blind(device: str | None, error: TelemetryError, facts: Mapping[str, Scalar] = {}) -> Row:
    """The row of a GPU, or of all there may be, of which nothing can be told."""
    name = str(facts.get("gpu_name") or facts.get("gpu_uuid") or "no GPU can be read")
    said = f"{REASONS.get(error.reason, error.reason)} ({error.detail})"
    return _row(device, name, reason=error.reason, said=said) | {"facts": dict(facts)}


def _processors(clock: Clock) -> Row:
    with CpuTelemetry() as cpu:
        probes, facts = probe.counting(cpu.counter(), clock), cpu.facts()
    row = _row("cpu", device_class("cpu"), said=f"{environment.cores()} processors")
    return row | _answers(facts, probes)


def _row(device: str | None, name: str, *, reason: str | None = None, said: str = "") -> Row:
    empty: Row = {"energy": reason, "facts": {}, "probes": {}}
    return {"device": device, "name": name, "detail": said, "reason": reason} | empty


def _answers(facts: Mapping[str, Scalar], probes: Mapping[str, probe.Answer]) -> Row:
    """As JSON: of a probe the value, or reason and detail; what counts energy, or the reason."""
    counter = probes["energy_counter"]
    plain = {
        name: answer.model_dump() if isinstance(answer, Missing) else answer
        for name, answer in probes.items()
    }
    energy = counter.reason if isinstance(counter, Missing) else counter
    return {"energy": energy, "facts": dict(facts), "probes": plain}
