"""Which runs of a plan are to be made now, and how long they will take. Needs no torch."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence

from tokonomy.errors import BadParameter
from tokonomy.run.job import Job
from tokonomy.store.rows import Run

_GUESS_S = 4.0  # a run of an embedded model on two cores, where nothing is known
_FINAL = ("ok", "unsupported")  # would end the same way again
_OURS = ("supervisor-lost", "raise-in-harness")  # says nothing about the cell


def _names(job: Job) -> dict[str, Collection[str]]:
    """What ``--only`` may call a run by."""
    cell = job.cell
    size = f"offline:{cell.batch_size}"
    return {
        "method": {cell.method.id},
        "task": {cell.task.id, cell.task.ref},
        "model": {cell.model.id, cell.model.ref},
        "scenario": {cell.scenario, "stream" if cell.scenario == "stream" else size},
        "precision": {cell.precision},
        "mode": {cell.mode},
    }


def only(jobs: Sequence[Job], wanted: str) -> tuple[Job, ...]:
    """The runs that ``method=…,task=…`` selects; a name given twice means either value."""
    asked: dict[str, set[str]] = {}
    for part in filter(None, (part.strip() for part in wanted.split(","))):
        name, _, value = part.partition("=")
        if name not in ("method", "task", "model", "scenario", "precision", "mode") or not value:
            raise BadParameter(
                f"--only takes method=…, task=…, model=…, scenario=…, precision=… and mode=…, "
                f"separated by commas; got {part!r}"
            )
        asked.setdefault(name, set()).add(value)
    for name, values in asked.items():
        known = {value for job in jobs for value in _names(job)[name]}
        if values - known:
            raise BadParameter(
                f"--only: no run of this plan has {name}="
                f"{min(values - known)}; it has {', '.join(sorted(known))}"
            )
    return tuple(
        job
        for job in jobs
        if all(values & set(_names(job)[name]) for name, values in asked.items())
    )


def pending(
    jobs: Iterable[Job],
    statuses: Mapping[str, tuple[str, str, str | None]],
    *,
    retry_failed: bool = False,
    fresh: bool = False,
) -> tuple[Job, ...]:
    """The runs still to make, by the status of each cell's newest run.

    A failure is kept as the cell's result until ``retry_failed`` asks again; one of the harness
    itself is no result and is always tried again.
    """

    def wanted(job: Job) -> bool:
        if fresh or job.cell.key not in statuses:
            return True
        _, status, reason = statuses[job.cell.key]
        return reason in _OURS or (retry_failed and status not in _FINAL)

    return tuple(job for job in jobs if wanted(job))


def estimates(jobs: Iterable[Job], earlier: Iterable[Run] = ()) -> list[float]:
    """Seconds each run will take: as the same cell did, as its neighbours did, or a guess."""
    by_cell: dict[str, float] = {}
    by_place: dict[object, list[float]] = {}
    for run in earlier:
        wall = run.metrics.get("wall_s")
        if wall is not None and wall.value is not None:
            by_cell[run.cell_key] = wall.value
            place = (run.task_ref, run.model_ref, run.scenario, run.batch_size, run.mode)
            by_place.setdefault(place, []).append(wall.value)

    def seconds(job: Job) -> float:
        cell = job.cell
        place = (cell.task.ref, cell.model.ref, cell.scenario, cell.batch_size, cell.mode)
        near = statistics.median(by_place.get(place, [_GUESS_S]))
        return by_cell.get(cell.key, near)

    return [seconds(job) for job in jobs]
