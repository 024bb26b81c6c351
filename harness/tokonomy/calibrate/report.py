"""From sessions, or from synthetic experiments, to a calibration record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tokonomy.calibrate import planted, same
from tokonomy.calibrate.sessions import Sessions
from tokonomy.measure import environment
from tokonomy.run.job import Job
from tokonomy.store.calibration import Calibration, Finding
from tokonomy.store.database import Store
from tokonomy.store.epochs import REFERENCE, device, epoch, sentinel, starts
from tokonomy.store.exchange import read_all
from tokonomy.store.fields import Parameters
from tokonomy.store.observed import Timing
from tokonomy.store.record import Record
from tokonomy.store.rows import Run


def runs(store: Store, jobs: Sequence[Job]) -> dict[str, Run]:
    """The newest run of each of these cells, by key."""
    keys = [job.cell.key for job in jobs]
    return {run.cell_key: run for run in store.runs(cell_key=keys)}


def findings(asked: Sessions, made: Mapping[str, Run]) -> list[Finding]:
    """What the sessions say, the reference against itself first."""
    return [
        *same.same(asked.same, made),
        *planted.slow(asked.slow, made),
        *planted.heavy(asked.heavy, asked.same, made),
        *same.sentinels(asked.sentinels, made),
    ]


def epochs(store: Store, newest: Record) -> list[Finding]:
    """Which epoch of its device a run is of, counted from 1; nothing without a sentinel there."""
    where = device(newest)
    seen = map(sentinel, store.records(method=REFERENCE, status="ok"))
    found = [each for each in seen if each is not None and each.device == where]
    if not found:
        return []
    number = epoch(newest.started, starts(found))
    return [Finding(name="epoch", setting=where.device_class, unit="", value=number, low=None,
                    high=None, n=len(found))]  # fmt: skip


def reference_timings(
    store: Store | None, places: Iterable[Path]
) -> tuple[str | None, list[Timing]]:
    """Timings of the reference against itself: in a store, and in files or folders of records.

    Of one device class, that with the most of them, since noise of two does not mix; none of a
    scripted device, whose noise was made up.

    Returns:
        The device class, None where there are none; and the timings.
    """
    stored = store.records(method=REFERENCE, status="ok") if store else ()
    files = (record for place in places for _, record in read_all(place))
    by_class: dict[str, dict[str, Timing]] = {}
    for record in (*stored, *files):
        if sentinel(record) and isinstance(record.timing, Timing) and len(record.timing.pairs) > 1:
            known = by_class.setdefault(record.cell.device_class, {})
            known[record.run_id] = record.timing
    if not by_class:
        return None, []
    most = max(sorted(by_class), key=lambda name: len(by_class[name]))
    return most, list(by_class[most].values())


def provenance(store: Store, jobs: Sequence[Job], made: Mapping[str, Run]) -> Parameters:
    """What shows a session that was made again: how many there are of how many cells, by commit."""
    every = store.runs(cell_key=[job.cell.key for job in jobs])
    commits = Counter(map(_commit, made.values()))
    return {"cells_made": len(made), "sessions_ever_made": len(every), "commits": dict(commits)}


def _commit(run: Run) -> str:
    return (run.harness_commit or "not known") + (", changed since" if run.harness_dirty else "")


def measured(asked: Sessions, store: Store, settings: Parameters) -> Calibration:
    """The record of the sessions on this machine."""
    made = runs(store, asked.jobs)
    settings = settings | provenance(store, asked.jobs, made)
    order = sorted(made.values(), key=lambda run: (run.started, run.run_id))
    newest = store.run(order[-1].run_id) if order else None
    return Calibration(
        schema_version=1,
        kind="measured",
        made=_now(),
        device_class=asked.sentinels[0].cell.device_class,
        harness=environment.harness(),
        machine=newest.machine if newest else None,
        settings=settings,
        findings=findings(asked, made) + (epochs(store, newest) if newest else []),
        runs=[run.run_id for run in order],
    )


def simulated(found: Iterable[Finding], settings: Parameters) -> Calibration:
    """The record of synthetic experiments."""
    return Calibration(
        schema_version=1,
        kind="simulated",
        made=_now(),
        device_class=None,
        harness=environment.harness(),
        machine=None,
        settings=settings,
        findings=list(found),
        runs=[],
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
