"""Epochs of device classes, from the reference's own latency over time."""

from __future__ import annotations

from collections.abc import Iterable

from tokonomy.store.epochs import epoch
from tokonomy_site.snapshot import Run, Snapshot
from tokonomy_site.tables import Cell, Table, text_table
from tokonomy_site.words import plural


def table(snapshot: Snapshot) -> Table | None:
    """When each device class began a new epoch; None without any sentinel."""
    rows: list[tuple[str | Cell, ...]] = [
        (name, str(1 + len(begun)), ", ".join(_minute(at) for at in begun) or "none seen")
        for name, begun in sorted(snapshot.epochs.items())
    ]
    heads = ("Device class", "Epochs", "A new one began, UTC")
    return text_table("Epochs, from runs of the reference", heads, rows, 2) if rows else None


def _minute(at: str) -> str:
    return at[:16].replace("T", " ")


def mixed(runs: Iterable[Run], snapshot: Snapshot) -> str:
    """What to say of rows from several epochs of their device class; empty where they share one."""
    found = {epoch(r.started, snapshot.epochs.get(r.device_class, ())) for r in runs}
    if len(found) < 2:
        return ""
    return (
        f"These rows come from {plural(len(found), 'epoch')} of their device class: in between, "
        "the reference's own latency shifted beyond chance. Speed-ups and ratios were each taken "
        "within one run; latencies and joules of rows of different epochs should not be compared."
    )
