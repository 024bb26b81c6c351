"""Which NVML device is ``cuda:N``: by identity, never by index.

CUDA's ordinals and NVML's indices are two orders, and ``CUDA_VISIBLE_DEVICES`` changes only the
first. So the UUID and the bus id that torch reports decide; without them the environment is read as
CUDA reads it, and whatever stays ambiguous is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tokonomy.errors import BadDevice, TelemetryError
from tokonomy.measure import gpu_facts, nvml
from tokonomy.measure.visible import Gpu, Slice, Target, bus_key, of_gpu, of_slice, visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What torch says of a CUDA device; None where this version does not say."""

    uuid: str | None = None
    pci_bus_id: str | None = None


def resolve(
    ordinal: int,
    gpus: Sequence[Gpu],
    environment: Mapping[str, str],
    *,
    told: Told | None = None,
    whole: bool = True,
) -> Target:
    """The device of ``cuda:<ordinal>``; raises ``BadDevice`` where that cannot be told.

    Attributes:
        told: What torch says of it; that decides wherever it says anything.
        whole: Whether ``gpus`` are all there are. Positions mean nothing if not.
    """
    if told is not None and (told.uuid or told.pci_bus_id):
        return _identified(ordinal, gpus, environment, told)
    targets = visible(gpus, environment, whole=whole)
    if ordinal >= len(targets):
        raise BadDevice(
            f"cuda:{ordinal} is not there: CUDA_VISIBLE_DEVICES="
            f"{environment.get('CUDA_VISIBLE_DEVICES')!r} leaves {len(targets)} of {len(gpus)} GPUs"
        )
    return targets[ordinal]


def _identified(
    ordinal: int, gpus: Sequence[Gpu], environment: Mapping[str, str], told: Told
) -> Target:
    """The device with the identity that torch reports."""
    parts = [Target(gpu=gpu, slice=part) for gpu in gpus for part in gpu.slices]
    wholes = [Target(gpu=gpu) for gpu in gpus]
    found = [each for each in (*wholes, *parts) if _matches(each, told)]
    if len(found) == 1 and (found[0].slice or not found[0].gpu.mig):
        return found[0]
    cut = [each for each in found if each.slice is None and each.gpu.mig]
    if len(cut) == 1:  # torch names the GPU and not the slice
        return _chosen(cut[0].gpu, environment)
    said = f"UUID {told.uuid or 'unknown'}, bus id {told.pci_bus_id or 'unknown'}"
    raise BadDevice(
        f"torch says that cuda:{ordinal} has {said}, and NVML knows {len(found)} such devices "
        f"among {', '.join(gpu.uuid for gpu in gpus) or 'none'}; nothing is measured on a device "
        "that may be another one: check that both see the same devices"
    )


def _chosen(gpu: Gpu, environment: Mapping[str, str]) -> Target:
    """The slice of a GPU that the environment names, if it names one."""
    first = environment.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    named = of_slice(first, [gpu]) if first.startswith("MIG-") else None
    return named or of_gpu(gpu)


def _matches(target: Target, told: Told) -> bool:
    """Whether everything that torch says is so."""
    if told.uuid is not None and _bare(told.uuid) != _bare(target.uuid):
        return False
    if told.pci_bus_id is None:
        return told.uuid is not None
    if told.uuid is None and target.slice is not None:
        return False  # a bus id names the GPU
    return bus_key(told.pci_bus_id) == bus_key(target.gpu.pci_bus_id)


def _bare(uuid: str) -> str:
    return uuid.lower().removeprefix("gpu-").removeprefix("mig-")


def listed() -> tuple[list[Gpu], dict[int, TelemetryError]]:
    """The GPUs that NVML lists, and why some cannot be read, by their place in its list."""
    found, unread = [], {}
    for index in range(int(nvml.ask("nvmlDeviceGetCount"))):
        try:
            found.append(_gpu(nvml.ask("nvmlDeviceGetHandleByIndex", index)))
        except TelemetryError as error:  # a lost one too: the others are still there
            unread[index] = error
    return found, unread


def _gpu(handle: object) -> Gpu:
    memory = nvml.told(lambda: int(nvml.ask("nvmlDeviceGetMemoryInfo", handle).total))
    cut = gpu_facts.mig(handle)
    return Gpu(
        uuid=nvml.text("nvmlDeviceGetUUID", handle),
        pci_bus_id=gpu_facts.pci_bus_id(handle),
        kind=f"{nvml.told(nvml.text, 'nvmlDeviceGetName', handle)}, {memory} bytes",
        mig=cut,
        slices=tuple(_slices(handle)) if cut else (),
    )


def _slices(handle: object) -> Iterator[Slice]:
    for index in range(int(nvml.ask("nvmlDeviceGetMaxMigDeviceCount", handle))):
        part = nvml.told(nvml.ask, "nvmlDeviceGetMigDeviceHandleByIndex", handle, index)
        if part is None:  # that many are possible, and fewer are there
            continue
        yield Slice(
            uuid=nvml.text("nvmlDeviceGetUUID", part),
            gpu_instance=nvml.told(nvml.ask, "nvmlDeviceGetGpuInstanceId", part),
            compute_instance=nvml.told(nvml.ask, "nvmlDeviceGetComputeInstanceId", part),
        )
