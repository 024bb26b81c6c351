"""What a device tells of itself: facts, state, what spoils a measurement, and its energy counter.

One shape for processors and GPUs, so that a run need not know which it is on. A reading that fails
raises ``TelemetryError`` with a reason code; what a device never tells is ``Missing`` with one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from tokonomy.errors import DeviceLost, TelemetryError
from tokonomy.store.fields import Boundary, Missing, Scalar
from tokonomy.store.observed import Flag

_T = TypeVar("_T")
_P = ParamSpec("_P")
_LONGEST = 480  # characters of a detail; a record takes a few more


def tried(read: Callable[_P, _T], *args: _P.args, **more: _P.kwargs) -> _T | Missing:
    """What a reading gives, or why there is none; a lost device still raises."""
    try:
        return read(*args, **more)
    except DeviceLost:
        raise
    except TelemetryError as error:
        return Missing(reason=error.reason, detail=error.detail[:_LONGEST] or None)


class Counter(Protocol):
    """Energy since some moment; only differences mean anything."""

    @property
    def meter(self) -> str:
        """What counts, as records name it."""

    @property
    def boundary(self) -> Boundary:
        """What the joules are of."""

    @property
    def device(self) -> str:
        """UUID of the device, or names of the domains."""

    @property
    def quantum_uj(self) -> int:
        """Step of the counter's unit, microjoules."""

    def read(self) -> int:
        """Microjoules, with wraps of the register undone.

        Raises ``TelemetryError``: ``counter-reset`` where it went back, others as the device fails.
        """

    def power_w(self) -> float | None:
        """Instantaneous power, watts; None where the device has no such field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusivity:
    """Whether this process has the device to itself.

    Attributes:
        proven: Nothing else is on it, by two independent signs; False where that cannot be told.
        foreign: What else is on it, if anything; then nothing may be measured.
        detail: What was seen, or why it cannot be told.
    """

    proven: bool
    foreign: Flag | None = None
    detail: str = ""


class Telemetry(Protocol):
    """A device while something is measured on it; closing it frees what it holds."""

    def facts(self) -> dict[str, Scalar]:
        """What does not change; keys are stable names, a value that cannot be read is null."""

    def state(self) -> dict[str, Scalar]:
        """What moves from one minute to the next: clocks, temperature, power, processes, ....

        Also what could not be watched until now, where there is such a thing.
        """

    def exclusivity(self) -> Exclusivity:
        """Whether anything else uses the device; asked before this process touches it."""

    def causes(self) -> list[Flag]:
        """What was observed since the last call (or since opening) that spoils measurements.

        Empty nearly always. Codes are those of ``tokonomy.measure.reasons``, such as
        ``throttled``, ``foreign-process``, ``limits-changed``, ``ecc-error``, ``suspended``.
        Raises ``DeviceLost``.
        """

    def temperature_c(self) -> float | None:
        """Of the device; None where unreadable."""

    def used_bytes(self) -> int | Missing:
        """Device memory in use by everyone, as the driver counts; missing on a processor."""

    def counter(self) -> Counter | Missing:
        """The energy counter, or why there is none."""

    def __enter__(self) -> Telemetry:
        """Open it."""

    def __exit__(self, *_: object) -> None:
        """Free what it holds."""
