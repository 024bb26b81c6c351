"""One class as rows and a table; its charts are made from these rows, so they cannot disagree."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tokonomy.store.observed import UNSCORED
from tokonomy.store.verdict import BASELINES
from tokonomy_site.cells import (
    ROOT,
    device_memory_cell,
    energy_cell,
    explained,
    figure_cell,
    tokens_cell,
    verdict_cells,
)
from tokonomy_site.figures import known
from tokonomy_site.snapshot import Run, Snapshot, method_path, run_path, setting, varying
from tokonomy_site.tables import Cell, Column, Line, Table
from tokonomy_site.words import STATUS, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting of one method, as table and charts show it.

    Attributes:
        id: Anchor of the row.
        run: The current run.
        title: The method's name.
        setting: The parameters in which its rows differ.
        seeds: How many further seeds were run; the lowest is shown, never the best.
    """

    id: str
    run: Run
    title: str
    setting: str
    seeds: int

    @property
    def name(self) -> str:
        """Method and setting."""
        return f"{self.title} {self.setting}".strip()


def rows(runs: Iterable[Run], snapshot: Snapshot) -> list[Row]:
    """Current runs of one class in the order of the table: reference, baselines, methods."""
    by_method: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_method[run.method].append(run)
    made: list[tuple[Run, str, int]] = []
    for method in sorted(by_method, key=lambda m: _place(m, snapshot)):
        names = varying(by_method[method])
        settings: dict[str, list[Run]] = defaultdict(list)
        for run in by_method[method]:
            settings[json.dumps(run.params, sort_keys=True)].append(run)
        shown = [(min(same, key=lambda r: (r.seed, r.id)), len(same)) for same in settings.values()]
        shown.sort(key=lambda pair: _falling(pair[0]))
        made += [(run, setting(run.params, names), many - 1) for run, many in shown]
    return [
        Row(id=f"r{i}", run=run, title=snapshot.title(run.method), setting=text, seeds=seeds)
        for i, (run, text, seeds) in enumerate(made, 1)
    ]


def _place(method: str, snapshot: Snapshot) -> tuple[int, str, str]:
    first = ("reference", *BASELINES)
    at = first.index(method) if method in first else len(first)
    return at, snapshot.title(method).lower(), method


def _falling(run: Run) -> tuple[float, str]:
    """Most tokens first; settings without a count come last, in a fixed order."""
    kept = run.figure("tokens_kept").value
    return (-kept if kept is not None else 1.0), setting(run.params)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which columns a class has.

    Attributes:
        scored: Whether its outputs mean anything.
        boundary: What its joules are of; empty where no run has any.
        device_memory: Whether any run has the device's own memory.
    """

    scored: bool
    boundary: str
    device_memory: bool


def layout(runs: Iterable[Run]) -> Layout:
    """Columns for the runs of a class; of several boundaries the commonest gets the column."""
    good = [run for run in runs if run.status == "ok"]
    found = Counter(run.boundary for run in good if known(run.figure("energy_j")))
    return Layout(
        scored=not good or any(run.figure("accuracy").reason != UNSCORED for run in good),
        boundary=min(found, key=lambda name: (-found[name], name), default=""),
        device_memory=any(known(run.figure("device_peak_bytes")) for run in good),
    )


_QUALITY = (
    Column(name="Accuracy", unit="% [95 %]", group="Quality", first="d"),
    Column(name="Retained", unit="% of ref.", group="Quality", first="d"),
    Column(name="Agrees", unit="% as ref.", group="Quality", first="d"),
    Column(name="Easy", unit="%", group="Quality", first="d"),
    Column(name="Hard", unit="%", group="Quality", first="d"),
)
_EQUAL = (
    Column(name="vs random", unit="drop", group="At equal tokens", words=True, filter="random"),
    Column(
        name="vs smaller", unit="image", group="At equal tokens", words=True, filter="downsampling"
    ),
)


def columns(kind: Layout) -> tuple[Column, ...]:
    """Heads of a class's table."""
    memory = (Column(name="Device", unit="MiB peak", group="Cost"),) * kind.device_memory
    energy = (
        Column(name="Energy", unit=f"J/sample, {kind.boundary}", group="Cost"),
        Column(name="Energy", unit="of ref. [95 %]", group="Cost"),
    )
    return (
        Column(name="Method", words=True, filter="method"),
        *(_QUALITY if kind.scored else ()),
        Column(name="Speed-up", unit="times [95 %]", group="Cost", first="d"),
        Column(name="Latency", unit="ms, median", group="Cost"),
        Column(name="Memory", unit="MiB rise", group="Cost"),
        *memory,
        *(energy if kind.boundary else ()),
        Column(name="FLOPs", unit="of ref.", group="Cost"),
        Column(name="Tokens", unit="% kept", group="Cost"),
        *(_EQUAL if kind.scored else ()),
        Column(name="Run", unit="n", words=True, filter="run"),
    )


