"""The only door to NVML: opening it, calling it, and translating its errors, once, into ours.

A function that an older driver lacks falls back to the name it had before. Strings that come from a
driver are untrusted: they are decoded, cleaned and cut. Sources: NVIDIA's NVML API reference, and
the module ``pynvml`` of nvidia-ml-py.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, ParamSpec, TypeVar

import pynvml

from tokonomy.errors import DeviceLost, TelemetryError
from tokonomy.measure.telemetry import tried
from tokonomy.store.fields import Missing

_T = TypeVar("_T")
_P = ParamSpec("_P")
_LONGEST = 200  # the longest string that NVML itself promises is 96
_NONE_32, _NONE_64 = 2**32 - 1, 2**64 - 1  # what stands for "not available" in unsigned values

_REASONS: Final = {
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "nvml-library-missing",
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "driver-not-loaded",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "driver-version-mismatch",
    pynvml.NVML_ERROR_NOT_SUPPORTED: "nvml-not-supported",
    pynvml.NVML_ERROR_NO_PERMISSION: "nvml-no-permission",
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND: "nvml-function-missing",
    # A structure newer than the driver is a function that it lacks.
    pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH: "nvml-function-missing",
    pynvml.NVML_ERROR_TIMEOUT: "nvml-timeout",
    pynvml.NVML_ERROR_GPU_IS_LOST: "device-lost",
    pynvml.NVML_ERROR_RESET_REQUIRED: "device-lost",
}
#: By the type a field says it has: where its value is, and what would stand for none.
_NUMBERS: Final = {
    pynvml.NVML_VALUE_TYPE_DOUBLE: ("dVal", None),
    pynvml.NVML_VALUE_TYPE_UNSIGNED_INT: ("uiVal", _NONE_32),
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG: ("ulVal", _NONE_64),
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: ("ullVal", _NONE_64),
    pynvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: ("sllVal", None),
    pynvml.NVML_VALUE_TYPE_SIGNED_INT: ("siVal", None),
    pynvml.NVML_VALUE_TYPE_UNSIGNED_SHORT: ("usVal", None),
}

#: Asks for memory with the driver's reserve apart.
MEMORY_V2: Final[int] = pynvml.nvmlMemory_v2
SM: Final[int] = pynvml.NVML_CLOCK_SM
MEMORY: Final[int] = pynvml.NVML_CLOCK_MEM
POWER_AVERAGE: Final[int] = pynvml.NVML_FI_DEV_POWER_AVERAGE
POWER_INSTANT: Final[int] = pynvml.NVML_FI_DEV_POWER_INSTANT
#: Parts of a machine that a power field can be asked about.
SCOPES: Final = {"gpu": 0, "module": 1, "memory": 2}
UNCORRECTED: Final[int] = pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED
SINCE_LOAD: Final[int] = pynvml.NVML_VOLATILE_ECC
APPLICATION: Final[int] = pynvml.NVML_CLOCK_ID_APP_CLOCK_TARGET
APPLICATION_DEFAULT: Final[int] = pynvml.NVML_CLOCK_ID_APP_CLOCK_DEFAULT
XID: Final[int] = pynvml.nvmlEventTypeXidCriticalError
DOUBLE_BIT: Final[int] = pynvml.nvmlEventTypeDoubleBitEccError


def _said(code: int) -> str:
    """A return code in NVML's words."""
    try:
        return clean(str(pynvml.NVMLError(code)))
    except UnicodeDecodeError as error:  # of a code that only the driver has words for
        return clean(error.object)


def failure(code: int, asked: str) -> TelemetryError:
    """Our error for one of NVML's return codes."""
    reason = _REASONS.get(code, "nvml-error")
    detail = f"{asked}: {_said(code)} (NVML code {code})"
    return (DeviceLost if reason == "device-lost" else TelemetryError)(reason, detail)


def ask(name: str, *args: object) -> Any:
    """What a function of NVML returns; raises ``TelemetryError`` or ``DeviceLost``."""
    call = getattr(pynvml, name, None)
    if call is None:
        raise TelemetryError("nvml-function-missing", f"{name}: this nvidia-ml-py lacks it")
    try:
        return call(*args)
    except pynvml.NVMLError as error:
        raise failure(int(error.value), name) from None
    except pynvml.NVMLLibraryMismatchError:
        raise TelemetryError("nvml-function-missing", f"{name}: older driver") from None


def newest(names: Sequence[str], *args: object) -> Any:
    """What the first of some functions returns that the driver has; newest name first."""
    for name in names[:-1]:
        try:
            return ask(name, *args)
        except TelemetryError as error:
            if error.reason != "nvml-function-missing":
                raise
    return ask(names[-1], *args)


def either(*reads: Callable[[], _T]) -> _T:
    """The first of some ways to one reading that the device answers; a lost device still raises."""
    for read in reads[:-1]:
        try:
            return read()
        except DeviceLost:
            raise
        except TelemetryError:
            continue
    return reads[-1]()


def told(read: Callable[_P, _T], *args: _P.args, **more: _P.kwargs) -> _T | None:
    """What a reading gives, None where the device does not tell; a lost device still raises."""
    found = tried(read, *args, **more)
    return None if isinstance(found, Missing) else found


def clean(text: str | bytes) -> str:
    """A driver's string: decoded, without control characters, cut to a bounded length."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    shown = "".join(char for char in text if unicodedata.category(char) not in {"Cc", "Cf"})
    return shown.strip()[:_LONGEST]


def text(name: str, *args: object, part: str | None = None) -> str:
    """A string from NVML, or a part of a structure that is one, cleaned."""
    try:
        found = ask(name, *args)
        return clean(found if part is None else getattr(found, part))
    except UnicodeDecodeError as error:  # the binding decodes strictly
        return clean(error.object)


def field(handle: object, number: int, scope: int = 0) -> float:
    """One field value, by its own return code and in its own type."""
    (value,) = ask("nvmlDeviceGetFieldValues", handle, [(number, scope)])
    return _number(value, number, scope)


def fields(handle: object, *wanted: tuple[int, int]) -> list[float | Missing]:
    """Values of several fields by number and scope, read at once, each a number or with a reason.

    Raises only what concerns them all.
    """
    values = ask("nvmlDeviceGetFieldValues", handle, list(wanted))
    return [tried(_number, value, *each) for value, each in zip(values, wanted, strict=True)]


def _number(value: Any, number: int, scope: int) -> float:
    asked = f"nvmlDeviceGetFieldValues({number}, scope {scope})"
    if value.nvmlReturn != pynvml.NVML_SUCCESS:
        raise failure(int(value.nvmlReturn), asked)
    place, none = _NUMBERS.get(value.valueType, (None, None))
    if place is None:
        raise TelemetryError("nvml-error", f"{asked}: unknown value type {value.valueType}")
    found: float = getattr(value.value, place)
    if found == none or not math.isfinite(found) or found < 0:
        raise TelemetryError("nvml-error", f"{asked}: {found!r} is no reading")
    return found


@contextmanager
def library() -> Iterator[None]:
    """NVML while it is used; it counts its users itself, so this nests."""
    ask("nvmlInit")
    try:
        yield
    finally:
        with suppress(TelemetryError):  # nothing is left to be done about it
            ask("nvmlShutdown")
