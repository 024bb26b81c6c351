"""The door for energy meters. No meter is built in yet, and a zero would be a lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tokonomy.store.record import Missing


class EnergyMeter(Protocol):
    """Measures the energy of continuous work, in a pass of its own."""

    name: str

    def measure(self, work: Callable[[], object]) -> Missing:
        """Joules of repeating ``work``; a meter that can give them widens this type."""


class NoMeter:
    """Says why there is no figure."""

    name = "none"

    def measure(self, work: Callable[[], object]) -> Missing:
        """Nothing is run."""
        return Missing(
            reason="no-energy-meter", detail="no energy meter is built in for this device"
        )
