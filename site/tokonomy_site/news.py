"""What happened, newest first: figures that changed for good, results, and doubts about runs.

Everything comes from the runs and what was said of them; the clock is never asked, so the same
snapshot has the same news.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokonomy_site.histories import Change, History
from tokonomy_site.meanings import STATUS
from tokonomy_site.snapshot import Run, Snapshot, method_path, run_path, setting
from tokonomy_site.words import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that happened.

    Attributes:
        key: Tells it from all others, in this snapshot and later ones.
        at: When, UTC.
        updated: When what it rests on was last added to, UTC.
        title: In a line.
        text: In a few sentences.
        href: What it leads to, relative to the site.
        kind: ``better``, ``worse``, ``statement`` or ``results``.
    """

    key: str
    at: str
    updated: str
    title: str
    text: str
    href: str
    kind: str


def news(snapshot: Snapshot) -> list[Item]:
    """Everything that happened, newest first."""
    found = [*_changed(snapshot), *_said(snapshot), *_came(snapshot)]
    return sorted(found, key=lambda item: (item.updated, item.key), reverse=True)


def _changed(snapshot: Snapshot) -> Iterator[Item]:
    for history in snapshot.histories.values():
        by_figure: dict[str, list[Change]] = defaultdict(list)
        for change in history.changes:
            by_figure[change.figure].append(change)
        for some in by_figure.values():
            ends = [next_.run.order for next_ in some[1:]]
            for ordinal, change in enumerate(some):
                until = ends[ordinal] if ordinal < len(ends) else None
                yield _change(change, ordinal, _support(change, until, history), history, snapshot)


def _support(change: Change, until: tuple[str, str] | None, history: History) -> Run:
    """The newest run at the level that a change led to."""
    return next(
        run
        for run in reversed(history.runs)
        if run is change.run
        or (run.status == "ok" and run.trust.stands and (until is None or run.order < until))
    )


def _change(
    change: Change, ordinal: int, newest: Run, history: History, snapshot: Snapshot
) -> Item:
    """A change as news; where it began may shift as runs come in, so its key is its ordinal."""
    run = change.run
    better = "Better" if change.good else "Worse"
    return Item(
        key=f"change {history.anchor} {change.figure} {ordinal}",
        at=run.started,
        updated=newest.started,
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


_SAID = {
    "disputed": "Disputed",
    "resolved": "Dispute settled",
    "withdrawn": "Withdrawn",
    "reinstated": "Reinstated",
}


def _said(snapshot: Snapshot) -> Iterator[Item]:
    """Disputes and withdrawals of results, and their ends."""
    for run in snapshot.results:
        for each in run.trust.said:
            if each.says in _SAID:
                yield Item(
                    key=f"said {each.line()}",
                    at=each.at,
                    updated=each.at,
                    title=f"{_SAID[each.says]}: {snapshot.title(run.method)} "
                    f"{setting(run.params)} on {run.task_ref}, run of {run.started[:10]}",
                    text=f"{each.by}: {each.reason}",
                    href=run_path(run.id),
                    kind="statement",
                )


def _came(snapshot: Snapshot) -> Iterator[Item]:
    """Results by day and method; what was withdrawn is none."""
    days: dict[tuple[str, str], list[Run]] = defaultdict(list)
    first: dict[str, str] = {}
    for run in snapshot.results:
        if run.trust.level == "withdrawn":
            continue
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
        updated=runs[-1].started,
        title=f"First results of {title}: {said}" if new else f"{title}: {said}",
        text=f"Run on {day} with {', '.join(sorted({run.device for run in runs}))}.",
        href=only,
        kind="results",
    )