def table(shown: Sequence[Row], snapshot: Snapshot, caption: str, kind: Layout) -> Table:
    """The table of a class."""
    lines = tuple(_line(row, snapshot, kind) for row in shown)
    return Table(caption=caption, columns=columns(kind), lines=lines, live=True)


def _line(row: Row, snapshot: Snapshot, kind: Layout) -> Line:
    run = row.run
    joules = ("energy_j", "energy_ratio") if kind.boundary else ()
    cells = (
        _head(row, snapshot),
        *(_quality_cells(run) if kind.scored else ()),
        figure_cell(run, "speed_up"),
        figure_cell(run, "latency_p50_ms"),
        figure_cell(run, "memory_over_baseline_bytes"),
        *((device_memory_cell(run),) if kind.device_memory else ()),
        *(energy_cell(run, name, kind.boundary) for name in joules),
        figure_cell(run, "flops_ratio"),
        tokens_cell(run),
        *(verdict_cells(run) if kind.scored else ()),
        Cell(text=STATUS[run.status], href=ROOT + run_path(run.id), sub=_counts(run)),
    )
    stale = snapshot.stale(run)
    style = " ".join(("ref",) * (run.method == "reference") + ("stale",) * stale)
    return Line(cells=cells, id=row.id, kind=style)


def _quality_cells(run: Run) -> tuple[Cell, ...]:
    return (
        figure_cell(run, "accuracy"),
        figure_cell(run, "retained"),
        figure_cell(run, "agreement", spans=False),
        figure_cell(run, "accuracy_easy", spans=False),
        figure_cell(run, "accuracy_hard", spans=False),
    )


def _head(row: Row, snapshot: Snapshot) -> Cell:
    sub = row.setting + (f" (+{plural(row.seeds, 'seed')})" if row.seeds else "")
    return Cell(
        text=row.title,
        sub=sub.strip(),
        href=ROOT + method_path(row.run.method),
        mark=snapshot.sign(row.run.method),
        tags=("stale",) if snapshot.stale(row.run) else (),
    )


def _counts(run: Run) -> str:
    samples, blocks = run.figure("accuracy").n, run.figure("latency_ratio").n
    if samples is None:
        return f"{run.started[:10]} / {blocks}" if blocks else run.started[:10]
    return f"{samples:,}/{blocks}" if blocks else f"{samples:,}"


def no_energy(runs: Iterable[Run]) -> str:
    """Why no run of a class has energy, in one line; empty where one has."""
    good = [run for run in runs if run.status == "ok"]
    if any(known(run.figure("energy_j")) for run in good):
        return ""
    why = Counter(run.figure("energy_j").reason or "not-recorded" for run in good)
    said = [f"{explained(code)} ({code}, {plural(why[code], 'run')})" for code in sorted(why)]
    return " ".join(("Energy: none of these runs has it.", *said)) if said else ""
