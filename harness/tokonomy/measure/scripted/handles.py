"""Functions of the scripted library that begin and end, and that find devices, in Python.

Arguments are those of NVML's own functions, with the device in the place of its handle where one is
asked something; each returns NVML's code.
"""

from __future__ import annotations

import re
from typing import Any

from tokonomy.measure.scripted import names
from tokonomy.measure.scripted.arguments import number, point, put, target, write
from tokonomy.measure.scripted.player import Player, enter, fault
from tokonomy.measure.scripted.script import Device

_HEX = "[0-9a-fA-F]{1,8}"
_BUS_ID = re.compile(rf"(?:({_HEX}):)?({_HEX}):({_HEX})(?:[.]{_HEX})?")


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
    found = places.index(wanted) if wanted and wanted in places else None
    return _hand(player, "nvmlDeviceGetHandleByPciBusId_v2", found, device)


def location(bus: str) -> tuple[int, int, int] | None:
    """Domain, bus and device of a bus id, ``[domain:]bus:device[.function]``; None of others."""
    found = _BUS_ID.fullmatch(bus)
    if found is None:
        return None
    domain, place, device = (int(part or "0", 16) for part in found.groups())
    return domain, place, device


def mig_by_index(player: Player, owner: Device, index: Any, part: Any) -> int:
    """A slice of a GPU."""
    parts = [
        place for place, one in enumerate(player.devices) if one.is_slice and one.gpu == owner.gpu
    ]
    if owner.is_slice or number(index) >= len(parts):
        return names.NOT_FOUND
    point(target(part), names.FIRST_DEVICE + parts[number(index)])
    return names.SUCCESS


def parent(player: Player, part: Device, owner: Any) -> int:
    """The GPU of a slice."""
    if not part.is_slice:
        return names.INVALID_ARGUMENT
    point(target(owner), names.FIRST_DEVICE + part.gpu)
    return names.SUCCESS


def is_slice(player: Player, device: Device, answer: Any) -> int:
    """Whether a device is a slice."""
    target(answer).value = int(device.is_slice)
    return names.SUCCESS


def pci(player: Player, device: Device, info: Any) -> int:
    """Where a device is."""
    text = device.texts["nvmlDeviceGetPciInfo_v3"]
    domain, bus, place = location(text) or (0, 0, 0)
    short = f"{domain:04X}:{bus:02X}:{place:02X}.0"
    put(target(info), busIdLegacy=short, domain=domain, bus=bus, device=place, busId=text)
    put(target(info), pciDeviceId=0, pciSubSystemId=0)
    return names.SUCCESS
