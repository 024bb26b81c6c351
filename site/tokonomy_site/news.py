"""What happened, newest first: figures that changed for good, and results as they came in.

Everything comes from the runs; the clock is never asked, so the same snapshot has the same news.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokonomy_site.histories import Change, History
from tokonomy_site.snapshot import Run, Snapshot, method_path, run_path, setting
from tokonomy_site.words import STATUS, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that happened.

    Attributes:
        key: Tells it from all others, in this snapshot and later ones.
        at: When, UTC.
        title: In a line.
        text: In a few sentences.
        href: What it leads to, relative to the site.
        kind: ``better``, ``worse`` or ``results``.
    """

    key: str
    at: str
    title: str
    text: str
    href: str
    kind: str


def news(snapshot: Snapshot) -> list[Item]:
    """Everything that happened, newest first."""
    found = [*_changed(snapshot), *_came(snapshot)]
    return sorted(found, key=lambda item: (item.at, item.key), reverse=True)


def _changed(snapshot: Snapshot) -> Iterator[Item]:
    for history in snapshot.histories.values():
        for change in history.changes:
            yield changed(change, history, snapshot)


def changed(change: Change, history: History, snapshot: Snapshot) -> Item:
    """A change as news."""
    run = change.run
    better = "Better" if change.good else "Worse"
    return Item(
        key=f"change {change.figure} {run.id}",
        at=run.started,
        title=f"{better}: {snapshot.title(run.method)} {setting(run.params)} on {run.task_ref}: "
        f"{change.said}",
        text=f"{change.why} It is beyond chance, and lasts. The cell: {place(run)}.",
        href=history.href,
        kind=better.lower(),
    )


def place(run: Run) -> str:
    """Where a cell was run, in words."""
    return (
        f"{run.scenario}, batch {run.batch_size}, {run.precision}, {run.mode}, {run.device}, "
        f"seed {run.seed}"
    )


def _came(snapshot: Snapshot) -> Iterator[Item]:
    """Results by day and method."""
    days: dict[tuple[str, str], list[Run]] = defaultdict(list)
    first: dict[str, str] = {}
    for run in snapshot.results:
        days[run.started[:10], run.method].append(run)
        first.setdefault(run.method, run.started[:10])
    for (day, method), runs in days.items():
        yield _results(day, method, runs, snapshot, new=first[method] == day)


def _results(day: str, method: str, runs: Sequence[Run], snapshot: Snapshot, *, new: bool) -> Item:
    title = snapshot.title(method)
    tasks = ", ".join(sorted({run.task_ref for run in runs}))
    counts = Counter(STATUS[run.status] for run in runs)
    ended = ", ".join(f"{number} {word}" for word, number in sorted(counts.items()))
    said = f"{plural(len(runs), 'result')} on {tasks}: {ended}"
    only = run_path(runs[0].id) if len(runs) == 1 else f"{method_path(method)}#runs"
    return Item(
        key=f"results {day} {method}",
        at=runs[-1].started,
        title=f"First results of {title}: {said}" if new else f"{title}: {said}",
        text=f"Run on {day} with {', '.join(sorted({run.device for run in runs}))}.",
        href=only,
        kind="results",
    )
