"""Sets of events, in Python: made, registered with, waited for, freed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from tokonomy.measure.scripted import names
from tokonomy.measure.scripted.arguments import address, number, point, put, target
from tokonomy.measure.scripted.player import Player, Watch, answer, enter, happened, lost


def create(player: Player, handle: Any) -> int:
    """A new set."""
    code = enter(player, "nvmlEventSetCreate", None, needs=False)
    if code:
        return code
    free = [names.FIRST_SET + n for n in range(names.EVENT_SETS)]
    free = [one for one in free if one not in player.watches]
    if not free:
        return names.INSUFFICIENT_SIZE
    player.watches[free[0]] = Watch()
    point(target(handle), free[0])
    return names.SUCCESS


def register(player: Player, device: Any, kinds: Any, handle: Any) -> int:
    """Watch kinds of events of a device from now on."""
    name = "nvmlDeviceRegisterEvents"
    one = player.device(address(device))
    code = enter(player, name, one)
    watch = player.watches.get(address(handle))
    if code or one is None or watch is None:
        return code or names.INVALID_ARGUMENT
    supported = answer(player, one, "nvmlDeviceGetSupportedEventTypes", 0, 0)
    if supported is None or number(kinds) & ~supported:
        return names.NOT_SUPPORTED
    place = address(device) - names.FIRST_DEVICE
    watch.since.append((place, number(kinds), player.now()))
    return names.SUCCESS


def wait(player: Player, handle: Any, data: Any, timeout_ms: Any) -> int:
    """The next event of a set, or a time-out."""
    code = enter(player, "nvmlEventSetWait_v2", None, needs=False)
    watch = player.watches.get(address(handle))
    if code or watch is None:
        return code or names.INVALID_ARGUMENT
    deadline = player.now() + number(timeout_ms) * 1_000_000
    for place, (at, device, kind, detail) in enumerate(happened(player)):
        wanted = any(
            one == device and kinds & kind and since <= at for one, kinds, since in watch.since
        )
        if place < watch.told or at > deadline or not wanted:
            continue
        player.wait(at - player.now())
        watch.told = place + 1
        none = ctypes.c_uint(-1).value
        put(target(data), eventType=kind, eventData=detail)
        put(target(data), gpuInstanceId=none, computeInstanceId=none)
        point(target(data), names.FIRST_DEVICE + device)  # the first field of the structure
        return names.SUCCESS
    if any(lost(player, player.devices[device]) for device, _, _ in watch.since):
        return names.GPU_IS_LOST
    player.wait(deadline - player.now())
    return names.TIMEOUT


def free(player: Player, handle: Any) -> int:
    """Give a set back."""
    code = enter(player, "nvmlEventSetFree", None, needs=False)
    if code or address(handle) not in player.watches:
        return code or names.INVALID_ARGUMENT
    del player.watches[address(handle)]
    return names.SUCCESS


EVENTS: dict[str, Callable[..., Any]] = {
    "nvmlEventSetCreate": create,
    "nvmlDeviceRegisterEvents": register,
    "nvmlEventSetWait_v2": wait,
    "nvmlEventSetFree": free,
}
