"""A method's page: its card, its curve per class, its source's figures beside ours, its runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokonomy.catalog.cards import MethodCard
from tokonomy.store.metrics import Metric
from tokonomy.store.verdict import BASELINES
from tokonomy_site import claims, links, words
from tokonomy_site.board import Row, layout, rows
from tokonomy_site.cells import SIGNS, figure_cell, quoted
from tokonomy_site.figures import contains, minute
from tokonomy_site.page import FAMILIES, Page
from tokonomy_site.pages.leaderboard import Board, Legend, boards, legend, why_not_faster
from tokonomy_site.plots import Figured, charts
from tokonomy_site.snapshot import (
    PUBLIC,
    Run,
    Snapshot,
    current,
    method_path,
    run_path,
    setting,
    varying,
)
from tokonomy_site.tables import Cell, Column, Line, Table

MOST_RUNS = 1000  # rows of the table of runs: 300 KiB, well below the 1.5 MiB of a page

BASELINE_NAMES = {"random-drop": "random drop", "downsample": "input down-sampling"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A method in one class."""

    title: str
    href: str
    sentence: str
    sentences: tuple[str, ...]
    charts: tuple[Figured, ...]
    legend: tuple[Legend, ...]


def pages(snapshot: Snapshot) -> Iterator[Page]:
    """A page per method that is installed or was run."""
    peers = [board for found in boards(snapshot).values() for board in found]
    listed = [run for run in snapshot.runs if run.role in PUBLIC]
    newest = {run.id for run in current(listed).values()}
    by_method: dict[str, list[Run]] = {}
    for run in listed:
        by_method.setdefault(run.method, []).append(run)
    for method in snapshot.shown_methods:
        yield _page(method, by_method.get(method, []), peers, newest, snapshot)


def _page(
    method: str, mine: Sequence[Run], peers: Sequence[Board], newest: set[str], snapshot: Snapshot
) -> Page:
    card = snapshot.methods.get(method)
    return Page(
        path=method_path(method),
        title=snapshot.title(method),
        template="method.html",
        live=bool(mine),
        values={
            "title": snapshot.title(method),
            "card": card,
            "sign": snapshot.sign(method),
            "facts": _facts(method, card, snapshot),
            "places": [p for board in peers for p in _place(method, board, snapshot)],
            "claims": claims.table(card, _results(mine)) if card and card.claims else None,
            "signs": SIGNS.values(),
            "sweep": [setting(s) for s in card.sweep if s] if card else [],
            "runs": _runs(mine, newest, snapshot) if mine else None,
            "left_out": _left_out(mine),
        },
    )


def _results(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if run.role == "result"]


def _facts(method: str, card: MethodCard | None, snapshot: Snapshot) -> list[tuple[str, Cell]]:
    if card is None:
        return [("Id", Cell(text=method))]
    code = (
        f"{card.code} ({card.code_licence or 'no licence stated'})" if card.code else "none named"
    )
    paper = f"arXiv {card.paper}" if card.paper else "none"
    return [
        ("Id", Cell(text=card.id)),
        ("Family", Cell(text=FAMILIES.get(card.family, card.family))),
        ("Paper", Cell(text=paper, href=links.paper(card.paper))),
        ("Reference code", Cell(text=code, href=links.repository(card.code))),
        ("Kind", Cell(text=card.kind)),
        ("Losslessness", Cell(text=card.lossless)),
        ("Says of tokens", Cell(text=f"{card.effect}: {words.EFFECT_MEANING[card.effect]}")),
        ("Alters", Cell(text=", ".join(card.alters) or "nothing")),
        ("Needs", Cell(text=", ".join(card.needs) or "nothing in particular")),
        ("Source file", Cell(text=snapshot.files.get(method, "not installed"))),
    ]


def _place(method: str, board: Board, snapshot: Snapshot) -> Iterator[Place]:
    every = rows(board.runs, snapshot)
    mine = [row for row in every if row.run.method == method]
    if not mine:
        return
    shown = _beside(method, mine, every)
    yield Place(
        title=f"{snapshot.task_title(board.group.task)}, {board.group.calls}",
        href=f"../{board.path}",
        sentence=board.group.sentence,
        sentences=tuple(_sentences(method, mine, _dial(method, snapshot))),
        charts=tuple(
            charts(
                shown, snapshot, _to_run, only=method, place=board.group.place,
                curves=_curve_of(shown, snapshot), every=every,
            )
        ),
        legend=tuple(legend(shown, snapshot)),
    )  # fmt: skip


def _to_run(row: Row) -> str:
    return f"../{run_path(row.run.id)}"


def _beside(method: str, mine: list[Row], every: list[Row]) -> list[Row]:
    """What a chart of the method shows: its curve, the reference and the two baselines."""
    good = [row for row in mine if row.run.status == "ok"]
    if method == "reference" or len(good) < 2 or not layout(row.run for row in good).scored:
        return []
    others = ("reference", *(b for b in BASELINES if b != method))
    return [row for row in every if row.run.method in others] + mine


