"""What CUDA enumerates, in its order: ``CUDA_VISIBLE_DEVICES`` and ``CUDA_DEVICE_ORDER`` as read.

Whatever they leave open is refused: a number from another GPU is worse than none. Sources: CUDA
programming guide ("CUDA environment variables"), NVIDIA's MIG user guide, and how torch reads them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tokonomy.errors import BadDevice

_ADVICE = "set CUDA_VISIBLE_DEVICES to the UUID of one device, as `tokonomy list devices` shows it"
_OLD_SLICE = re.compile(r"MIG-(GPU-[0-9a-f-]+)/([0-9]{1,9})/([0-9]{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of a GPU that is a device of its own (MIG): UUID, GPU instance, compute instance."""

    uuid: str
    gpu_instance: int | None = None
    compute_instance: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU as NVML lists it; ``kind`` is alike for GPUs that CUDA cannot order by speed."""

    uuid: str
    pci_bus_id: str
    kind: str = ""
    mig: bool = False
    slices: tuple[Slice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The GPU that a CUDA ordinal stands for, and which slice of it."""

    gpu: Gpu
    slice: Slice | None = None

    @property
    def uuid(self) -> str:
        """Of the device that computes."""
        return self.slice.uuid if self.slice else self.gpu.uuid


def visible(
    gpus: Sequence[Gpu], environment: Mapping[str, str], *, whole: bool = True
) -> list[Target]:
    """What CUDA enumerates, in its order, as far as the environment tells.

    An entry that names no device ends the list, and one that is repeated empties it.
    """
    value = environment.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return [of_gpu(gpu) for gpu in _ordered(gpus, environment, whole)]
    found: list[Target] = []
    entries = [entry.strip() for entry in value.split(",")]
    for entry in entries:
        same = _form(entry) == _form(entries[0])  # a list is of one form
        target = _entry(entry, gpus, environment, whole) if same else None
        if target is None:
            break
        if any(target.uuid == other.uuid for other in found):
            return []
        found.append(target)
    return found[:1] if any(target.slice for target in found) else found


def _form(entry: str) -> str:
    return entry[:4] if entry.startswith(("GPU-", "MIG-")) else "number"


def _entry(
    entry: str, gpus: Sequence[Gpu], environment: Mapping[str, str], whole: bool
) -> Target | None:
    """One entry of ``CUDA_VISIBLE_DEVICES``; None where it names no device."""
    if entry.startswith("MIG-"):
        return of_slice(entry, gpus)
    if entry.startswith("GPU-"):
        return _by_prefix(entry, gpus)
    number = re.match(r"\+?0*([0-9]{1,9})(?![0-9])", entry)  # CUDA ignores what follows the digits
    if number is None:
        return None
    ordered = _ordered(gpus, environment, whole)
    index = int(number[1])
    return of_gpu(ordered[index]) if index < len(ordered) else None


def _ordered(gpus: Sequence[Gpu], environment: Mapping[str, str], whole: bool) -> list[Gpu]:
    """GPUs in CUDA's order; by bus where it was asked for or where all are alike."""
    by_bus = environment.get("CUDA_DEVICE_ORDER", "").strip().upper() == "PCI_BUS_ID"
    if len(gpus) > 1 and not by_bus and len({gpu.kind for gpu in gpus}) > 1:
        raise BadDevice(
            "CUDA orders unlike GPUs by a rule of its own, so that an index does not tell which "
            f"one is meant; {_ADVICE}, or set CUDA_DEVICE_ORDER=PCI_BUS_ID"
        )
    if not whole:
        raise BadDevice(
            f"some GPU cannot be read, so that an index does not tell which one is meant; {_ADVICE}"
        )
    return sorted(gpus, key=lambda gpu: bus_key(gpu.pci_bus_id))


def of_gpu(gpu: Gpu) -> Target:
    """A GPU as a device; one that is cut stands for its slice, if there is only one."""
    if not gpu.mig:
        return Target(gpu=gpu)
    if len(gpu.slices) == 1:
        return Target(gpu=gpu, slice=gpu.slices[0])
    raise BadDevice(
        f"{gpu.uuid} is cut into {len(gpu.slices)} slices (MIG), and nothing says which one is "
        "meant; set CUDA_VISIBLE_DEVICES to the MIG-… UUID of one"
    )


def _by_prefix(entry: str, gpus: Sequence[Gpu]) -> Target | None:
    found = [gpu for gpu in gpus if gpu.uuid.lower().startswith(entry.lower())]
    if len(found) > 1:
        raise BadDevice(
            f"{entry!r} in CUDA_VISIBLE_DEVICES is the beginning of {len(found)} UUIDs: "
            f"{', '.join(gpu.uuid for gpu in found)}; write more of it"
        )
    return of_gpu(found[0]) if found else None


def of_slice(entry: str, gpus: Sequence[Gpu]) -> Target | None:
    """A slice by its own UUID, or as drivers before 470 named it: GPU, instance, instance."""
    old = _OLD_SLICE.fullmatch(entry)
    found = [
        Target(gpu=gpu, slice=part)
        for gpu in gpus
        for part in gpu.slices
        if part.uuid.lower().startswith(entry.lower()) or (old and _is(gpu, part, old))
    ]
    if len(found) > 1:
        raise BadDevice(
            f"{entry!r} in CUDA_VISIBLE_DEVICES names {len(found)} slices: "
            f"{', '.join(target.uuid for target in found)}; write more of it"
        )
    return found[0] if found else None


def _is(gpu: Gpu, part: Slice, name: re.Match[str]) -> bool:
    instances = (part.gpu_instance, part.compute_instance)
    return gpu.uuid.lower() == name[1].lower() and instances == (int(name[2]), int(name[3]))


def bus_key(pci_bus_id: str) -> tuple[int, int, int]:
    """Domain, bus and device of a bus id in any of its notations."""
    found = re.fullmatch(
        r"(?:([0-9a-f]+):)?([0-9a-f]+):([0-9a-f]+)(?:\.[0-9a-f]+)?", pci_bus_id.strip().lower()
    )
    if found is None:
        raise BadDevice(f"expected a bus id such as 00000000:65:00.0, got {pci_bus_id[:40]!r}")
    domain, bus, device = (int(part or "0", 16) for part in found.groups())
    return domain, bus, device
