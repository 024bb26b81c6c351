"""Findings from sessions: the small steps that every kind of session shares. Pure over rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from tokonomy.run.job import Job
from tokonomy.stats.latency import percentile
from tokonomy.stats.paired import wilson
from tokonomy.store.calibration import Finding
from tokonomy.store.rows import Run

Runs = Mapping[str, Run]  # by cell key

FAILED = 0.05
"""Most sessions without an interval: a guard that ends one unmodified model in twenty would end as
many honest methods."""


class Ratio(NamedTuple):
    """A measured latency ratio with its interval."""

    value: float
    low: float
    high: float

    def covers(self, truth: float) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= truth <= self.high


def place(job: Job) -> str:
    """Where a session is, in words."""
    cell = job.cell
    size = "" if cell.batch_size == 1 else f" {cell.batch_size}"
    return f"{cell.task.ref} / {cell.model.ref} / {cell.scenario}{size}"


def by_place(jobs: Sequence[Job]) -> dict[str, list[Job]]:
    """Sessions by where they are."""
    found: dict[str, list[Job]] = {}
    for job in jobs:
        found.setdefault(place(job), []).append(job)
    return found


def ok(jobs: Sequence[Job], runs: Runs) -> list[Run]:
    """Runs of these sessions that ended well."""
    found = [runs[job.cell.key] for job in jobs if job.cell.key in runs]
    return [run for run in found if run.status == "ok"]


def ratios(jobs: Sequence[Job], runs: Runs) -> list[Ratio]:
    """Measured ratios of these sessions; those without an interval are left out."""
    found = [run.metrics["latency_ratio"] for run in ok(jobs, runs)]
    return [
        Ratio(each.value, each.low, each.high)
        for each in found
        if each.value is not None and each.low is not None and each.high is not None
    ]


def share(
    name: str,
    setting: str,
    hits: int,
    n: int,
    *,
    least: float | None = None,
    most: float | None = None,
) -> list[Finding]:
    """A share with Wilson's interval; nothing of no sessions."""
    if not n:
        return []
    found = wilson(hits, n)
    return [
        Finding(name=name, setting=setting, unit="1", value=hits / n, low=found.low,
                high=found.high, n=n, least=least, most=most)
    ]  # fmt: skip


def middle(
    name: str,
    setting: str,
    unit: str,
    values: Sequence[float],
    *,
    least: float | None = None,
    most: float | None = None,
) -> list[Finding]:
    """A median with its order-statistic interval, which needs six values; nothing of none."""
    if not values:
        return []
    found = percentile(values, 0.5)
    return [
        Finding(name=name, setting=setting, unit=unit, value=float(median(values)), low=found.low,
                high=found.high, n=len(values), least=least, most=most)
    ]  # fmt: skip


def failed(setting: str, jobs: Sequence[Job], runs: Runs) -> list[Finding]:
    """The share of made sessions that left no interval."""
    made = sum(job.cell.key in runs for job in jobs)
    return share("failed", setting, made - len(ratios(jobs, runs)), made, most=FAILED)