def _dial(method: str, snapshot: Snapshot) -> str | None:
    card = snapshot.methods.get(method)
    return card.dial if card else None


def curves(rows: Sequence[Row], dial: str | None) -> dict[str, list[Row]]:
    """Rows that differ in the dial alone, by what else tells them apart."""
    names = varying([row.run for row in rows]) - {dial}
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(setting(row.run.params, names), []).append(row)
    return found


def _curve_of(shown: Sequence[Row], snapshot: Snapshot) -> dict[str, str]:
    """By row id, the curve that a row is on: a chart joins no others."""
    found: dict[str, str] = {}
    for method in dict.fromkeys(row.run.method for row in shown):
        mine = [row for row in shown if row.run.method == method]
        for name, curve in curves(mine, _dial(method, snapshot)).items():
            found |= {row.id: name for row in curve}
    return found


def _on_curve(row: Row) -> tuple[str, Metric, Metric, Metric]:
    figure = row.run.figure
    return row.setting, figure("tokens_kept"), figure("accuracy"), figure("accuracy_drop")


def _sentences(method: str, mine: Sequence[Row], dial: str | None) -> Iterator[str]:
    good = [row for row in mine if row.run.status == "ok"]
    if method == "reference":
        yield from _control(good)
        return
    if good and not layout(row.run for row in good).scored:
        yield "Quality is not applicable here: only costs are compared."
    for baseline in BASELINES if layout(row.run for row in good).scored else ():
        if baseline != method:
            yield words.tally([_word(row.run, baseline) for row in good], BASELINE_NAMES[baseline])
    for name, curve in curves(good, dial).items():
        remark = words.monotone([_on_curve(row) for row in curve])
        if remark:
            yield f"{name}: {remark}" if name else remark
    yield _speed(good)
    if failed := len(mine) - len(good):
        yield f"{words.plural(failed, 'setting')} ended without figures; see the runs."


def _word(run: Run, baseline: str) -> str:
    verdict = run.verdicts.get(baseline)
    return verdict.word if verdict else "not comparable"


def _control(good: Sequence[Row]) -> Iterator[str]:
    """The reference against itself says whether the ruler is straight."""
    for row in good:
        figure = row.run.figure("latency_ratio")
        if figure.value is not None:
            inside = "covers" if contains(figure, 1) else "does not cover"
            told = "without an interval" if figure.low is None else f"whose interval {inside} 1"
            yield f"Timed against itself: latency ratio {quoted(row.run, figure.name)}, {told}."


def _speed(good: Sequence[Row]) -> str:
    timed = [row for row in good if row.run.figure("latency_ratio").value is not None]
    if not timed:
        return "Not timed."
    slow = [row for row in timed if why_not_faster(row.run)]
    fast = [row for row in timed if (row.run.figure("latency_ratio").high or 2.0) < 1]
    text = f"Faster than the reference at {len(fast)} of {words.plural(len(timed), 'setting')}."
    if slow:
        row = min(slow, key=lambda r: (r.run.figure("tokens_kept").value or 1.0, r.id))
        text += f" At {row.setting or 'its setting'} it {why_not_faster(row.run)}."
    return text


RUN_COLUMNS = (
    Column(name="Setting", words=True),
    Column(name="Task", words=True, filter="task"),
    Column(name="Calls", words=True, filter="calls"),
    Column(name="Seed"),
    Column(name="Accuracy", unit="% [95 %]", first="d"),
    Column(name="Speed-up", unit="times [95 %]", first="d"),
    Column(name="Tokens", unit="% kept"),
    Column(name="Started", unit="UTC", words=True, first="d"),
    Column(name="State", words=True, filter="state"),
    Column(name="Run", words=True, filter="run"),
)


def _runs(mine: Sequence[Run], newest: set[str], snapshot: Snapshot) -> Table:
    kept = sorted(mine, key=lambda run: run.order, reverse=True)[:MOST_RUNS]
    lines = tuple(_line(run, run.id in newest, snapshot) for run in kept)
    caption = f"Runs of {snapshot.title(mine[0].method)}, newest first"
    return Table(caption=caption, columns=RUN_COLUMNS, lines=lines, live=True)


def _line(run: Run, newest: bool, snapshot: Snapshot) -> Line:
    state = "superseded" if not newest else "stale" if snapshot.stale(run) else "current"
    state = state if run.role == "result" else run.role
    cells = (
        Cell(text=setting(run.params) or "as it is"),
        Cell(text=run.task_ref),
        Cell(text=f"{run.scenario}, batch {run.batch_size}"),
        Cell(text=str(run.seed)),
        figure_cell(run, "accuracy"),
        figure_cell(run, "speed_up"),
        figure_cell(run, "tokens_kept", spans=False),
        Cell(text=minute(run.started)),
        Cell(text=state, kind="" if state == "current" else "warn"),
        Cell(text=words.STATUS[run.status], href=f"../{run_path(run.id)}"),
    )
    return Line(cells=cells)


def _left_out(mine: Sequence[Run]) -> str:
    over = len(mine) - MOST_RUNS
    return f"{words.plural(over, 'older run')} not listed." if over > 0 else ""
