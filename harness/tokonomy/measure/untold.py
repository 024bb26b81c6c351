"""A GPU whose driver tells nothing: work runs on it, and what cannot be read is missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from tokonomy.errors import TelemetryError
from tokonomy.measure.cpu import CpuTelemetry
from tokonomy.measure.telemetry import Exclusivity, Telemetry
from tokonomy.store.fields import Missing, Scalar
from tokonomy.store.observed import Flag


@dataclass(slots=True)
class UntoldTelemetry:
    """Telemetry of a device without any.

    Attributes:
        why: Why the driver does not tell.
        known: Facts that are known without it.
        host: The processors that drive it, which are watched all the same.
    """

    why: TelemetryError
    known: dict[str, Scalar] = field(default_factory=dict)
    host: Telemetry = field(default_factory=CpuTelemetry)

    def __enter__(self) -> Self:
        """Nothing is held open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""

    def facts(self) -> dict[str, Scalar]:
        """What is known without the driver."""
        return self.known

    def state(self) -> dict[str, Scalar]:
        """Of the processors, and that the driver does not tell."""
        return self.host.state() | {"gpu_unwatched": f"everything: {self.why.reason}"}

    def exclusivity(self) -> Exclusivity:
        """Cannot be told."""
        return Exclusivity(proven=False, detail=str(self.why)[:500])

    def causes(self) -> list[Flag]:
        """What was observed on the processors."""
        return self.host.causes()

    def temperature_c(self) -> None:
        """Cannot be told."""

    def used_bytes(self) -> Missing:
        """Missing, with why."""
        return self._missing()

    def counter(self) -> Missing:
        """Missing, with why."""
        return self._missing()

    def _missing(self) -> Missing:
        return Missing(reason=self.why.reason, detail=self.why.detail[:500])
