"""Epochs of devices, from the reference's own latency over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tokonomy.store.epochs import Device, epoch
from tokonomy_site.figures import minute
from tokonomy_site.snapshot import Run, Snapshot
from tokonomy_site.tables import Cell, Table, text_table
from tokonomy_site.words import plural


def table(snapshot: Snapshot) -> Table | None:
    """When each device began a new epoch; None without any sentinel."""
    alike = Counter(device.device_class for device in snapshot.epochs)
    rows: list[tuple[str | Cell, ...]] = [
        (_name(device, alike), str(1 + len(begun)), ", ".join(map(minute, begun)) or "none seen")
        for device, begun in sorted(snapshot.epochs.items())
    ]
    heads = ("Device", "Epochs", "A new one began, UTC")
    return text_table("Epochs, from runs of the reference", heads, rows, 2) if rows else None


def _name(device: Device, alike: Counter[str]) -> str:
    """The device's class, and its machine where there are several of that class."""
    several = alike[device.device_class] > 1
    return f"{device.device_class}, machine {device.machine}" if several else device.device_class


def mixed(runs: Iterable[Run], snapshot: Snapshot) -> str:
    """What to say of rows from several epochs of one device; empty where there are none."""
    found: dict[Device, set[int]] = {}
    for run in runs:
        device = Device(run.device_class, run.machine)
        begun = snapshot.epochs.get(device, ())
        found.setdefault(device, set()).add(epoch(run.started, begun))
    most = max(map(len, found.values()), default=0)
    if most < 2:
        return ""
    return (
        f"These rows come from {plural(most, 'epoch')} of their device: in between, "
        "the reference's own latency shifted beyond chance. Speed-ups and ratios were each taken "
        "within one run; latencies and joules of rows of different epochs should not be compared."
    )
