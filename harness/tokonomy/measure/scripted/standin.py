"""The scripted library in Python, for machines without a compiler.

An object that is put where ``pynvml`` keeps the loaded library. Its functions take what ``pynvml``
passes (ctypes values, buffers, references) and write into it, as ``nvml.c`` does.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from typing import Any

from tokonomy.measure.scripted import names
from tokonomy.measure.scripted.answers import OF_DEVICE, OWN
from tokonomy.measure.scripted.arguments import address, number, put, target, write
from tokonomy.measure.scripted.player import Player, answer, enter, pid, running
from tokonomy.measure.scripted.script import Device

Function = Callable[..., Any]


class Standin:
    """Has the functions of a library as attributes; a missing one raises ``AttributeError``."""

    def __init__(self, player: Player) -> None:
        self._player = player
        for name in names.FUNCTIONS - set(player.profile.missing):
            setattr(self, name, _function(player, name))


def _function(player: Player, name: str) -> Function:
    """The function of a name; a ``partial``, since ``pynvml`` sets attributes of it."""
    if name in names.SYSTEM_TEXTS:
        return partial(_system, player, name)
    if name in OWN:
        return partial(OWN[name], player)
    return partial(_ask, player, name, _of_device(name))


def _of_device(name: str) -> Function:
    if name in names.SCALARS:
        return partial(_scalar, name)
    if name in names.TEXTS:
        return partial(_text, name)
    if name in names.PROCESSES:
        return partial(_processes, name)
    return OF_DEVICE[name]


def _ask(player: Player, name: str, function: Function, handle: Any, *arguments: Any) -> int:
    """What a function says of the device behind a handle, where no error comes before."""
    device = player.device(address(handle))
    code = enter(player, name, device)
    if code or device is None:
        return code
    said: int = function(player, device, *arguments)
    return said


def _scalar(name: str, player: Player, device: Device, *arguments: Any) -> int:
    outputs = arguments[len(arguments) - names.SCALARS[name] :]
    inputs = 0
    for argument in arguments[: len(arguments) - len(outputs)]:
        inputs = inputs * 16 + number(argument)
    values = [answer(player, device, name, inputs, slot) for slot in range(len(outputs))]
    for output, value in zip(outputs, values, strict=True):
        if value is None:
            return names.NOT_SUPPORTED
        target(output).value = value
    return names.SUCCESS


def _text(name: str, player: Player, device: Device, buffer: Any, length: Any) -> int:
    text = device.texts.get(name)
    return names.NOT_SUPPORTED if text is None else write(buffer, number(length), text)


def _system(player: Player, name: str, buffer: Any, length: Any) -> int:
    text = player.profile.driver
    if name == "nvmlSystemGetNVMLVersion":
        text = player.profile.nvml
    return enter(player, name, None, needs=False) or write(buffer, number(length), text)


def _processes(name: str, player: Player, device: Device, count: Any, array: Any) -> int:
    found = running(player, device, names.PROCESSES[name])
    room = target(count).value
    target(count).value = len(found)
    if len(found) > room:
        return names.INSUFFICIENT_SIZE
    instances = [
        answer(player, device, function, 0, 0)
        for function in ("nvmlDeviceGetGpuInstanceId", "nvmlDeviceGetComputeInstanceId")
    ]
    whole = [ctypes.c_uint(-1).value if one is None else one for one in instances]
    for index, process in enumerate(found):
        used = process.memory_bytes
        put(
            array[index],
            pid=pid(process),
            usedGpuMemory=ctypes.c_ulonglong(-1).value if used is None else used,
            gpuInstanceId=whole[0],
            computeInstanceId=whole[1],
        )
    return names.SUCCESS
