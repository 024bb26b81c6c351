"""One class as rows, a table and two charts: all from the same list, so they cannot disagree."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tokonomy.measure.reasons import REASONS
from tokonomy.store.metrics import Metric
from tokonomy.store.verdict import BASELINES
from tokonomy_site.charts import Chart, Point, chart
from tokonomy_site.figures import form_of, percent, probability, ratio, span
from tokonomy_site.snapshot import Run, Snapshot, method_path, run_path, setting, varying
from tokonomy_site.tables import Cell, Column, Line, Table
from tokonomy_site.words import DERIVED, STATUS, plural

CAPPED = "\u2020"  # beside an interval whose timing stopped at a cap
ROOT = "../"  # of every page that shows a board


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


COLUMNS = (
    Column(name="Method", words=True, filter="method"),
    Column(name="Accuracy", unit="% [95 %]", group="Quality", first="d"),
    Column(name="Retained", unit="% of ref.", group="Quality", first="d"),
    Column(name="Agrees", unit="% as ref.", group="Quality", first="d"),
    Column(name="Easy", unit="%", group="Quality", first="d"),
    Column(name="Hard", unit="%", group="Quality", first="d"),
    Column(name="Speed-up", unit="times [95 %]", group="Cost", first="d"),
    Column(name="Latency", unit="ms, median", group="Cost"),
    Column(name="Memory", unit="MiB rise", group="Cost"),
    Column(name="FLOPs", unit="of ref.", group="Cost"),
    Column(name="Tokens", unit="% kept", group="Cost"),
    Column(name="vs random", unit="drop", group="At equal tokens", words=True, filter="random"),
    Column(
        name="vs smaller", unit="image", group="At equal tokens", words=True, filter="downsampling"
    ),
    Column(name="Run", unit="n", words=True, filter="run"),
)


def table(shown: Sequence[Row], snapshot: Snapshot, caption: str) -> Table:
    """The table of a class."""
    lines = tuple(_line(row, snapshot) for row in shown)
    return Table(caption=caption, columns=COLUMNS, lines=lines, live=True)


def _line(row: Row, snapshot: Snapshot) -> Line:
    run = row.run
    cells = (
        _head(row, snapshot),
        figure_cell(run, "accuracy"),
        figure_cell(run, "retained"),
        figure_cell(run, "agreement", spans=False),
        figure_cell(run, "accuracy_easy", spans=False),
        figure_cell(run, "accuracy_hard", spans=False),
        figure_cell(run, "speed_up"),
        figure_cell(run, "latency_p50_ms"),
        figure_cell(run, "memory_over_baseline_bytes"),
        figure_cell(run, "flops_ratio"),
        _tokens(run),
        *(_verdict(run, baseline) for baseline in BASELINES),
        Cell(text=STATUS[run.status], href=ROOT + run_path(run.id), sub=_counts(run)),
    )
    stale = snapshot.stale(run)
    kind = " ".join(("ref",) * (run.method == "reference") + ("stale",) * stale)
    return Line(cells=cells, id=row.id, kind=kind)


def _head(row: Row, snapshot: Snapshot) -> Cell:
    sub = row.setting + (f" (+{plural(row.seeds, 'seed')})" if row.seeds else "")
    return Cell(
        text=row.title,
        sub=sub.strip(),
        href=ROOT + method_path(row.run.method),
        mark=snapshot.sign(row.run.method),
        tags=("stale",) if snapshot.stale(row.run) else (),
    )


def figure_cell(run: Run, name: str, spans: bool = True) -> Cell:
    """A figure with its interval, or the word for why there is none, which leads to the run."""
    figure = run.figure(name)
    form, _ = form_of(name)
    if figure.value is None:
        word = STATUS[run.status] if run.status != "ok" else absent(figure)
        return Cell(text=word, href=ROOT + run_path(run.id), kind="soft")
    sub = span(figure, form) if spans else ""
    if name == "speed_up" and "unconverged" in run.flags:
        sub = f"{sub}{CAPPED}"
    return Cell(text=form(figure.value), sub=sub)


def absent(figure: Metric) -> str:
    """A word or two in place of a figure that a good run lacks."""
    return {"no-energy-meter": "no meter", "no-samples": "no samples"}.get(
        figure.reason or "", "not measured"
    )


def _tokens(run: Run) -> Cell:
    cell = figure_cell(run, "tokens_kept", spans=False)
    return replace(cell, sub=run.effect) if run.effect else cell


def _verdict(run: Run, baseline: str) -> Cell:
    if run.method in ("reference", baseline):
        return Cell(text="baseline" if run.method == baseline else "reference", kind="soft")
    verdict = run.verdicts.get(baseline)
    if verdict is None:
        return Cell(
            text=STATUS[run.status] if run.status != "ok" else "not comparable", kind="soft"
        )
    kind = {"beats": "good", "loses": "bad"}.get(verdict.word, "soft")
    sub = verdict.why if verdict.word == "not comparable" else ""
    sub = probability(verdict.p) if verdict.p is not None else sub
    return Cell(text=verdict.word, sub=sub, kind=kind)


def _counts(run: Run) -> str:
    samples, blocks = run.figure("accuracy").n, run.figure("latency_ratio").n
    if samples is None:
        return run.started[:10]
    return f"{samples:,}\u00a0/\u00a0{blocks}" if blocks else f"{samples:,}"


def points(
    shown: Iterable[Row],
    snapshot: Snapshot,
    cost: str,
    href: Callable[[Row], str],
    only: str | None = None,
    curves: Mapping[str, str] | None = None,
) -> list[Point]:
    """Rows as points of a chart of accuracy against ``cost``.

    Args:
        shown: The rows.
        snapshot: For the methods' signs.
        cost: Name of the figure across.
        href: Where a row's mark leads.
        only: The one method that is labelled; all are where it is None.
        curves: By row id, which of its method's curves a row is on.
    """
    return [
        Point(
            x=row.run.figure(cost),
            y=row.run.figure("accuracy"),
            href=href(row),
            label=spoken(row, cost),
            short=row.name if only is None else row.setting if row.run.method == only else "",
            series=f"{row.run.method} {(curves or {}).get(row.id, '')}".strip(),
            style=snapshot.sign(row.run.method).style,
            shape=snapshot.sign(row.run.method).shape,
        )
        for row in shown
        if row.run.status == "ok"
    ]


def spoken(row: Row, cost: str) -> str:
    """What a mark says when it is read out or pointed at."""
    accuracy, other = row.run.figure("accuracy"), row.run.figure(cost)
    if accuracy.value is None or other.value is None:
        return row.name
    form, _ = form_of(cost)
    what = {"tokens_kept": "% of tokens kept", "latency_ratio": "of the reference's time"}
    between = span(other, form)
    tail = f" [{between}]" if between else ""
    return (
        f"{row.name}: {percent(accuracy.value)} % [{span(accuracy, percent)}] at "
        f"{form(other.value)}{tail} {what.get(cost, cost)}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figured:
    """A chart with its words."""

    title: str
    note: str
    chart: Chart


def charts(
    shown: Sequence[Row],
    snapshot: Snapshot,
    href: Callable[[Row], str],
    only: str | None = None,
    place: str = "",
    curves: Mapping[str, str] | None = None,
) -> list[Figured]:
    """Accuracy against time and against tokens, in that order; what cannot be drawn is left out."""
    specs = (
        ("latency_ratio", "Accuracy and time", "time per call, reference = 1", ratio, True, None),
        ("tokens_kept", "Accuracy and tokens", "tokens kept, %", percent, False, (0.0, 1.02)),
    )
    notes = {
        "latency_ratio": "Left is faster, up is better; bars are 95 % intervals, the line is the "
        "front of what nothing else beats on both, dashes mark the reference's time.",
        "tokens_kept": "Tokens that the blocks' MLPs worked on, counted by the harness, as a share "
        "of the reference's.",
    }
    made = []
    for cost, title, axis, form, time, bounds in specs:
        picture = chart(
            points(shown, snapshot, cost, href, only, curves),
            title=f"{title}: {place}" if place else title,
            x_title=axis,
            y_title="accuracy, %",
            x_form=form,
            y_form=percent,
            logs=time,
            one=time,
            joined=only is not None,
            x_bounds=bounds,
        )
        if picture:
            made.append(Figured(title=title, note=notes[cost], chart=picture))
    return made


def explained(code: str | None) -> str:
    """A reason code as a sentence."""
    known_codes = {**REASONS, **DERIVED}
    return known_codes.get(code or "") or f"Reason given: {code or 'none'}."
