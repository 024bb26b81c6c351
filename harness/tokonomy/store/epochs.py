"""Epochs: spans of time in which one device did the same work at the same speed.

Every run of the reference is a sentinel: the unmodified model, timed on data and weights that do
not change. Where its latency shifts beyond chance, between one sitting and the next, a new epoch
begins, whatever the cause: another kernel, another driver, a lower clock, a busier neighbour.
Chance is what independent sittings of a machine that does not change would show; one that wanders
has shifts too. Ratios taken within one run survive that; figures of two runs across it are not
compared without saying so.

Pure over records; nothing is stored.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import NamedTuple, TypeVar

from tokonomy.stats import changes
from tokonomy.store.derive import withheld
from tokonomy.store.fields import Scalar, content_hash
from tokonomy.store.observed import Timing
from tokonomy.store.record import Record
from tokonomy.store.rows import sortable

REFERENCE = "reference"

T = TypeVar("T")

PAUSE = timedelta(minutes=30)
"""A longer time between two runs ends a sitting. Within one, a machine warms up and
its neighbours come and go for minutes; only what lasts until another sitting is a shift."""


_TELLING = ("cpu", "machine", "cpus")  # what stays the same for as long as a machine does


class Device(NamedTuple):
    """One device: its class, and 12 hex digits that tell it from most others of that class."""

    device_class: str
    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinel:
    """One timing of the unmodified model.

    Attributes:
        started: When its run started, UTC with six decimals, so that text sorts as time.
        device: Which one it was.
        work: What was timed: the same work has the same speed on the same machine. Seeds, versions
            of libraries and of the harness are no part of it.
        latency_ns: Median latency of the reference's calls.
    """

    started: str
    device: Device
    work: tuple[object, ...]
    latency_ns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """Runs of one sentinel soon after one another."""

    first: str
    last: str
    latency_ns: float


def device(record: Record) -> Device:
    """The device of a run: a GPU is told by its own number, a processor by its machine."""
    hardware = record.machine.hardware
    known = hardware.get("gpu_uuid") or [*map(hardware.get, _TELLING), _gib(hardware)]
    return Device(record.cell.device_class, content_hash(known)[:12])


def _gib(hardware: Mapping[str, Scalar]) -> int | None:
    """Memory, rounded: a kernel keeps some of it for itself, and another one some more."""
    size = hardware.get("memory_bytes")
    return round(size / 2**30) if isinstance(size, int | float) else None


def sentinel(record: Record) -> Sentinel | None:
    """The sentinel that a record is; None where it is none, as on a scripted device."""
    cell, timing = record.cell, record.timing
    if withheld(record) or cell.method.id != REFERENCE:
        return None
    if not isinstance(timing, Timing) or not timing.pairs:
        return None
    return Sentinel(
        started=sortable(record.started),
        device=device(record),
        work=(cell.family, cell.task.data_hash, cell.model.weights_hash, cell.precision,
              cell.scenario, cell.batch_size, cell.mode, cell.threads),
        latency_ns=median(pair.reference_ns for pair in timing.pairs),
    )  # fmt: skip


def starts(sentinels: Iterable[Sentinel]) -> list[str]:
    """When a new epoch began, oldest first, from sentinels of one device.

    Each shift of a sentinel lies between two of its sittings. The level of chance is shared by all
    sentinels, so that more of them do not bring more shifts that are none. Shifts of several that
    may be one and the same are one: the fewest moments are taken that lie within them all.
    """
    series: dict[tuple[object, ...], list[Sentinel]] = {}
    for each in sorted(sentinels, key=lambda each: each.started):
        series.setdefault(each.work, []).append(each)
    level = changes.LEVEL / max(1, len(series))
    spans = [span for runs in series.values() for span in _shifts(_sittings(runs), level)]
    found: list[str] = []
    for last, first in sorted(spans, key=lambda span: span[1]):
        if not found or last >= found[-1]:
            found.append(first)
    return found


def by_device(sentinels: Iterable[Sentinel]) -> dict[Device, list[str]]:
    """``starts`` of every device that has sentinels."""
    found: dict[Device, list[Sentinel]] = {}
    for each in sentinels:
        found.setdefault(each.device, []).append(each)
    return {one: starts(runs) for one, runs in found.items()}


def epoch(started: str, begun: Sequence[str]) -> int:
    """The epoch in which a run started, counted from 1.

    >>> begun = ["2026-02-01T00:00:00.000000Z"]
    >>> epoch("2026-01-31T23:59:59Z", begun), epoch("2026-02-01T00:00:00Z", begun)
    (1, 2)
    """
    return 1 + bisect_right(begun, sortable(started))


def across(first: Record, second: Record, begun: Mapping[Device, Sequence[str]]) -> str | None:
    """What to say of two runs on one device in different epochs; None where they share one.

    Args:
        first: One run.
        second: The other.
        begun: From ``by_device``.
    """
    where = device(first)
    if where != device(second):
        return None
    moments = begun.get(where, ())
    ours, theirs = (epoch(record.started, moments) for record in (first, second))
    if ours == theirs:
        return None
    passed = moments[min(ours, theirs) - 1 : max(ours, theirs) - 1]
    return (
        f"across epochs: the first run is of epoch {ours}, the second of epoch {theirs} "
        f"of {where.device_class}; the reference's own latency shifted beyond chance "
        f"at {', '.join(passed)}"
    )


def sittings(runs: Iterable[T], started: Callable[[T], str]) -> list[list[T]]:
    """Runs by sitting, oldest first: those that started soon after one another.

    Args:
        runs: Any runs of one machine.
        started: When one of them started, UTC.
    """
    groups: list[list[T]] = []
    last: datetime | None = None
    for each in sorted(runs, key=lambda each: sortable(started(each))):
        now = datetime.fromisoformat(started(each))
        if last is not None and now - last <= PAUSE:
            groups[-1].append(each)
        else:
            groups.append([each])
        last = now
    return groups


def _sittings(runs: Iterable[Sentinel]) -> list[Sitting]:
    return [
        Sitting(first=group[0].started, last=group[-1].started,
                latency_ns=median(each.latency_ns for each in group))
        for group in sittings(runs, lambda each: each.started)
    ]  # fmt: skip


def _shifts(sittings: Sequence[Sitting], level: float) -> list[tuple[str, str]]:
    """Between which moments a sentinel's latency shifted: the last before and the first after."""
    numbers = changes.numbers([each.latency_ns for each in sittings], level=level)
    return [
        (before.last, after.first)
        for (before, old), (after, new) in pairwise(zip(sittings, numbers, strict=True))
        if old != new
    ]
