"""What the scripted library reads of a device into a structure, in Python.

Arguments are those of NVML's own functions, with the device in the place of its handle; each
returns NVML's code.
"""

from __future__ import annotations

from typing import Any

from tokonomy.measure.scripted import names
from tokonomy.measure.scripted.arguments import number, put, target
from tokonomy.measure.scripted.course import whole
from tokonomy.measure.scripted.meter import counter_mj, power_mw
from tokonomy.measure.scripted.player import Player, answer
from tokonomy.measure.scripted.profile import Field
from tokonomy.measure.scripted.script import Device

MEMORY_V2, TEMPERATURE_V1 = 0x02000028, 0x0100000C


def memory(player: Player, device: Device, info: Any) -> int:
    """Bytes: all, free, used (here with those that the driver reserves)."""
    total, reserved, used = _memory(player, device)
    put(target(info), total=total, free=total - reserved - used, used=reserved + used)
    return names.SUCCESS


def memory_v2(player: Player, device: Device, info: Any) -> int:
    """Bytes: all, reserved, free, used."""
    if target(info).version != MEMORY_V2:
        return names.ARGUMENT_VERSION_MISMATCH
    total, reserved, used = _memory(player, device)
    free = total - reserved - used
    put(target(info), total=total, reserved=reserved, free=free, used=used)
    return names.SUCCESS


def _memory(player: Player, device: Device) -> tuple[int, int, int]:
    found = [answer(player, device, "nvmlDeviceGetMemoryInfo", 0, slot) or 0 for slot in range(3)]
    return found[0], found[1], found[2]


def utilization(player: Player, device: Device, rates: Any) -> int:
    """Per cent of time that kernels ran, that memory was read or written."""
    table = "nvmlDeviceGetUtilizationRates"
    gpu, used = (answer(player, device, table, 0, slot) for slot in (0, 1))
    if gpu is None or used is None:
        return names.NOT_SUPPORTED
    put(target(rates), gpu=gpu, memory=used)
    return names.SUCCESS


def temperature(player: Player, device: Device, info: Any) -> int:
    """Degrees Celsius of a sensor, in the form with a version."""
    if target(info).version != TEMPERATURE_V1:
        return names.ARGUMENT_VERSION_MISMATCH
    sensor = number(target(info).sensorType)
    found = answer(player, device, "nvmlDeviceGetTemperature", sensor, 0)
    if found is None:
        return names.NOT_SUPPORTED
    target(info).temperature = found
    return names.SUCCESS


def violation(player: Player, device: Device, policy: Any, times: Any) -> int:
    """Reference time in microseconds, time spent in violation of a policy in nanoseconds."""
    found = answer(player, device, "nvmlDeviceGetViolationStatus", number(policy), 0)
    if found is None:
        return names.NOT_SUPPORTED
    put(target(times), referenceTime=player.clock.now() // 1000, violationTime=found)
    return names.SUCCESS


def power(player: Player, device: Device, milliwatts: Any) -> int:
    """Power of the board as the driver averages it."""
    if device.meter is None:
        return names.NOT_SUPPORTED
    target(milliwatts).value = power_mw(device.meter, player.now(), device.meter.usage_ns)
    return names.SUCCESS


def energy(player: Player, device: Device, millijoules: Any) -> int:
    """Energy of the board."""
    if device.meter is None or not device.counts:
        return names.NOT_SUPPORTED
    target(millijoules).value = counter_mj(device.meter, player.now())
    return names.SUCCESS


def field_values(player: Player, device: Device, count: Any, values: Any) -> int:
    """Several values by number; each has a code of its own."""
    for index in range(number(count)):
        entry = target(values)[index]
        entry.timestamp, entry.latencyUsec = player.clock.now() // 1000, 0
        entry.nvmlReturn = _fill(player, device, entry)
    return names.SUCCESS


def _fill(player: Player, device: Device, entry: Any) -> int:
    known = [one for one in device.fields if (one.id, one.scope) == (entry.fieldId, entry.scopeId)]
    if not known:
        return names.NOT_SUPPORTED
    entry.valueType = known[0].type
    if known[0].code:
        return known[0].code
    found = _field(player, device, known[0])
    if found is None:
        return names.NOT_SUPPORTED
    entry.value.ullVal = 0
    if known[0].type == names.UNSIGNED_INT:
        entry.value.uiVal = found
    else:
        entry.value.ullVal = found
    return names.SUCCESS


def _field(player: Player, device: Device, known: Field) -> int | None:
    now = player.now()
    if known.source == "course":
        return whole(known.course, now / 1e9)
    one = device.module if known.scope == names.SCOPE_MODULE else device.meter
    if one is None or (known.source == "energy" and not device.counts):
        return None
    if known.source == "energy":
        return counter_mj(one, now)
    return power_mw(one, now, one.seen_ns if known.source == "instant" else one.average_ns)
