"""What a run is for. Only results stand in tables of results, charts, fronts and counts of them.

A planted control is slow or large on purpose, calibration times the reference against itself, and
on a scripted device nothing was measured at all: each has its run page, labelled, and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from tokonomy.store.record import Energy, Record

Role = Literal["result", "calibration", "control", "scripted"]

CALIBRATION = "calibration"  # name of the suite whose runs test the ruler
_PLANTED = "planted-"  # begins the id of a control, for records whose method is not installed here
_SCRIPTED = "scripted"  # begins the name of a device that a profile plays

ROLE_MEANING: Mapping[str, str] = {
    "result": "a result",
    "calibration": "made to test the ruler, so in no table of results",
    "control": "planted: slow or large on purpose, so in no table of results",
    "scripted": "simulated: the device is scripted, so nothing in it was measured",
}


def role(record: Record, kinds: Mapping[str, str]) -> Role:
    """What a run is for.

    Args:
        record: What it left.
        kinds: Kind of each method that is installed.
    """
    method = record.cell.method.id
    if any(simulated_device(name) for name in _devices(record)):
        return "scripted"
    if kinds.get(method) == "control" or method.startswith(_PLANTED):
        return "control"
    return "calibration" if record.suite == CALIBRATION else "result"


def simulated_device(name: str) -> bool:
    """Whether a device of this name, or a class of such devices, is played from a profile.

    >>> simulated_device("cuda: Scripted GPU"), simulated_device("cpu: Example 9000")
    (True, False)
    """
    parts = (name, name.partition(":")[2])
    return any(part.strip().lower().startswith(_SCRIPTED) for part in parts)


def _devices(record: Record) -> Iterator[str]:
    """Every name that a device goes by in a record."""
    yield record.cell.device
    yield record.cell.device_class
    yield from (value for value in record.machine.hardware.values() if isinstance(value, str))
    if isinstance(record.energy, Energy):
        yield from (record.energy.meter, record.energy.device)
