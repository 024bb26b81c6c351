"""Which records are of a device that was played from a script: nothing in them was measured.

By name only: whatever a scripted device calls itself begins so, and a record may be from anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from tokonomy.store.observed import Energy
from tokonomy.store.record import Record

_SCRIPTED = "scripted"


def scripted(record: Record) -> bool:
    """Whether any name that a device goes by in a record is that of a scripted one."""
    return any(scripted_name(name) for name in _devices(record))


def scripted_name(name: str) -> bool:
    """Whether a device of this name, or a class of such devices, is played from a script.

    >>> scripted_name("cuda: Scripted GPU"), scripted_name("cpu: Example 9000")
    (True, False)
    """
    parts = (name, name.partition(":")[2])
    return any(part.strip().lower().startswith(_SCRIPTED) for part in parts)


def _devices(record: Record) -> Iterator[str]:
    yield record.cell.device
    yield record.cell.device_class
    yield from (value for value in record.machine.hardware.values() if isinstance(value, str))
    if isinstance(record.energy, Energy):
        yield from (record.energy.meter, record.energy.device)
