"""Run pages: most of a site's pages, so written by as many processes as there are processors.

Each process is a fork that reads its share of the records for itself; what it writes depends on
nothing but the record and the snapshot, so the bytes are the same however many there are.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tokonomy.errors import UsageError
from tokonomy.store.database import open_store
from tokonomy.store.record import parse
from tokonomy_site.page import Entry, html
from tokonomy_site.pages import run
from tokonomy_site.snapshot import Run, Snapshot
from tokonomy_site.writer import write

WORTH = 2_000
"""Runs from which on a second process is worth its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What every process has: it is inherited, never sent."""

    folder: Path
    database: Path
    snapshot: Snapshot
    entries: list[Entry]
    shares: int


_inherited: list[Job] = []


def write_runs(
    folder: Path, database: Path, snapshot: Snapshot, entries: list[Entry], shares: int = 0
) -> None:
    """Write the page and the record of every run.

    Args:
        folder: The site's folder.
        database: Its database.
        snapshot: What is published.
        entries: Of the navigation.
        shares: How many processes write them; as many as there are processors where left out.
    """
    shares = shares or max(1, min(_processors(), len(snapshot.runs) // WORTH))
    job = Job(folder=folder, database=database, snapshot=snapshot, entries=entries, shares=shares)
    if shares == 1:
        _write(job, 0)
        return
    try:
        with ProcessPoolExecutor(
            shares, mp_context=get_context("fork"), initializer=_inherit, initargs=(job,)
        ) as pool:
            list(pool.map(_share, range(shares)))
    except BrokenProcessPool:
        raise UsageError(
            "a process that wrote run pages was ended, perhaps for want of memory; nothing was "
            "published"
        ) from None


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def _inherit(job: Job) -> None:
    _inherited.append(job)


def _share(number: int) -> None:
    _write(_inherited[-1], number)


def _write(job: Job, number: int) -> None:
    """Write one share: every so many-th record, one in memory at a time."""
    attempts: dict[tuple[object, ...], list[Run]] = defaultdict(list)
    for each in job.snapshot.runs:
        attempts[each.identity].append(each)
    by_id = {each.id: each for each in job.snapshot.runs}
    with open_store(job.database, create=False) as store:
        for at, line in enumerate(store.lines()):
            if at % job.shares == number:
                _one(job, line, by_id, attempts)


def _one(
    job: Job, line: str, by_id: dict[str, Run], attempts: dict[tuple[object, ...], list[Run]]
) -> None:
    record = parse(line)
    each: Run = by_id[record.run_id]
    same: Sequence[Run] = attempts[each.identity]
    page = run.page(each, record, same, job.snapshot)
    write(job.folder, page.path, html(page, job.snapshot, job.entries))
    write(job.folder, page.path.replace(".html", ".json"), line + "\n")
