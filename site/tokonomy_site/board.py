"""One class as rows and a table; its charts are made from these rows, so they cannot disagree."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tokonomy_site.cells import ROOT, explained
from tokonomy_site.columns import Field, Layout, fields
from tokonomy_site.families import family
from tokonomy_site.figures import known
from tokonomy_site.meanings import STATUS
from tokonomy_site.snapshot import Run, Snapshot, method_path, run_path, setting, varying
from tokonomy_site.tables import Cell, Column, Line, Table
from tokonomy_site.trust import TRUST, doubts, trust_cell
from tokonomy_site.words import plural


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
    for method in sorted(by_method, key=lambda m: _place(m, by_method[m][0].family, snapshot)):
        names = varying(by_method[method])
        settings: dict[str, list[Run]] = defaultdict(list)
        for run in by_method[method]:
            settings[json.dumps(run.params, sort_keys=True)].append(run)
        shown = [(min(same, key=lambda r: (r.seed, r.id)), len(same)) for same in settings.values()]
        shown.sort(key=lambda pair: _falling(pair[0], snapshot))
        made += [(run, setting(run.params, names), many - 1) for run, many in shown]
    return [
        Row(id=f"r{i}", run=run, title=snapshot.title(run.method), setting=text, seeds=seeds)
        for i, (run, text, seeds) in enumerate(made, 1)
    ]


def _place(method: str, family_: str, snapshot: Snapshot) -> tuple[int, str, str]:
    first = ("reference", *(each.id for each in family(family_).baselines))
    at = first.index(method) if method in first else len(first)
    return at, snapshot.title(method).lower(), method


def _falling(run: Run, snapshot: Snapshot) -> tuple[float, int, str]:
    """The gentlest first; settings alike in that, or without it, as the card's sweep has them."""
    spent = 1.0 if run.spent is None else -run.spent
    return spent, snapshot.swept(run), setting(run.params)


def columns(kind: Layout, snapshot: Snapshot) -> tuple[Column, ...]:
    """Heads of a class's table."""
    return (
        Column(name="Method", words=True, filter="method"),
        *(column for column, _ in fields(kind, snapshot)),
        Column(name="Rank", unit="range"),
        *(TRUST,) * kind.told,
        Column(name="Run", unit="n", words=True, filter="run"),
    )


def table(
    shown: Sequence[Row],
    snapshot: Snapshot,
    caption: str,
    kind: Layout,
    ranks: Mapping[str, tuple[str, str]],
    numbers: Mapping[str, str],
) -> Table:
    """The table of a class; ``ranks`` and ``numbers`` are by row id."""
    made = fields(kind, snapshot)
    lines = tuple(
        _line(row, snapshot, made, ranks.get(row.id), numbers.get(row.id, ""), kind.told)
        for row in shown
    )
    return Table(caption=caption, columns=columns(kind, snapshot), lines=lines, live=True)


def _line(
    row: Row,
    snapshot: Snapshot,
    made: Sequence[Field],
    ranks: tuple[str, str] | None,
    numbers: str,
    told: bool,
) -> Line:
    run = row.run
    cells = (
        _head(row, snapshot),
        *(cell(run) for _, cell in made),
        _rank(run, ranks),
        *(trust_cell(run),) * told,
        Cell(text=STATUS[run.status], href=ROOT + run_path(run.id), sub=_counts(run)),
    )
    barred = snapshot.stale(run) or not run.trust.stands
    style = " ".join(("ref",) * (run.method == "reference") + ("stale",) * barred)
    return Line(cells=cells, id=row.id, kind=style, numbers=numbers)


def _rank(run: Run, ranks: tuple[str, str] | None) -> Cell:
    """The range of ranks by quality and, below, by cost; a word where it has none."""
    if ranks is None:
        doubted = "stale" if run.trust.stands else run.trust.level
        word = doubted if run.status == "ok" else STATUS[run.status]
        return Cell(text=word, href=ROOT + run_path(run.id), kind="soft")
    quality, cost = ranks
    return Cell(text=quality or cost, sub=cost if quality else "")


def _head(row: Row, snapshot: Snapshot) -> Cell:
    sub = row.setting + (f" (+{plural(row.seeds, 'seed')})" if row.seeds else "")
    return Cell(
        text=row.title,
        sub=sub.strip(),
        href=ROOT + method_path(row.run.method),
        mark=snapshot.sign(row.run.method),
        tags=("stale",) * snapshot.stale(row.run) + doubts(row.run),
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
