"""Makes the runs of a plan, one after another, and leaves one row for each.

Whatever a run does, the next one starts; whatever kills the executor, rows already in the store
stay and the run in flight leaves none, so the same plan can be taken up again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from typing import Literal, Protocol

from pydantic import ValidationError

from tokonomy.errors import BadRecord
from tokonomy.measure import environment
from tokonomy.run.ending import Ended, Exit, excerpt, fatal
from tokonomy.run.job import FORKED, LOG, Job, Outcome, read_outcome
from tokonomy.run.supervisor import WORKER, Start, Supervisor, Warm
from tokonomy.store.record import Machine, Record, parse


class Rows(Protocol):
    """Where records go."""

    def add(self, record: Record) -> object:
        """Keep a record for good before returning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Progress, told before the first run, before each run and after it.

    Attributes:
        kind: ``waiting`` while the server preloads, ``started`` and ``done`` around each run.
        job: The run it is about; None while waiting.
        record: What it left, once it is done.
        done, failed, total: Runs so far, those of them that are neither ok nor unsupported, and
            all of them.
        left_s: Seconds still to go, as far as one can tell.
    """

    kind: Literal["waiting", "started", "done"]
    job: Job | None
    record: Record | None
    done: int
    failed: int
    total: int
    left_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many runs were made, and how many of them failed."""

    done: int
    failed: int


def _quiet(_: Event) -> None:
    pass


def starts(jobs: Sequence[Job]) -> Start:
    """How to start runs: forked, unless a device could not survive it."""
    return "spawn" if any(job.cell.device != "cpu" for job in jobs) else "fork"


def _warm(jobs: Sequence[Job]) -> tuple[Warm, ...]:
    places = {(job.cell.family, job.cell.task.ref, job.cell.model.ref): None for job in jobs}
    return tuple(Warm(family=family, task=task, model=model) for family, task, model in places)


def execute(
    jobs: Sequence[Job],
    rows: Rows,
    *,
    expected_s: Sequence[float] = (),
    on_event: Callable[[Event], None] = _quiet,
    start: Start | None = None,
    worker: str = WORKER,
) -> Tally:
    """Make every run and add its record to ``rows`` as soon as it has ended.

    Args:
        jobs: The runs, in order.
        rows: Where records go.
        expected_s: Seconds each run is expected to take; for the time left only.
        on_event: Told of progress.
        start: ``fork`` or ``spawn``; chosen by device where left out.
        worker: Module of the process of a run.
    """
    expected = list(expected_s) or [1.0] * len(jobs)
    done = failed = 0
    took_s = 0.0

    def tell(
        kind: Literal["waiting", "started", "done"],
        job: Job | None = None,
        record: Record | None = None,
    ) -> None:
        pace = took_s / sum(expected[:done]) if done else 1.0
        on_event(
            Event(
                kind=kind,
                job=job,
                record=record,
                done=done,
                failed=failed,
                total=len(jobs),
                left_s=pace * sum(expected[done:]),
            )
        )

    if not jobs:
        return Tally(done=0, failed=0)
    with Supervisor(start=start or starts(jobs), worker=worker, warm=_warm(jobs)) as supervisor:
        tell("waiting")
        supervisor.ready()
        for job in jobs:
            tell("started", job)
            begun = time.monotonic()
            record = run(job, supervisor)
            rows.add(record)
            took_s += time.monotonic() - begun
            done += 1
            failed += record.status not in ("ok", "unsupported")
            tell("done", job, record)
    return Tally(done=done, failed=failed)


def run(job: Job, supervisor: Supervisor) -> Record:
    """Make one run and give its record, whatever happens to its process."""
    run_id, started = uuid.uuid4().hex, datetime.now(UTC)
    before = environment.state()
    ended, folder = supervisor.run(job, run_id)
    try:
        outcome = _outcome(ended, folder)
        if not outcome.before:
            states = {"before": before, "after": environment.state()}
            outcome = outcome.model_copy(update=states)
        return _record(job, run_id, started, outcome, excerpt(folder / LOG))
    finally:
        if ended.code is None:
            supervisor.renew()
        with suppress(OSError):
            rmtree(folder)


def _outcome(ended: Exit, folder: Path) -> Outcome:
    """What the run says, unless the way it ended says otherwise."""
    try:
        problem = fatal(ended)
        if problem is not None:
            raise problem
        outcome = read_outcome(folder)
        if outcome is None:
            raise Ended("crash", "exited", "exit code 0 before there was a result")
        if outcome.status == "ok" and (folder / FORKED).exists():
            raise Ended("invalid", "forked")
        if outcome.status == "ok" and ended.left:
            raise Ended("invalid", "left-processes", ", ".join(ended.left))
    except BadRecord as error:
        return Outcome(status="crash", reason="no-result", detail=str(error)[:500])
    except Ended as error:
        return Outcome(status=error.status, reason=error.reason, detail=error.detail)
    return outcome


def _record(job: Job, run_id: str, started: datetime, outcome: Outcome, log: str) -> Record:
    """The validated record, read back from the line that will be stored."""
    parts = {name: getattr(outcome, name) for name in Outcome.model_fields}
    machine = Machine(
        software=environment.software() | parts.pop("software"),
        hardware=environment.hardware() | parts.pop("device"),
        before=parts.pop("before"),
        after=parts.pop("after"),
    )
    try:
        record = Record(
            schema_version=3,
            run_id=run_id,
            started=started.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            suite=job.suite,
            log=log,
            cell=job.cell,
            harness=environment.harness(),
            machine=machine,
            **parts,
        )
        return parse(record.line())
    except (ValidationError, BadRecord, ValueError) as error:
        problem = Outcome(
            status="crash", reason="no-result", detail=str(error).splitlines()[0][:500]
        )
        return _record(job, run_id, started, problem, log)


__all__ = ["Event", "Rows", "Tally", "execute", "run", "starts"]
