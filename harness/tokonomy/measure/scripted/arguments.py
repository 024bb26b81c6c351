"""Reading and writing what ``pynvml`` passes to a function of the library."""

from __future__ import annotations

import ctypes
from typing import Any

from tokonomy.measure.scripted import names


def target(reference: Any) -> Any:
    """What ``byref`` refers to."""
    return reference._obj


def number(argument: Any) -> int:
    """An input, be it a ctypes value or a plain number."""
    return int(getattr(argument, "value", argument))


def address(handle: Any) -> int:
    """The number of a handle; 0 of none. Handles point nowhere and are never followed."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def point(pointer: Any, handle: int) -> None:
    """Set a pointer to a handle."""
    ctypes.c_void_p.from_address(ctypes.addressof(pointer)).value = handle


def write(buffer: Any, length: int, text: str) -> int:
    """Write a text with its end mark, if there is room."""
    data = text.encode()
    if len(data) + 1 > length:
        return names.INSUFFICIENT_SIZE
    buffer.value = data
    return names.SUCCESS


def put(structure: Any, **values: Any) -> None:
    """Set fields of a structure."""
    for name, value in values.items():
        setattr(structure, name, value)
