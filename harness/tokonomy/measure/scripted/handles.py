"""Functions of the scripted library that begin and end, and that find devices, in Python.

Arguments are those of NVML's own functions of the same name; each returns NVML's code.
"""

from __future__ import annotations

from typing import Any

from tokonomy.measure.scripted import names
from tokonomy.measure.scripted.arguments import address, number, point, put, target, write
from tokonomy.measure.scripted.player import Player, enter, fault


def init(player: Player, flags: Any = 0) -> int:
    """One more user."""
    code = fault(player, "nvmlInitWithFlags", None)
    player.users += 0 if code else 1
    return code


def shutdown(player: Player) -> int:
    """One user less."""
    code = enter(player, "nvmlShutdown", None, needs=False)
    player.users -= 0 if code else 1
    return code


def error_string(player: Player, code: Any) -> bytes:
    """The text of a code."""
    return names.ERRORS.get(number(code), names.UNNAMED).encode()


def cuda_version(player: Player, version: Any) -> int:
    """Newest CUDA of the driver."""
    code = enter(player, "nvmlSystemGetCudaDriverVersion", None, needs=False)
    if not code:
        target(version).value = player.profile.cuda
    return code


def process_name(player: Player, pid: Any, buffer: Any, length: Any) -> int:
    """Name of a process that the script knows."""
    code = enter(player, "nvmlSystemGetProcessName", None, needs=False)
    known = (one for device in player.devices for one in device.processes)
    found = [one.name for one in known if one.pid == number(pid)]
    if code or not found:
        return code or names.NOT_FOUND
    return write(buffer, number(length), found[0])


def count(player: Player, found: Any) -> int:
    """Number of GPUs."""
    code = enter(player, "nvmlDeviceGetCount_v2", None, needs=False)
    if not code:
        target(found).value = len(player.profile.gpus)
    return code


def _hand(player: Player, function: str, found: int | None, device: Any) -> int:
    """Give out the handle of a device that was looked for, by its place."""
    code = enter(player, function, None, needs=False)
    if code or found is None:
        return code or names.NOT_FOUND
    code = enter(player, function, player.devices[found])
    if not code:
        point(target(device), names.FIRST_DEVICE + found)
    return code


def by_index(player: Player, index: Any, device: Any) -> int:
    """The GPU of a number."""
    place = number(index)
    if player.users and place >= len(player.profile.gpus):
        return names.INVALID_ARGUMENT
    return _hand(player, "nvmlDeviceGetHandleByIndex_v2", place, device)


def by_uuid(player: Player, uuid: Any, device: Any) -> int:
    """The GPU or slice of a UUID."""
    wanted = uuid.value.decode()
    texts = [one.texts["nvmlDeviceGetUUID"] for one in player.devices]
    found = texts.index(wanted) if wanted in texts else None
    return _hand(player, "nvmlDeviceGetHandleByUUID", found, device)


def by_bus(player: Player, bus: Any, device: Any) -> int:
    """The GPU of a PCI bus id, however many digits its domain has."""
    wanted = location(bus.value.decode())
    places = [location(one.texts["nvmlDeviceGetPciInfo_v3"]) for one in player.devices]
    found = places.index(wanted) if wanted in places else None
    return _hand(player, "nvmlDeviceGetHandleByPciBusId_v2", found, device)


def location(bus: str) -> tuple[int, int, int] | None:
    """Domain, bus and device of a bus id; None of anything else."""
    try:
        parts = [int(part, 16) for part in bus.partition(".")[0].split(":")]
    except ValueError:
        return None
    if len(parts) == 2:
        parts = [0, *parts]
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None


def mig_by_index(player: Player, parent: Any, index: Any, device: Any) -> int:
    """A slice of a GPU."""
    owner = player.device(address(parent))
    code = enter(player, "nvmlDeviceGetMigDeviceHandleByIndex", owner)
    if code or owner is None:
        return code
    parts = [
        place for place, one in enumerate(player.devices) if one.is_slice and one.gpu == owner.gpu
    ]
    if owner.is_slice or number(index) >= len(parts):
        return names.NOT_FOUND
    point(target(device), names.FIRST_DEVICE + parts[number(index)])
    return names.SUCCESS


def parent(player: Player, part: Any, device: Any) -> int:
    """The GPU of a slice."""
    one = player.device(address(part))
    code = enter(player, "nvmlDeviceGetDeviceHandleFromMigDeviceHandle", one)
    if code or one is None or not one.is_slice:
        return code or names.INVALID_ARGUMENT
    point(target(device), names.FIRST_DEVICE + one.gpu)
    return names.SUCCESS


def is_slice(player: Player, handle: Any, answer: Any) -> int:
    """Whether a device is a slice."""
    one = player.device(address(handle))
    code = enter(player, "nvmlDeviceIsMigDeviceHandle", one)
    if not code and one is not None:
        target(answer).value = int(one.is_slice)
    return code


def pci(player: Player, handle: Any, info: Any) -> int:
    """Where a device is."""
    one = player.device(address(handle))
    code = enter(player, "nvmlDeviceGetPciInfo_v3", one)
    if code or one is None:
        return code
    text = one.texts["nvmlDeviceGetPciInfo_v3"]
    domain, bus, device = location(text) or (0, 0, 0)
    short = f"{domain:04X}:{bus:02X}:{device:02X}.0"
    put(target(info), busIdLegacy=short, domain=domain, bus=bus, device=device, busId=text)
    put(target(info), pciDeviceId=0, pciSubSystemId=0)
    return names.SUCCESS
