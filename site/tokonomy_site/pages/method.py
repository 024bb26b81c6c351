"""A method's page: its card, its curve per class, its source's figures beside ours, its runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tokonomy.catalog.cards import MethodCard
from tokonomy_site import claims, links, meanings, words
from tokonomy_site.board import Row, rows
from tokonomy_site.cells import SIGNS, figure_cell
from tokonomy_site.columns import layout
from tokonomy_site.encoded import state
from tokonomy_site.families import CACHE, DECODING, family
from tokonomy_site.figures import minute
from tokonomy_site.page import FAMILIES, Page
from tokonomy_site.pages.leaderboard import Board, Legend, boards, legend
from tokonomy_site.plots import Figured, charts
from tokonomy_site.sections import heat
from tokonomy_site.sections.heat import Heat
from tokonomy_site.sentences import curves, dial, sentences
from tokonomy_site.snapshot import (
    PUBLIC,
    Run,
    Snapshot,
    method_path,
    run_path,
    setting,
)
from tokonomy_site.tables import Cell, Column, Line, Table

MOST_RUNS = 1000  # rows of the table of runs: 300 KiB, well below the 1.5 MiB of a page
MOST_DRAWN = 24  # classes with charts, about 26 KiB each; the others have theirs on their board


Peer = tuple[Board, list[Row]]
"""A class and its rows, made once for all methods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A method in one class."""

    title: str
    href: str
    sentence: str
    sentences: tuple[str, ...]
    charts: tuple[Figured, ...]
    legend: tuple[Legend, ...]
    heat: Heat | None


def pages(snapshot: Snapshot) -> Iterator[Page]:
    """A page per method that is installed or was run."""
    found = (board for some in boards(snapshot).values() for board in some)
    peers = [(board, rows(board.runs, snapshot)) for board in found]
    listed = [run for run in snapshot.runs if run.role in PUBLIC]
    by_method: dict[str, list[Run]] = {}
    for run in listed:
        by_method.setdefault(run.method, []).append(run)
    histories: dict[str, str] = {}
    for history in snapshot.histories.values():
        histories.setdefault(history.runs[0].method, history.path)
    for method in snapshot.shown_methods:
        yield _page(method, by_method.get(method, []), peers, histories, snapshot)


def _page(
    method: str,
    mine: Sequence[Run],
    peers: Sequence[Peer],
    histories: Mapping[str, str],
    snapshot: Snapshot,
) -> Page:
    card = snapshot.methods.get(method)
    places = _places(method, peers, snapshot)
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
            "places": places,
            "undrawn": max(0, len(places) - MOST_DRAWN),
            "claims": claims.table(card, _results(mine)) if card and card.claims else None,
            "signs": SIGNS.values(),
            "sweep": [setting(s) for s in card.sweep if s] if card else [],
            "runs": _runs(mine, snapshot) if mine else None,
            "left_out": _left_out(mine),
            "history": histories.get(method),
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
        ("Family", Cell(text=", ".join(FAMILIES.get(name, name) for name in card.families))),
        ("Paper", Cell(text=paper, href=links.paper(card.paper))),
        ("Reference code", Cell(text=code, href=links.repository(card.code))),
        ("Kind", Cell(text=card.kind)),
        ("Losslessness", Cell(text=f"{card.lossless}: {meanings.LOSSLESS_MEANING[card.lossless]}")),
        ("Says of tokens", Cell(text=f"{card.effect}: {meanings.EFFECT_MEANING[card.effect]}")),
        ("Alters", Cell(text=", ".join(card.alters) or "nothing")),
        ("Needs", Cell(text=", ".join(card.needs) or "nothing in particular")),
        ("Source file", Cell(text=snapshot.files.get(method, "not installed"))),
    ]


def _places(method: str, peers: Sequence[Peer], snapshot: Snapshot) -> list[Place]:
    """The method in every class that it was run in; the first of them with charts."""
    found: list[Place] = []
    for peer in peers:
        found += _place(method, peer, snapshot, drawn=len(found) < MOST_DRAWN)
    return found


def _place(method: str, peer: Peer, snapshot: Snapshot, *, drawn: bool) -> Iterator[Place]:
    board, every = peer
    mine = [row for row in every if row.run.method == method]
    if not mine:
        return
    shown = _beside(method, mine, every) if drawn else []
    yield Place(
        title=f"{snapshot.task_title(board.group.task)}, {board.group.calls}",
        href=f"../{board.path}",
        sentence=board.group.sentence,
        sentences=tuple(sentences(method, mine, snapshot)),
        charts=tuple(
            charts(
                shown, snapshot, _to_run, only=method, place=board.group.place,
                curves=_curve_of(shown, snapshot), every=every,
            ) if shown else ()
        ),
        legend=tuple(legend(shown, snapshot)),
        heat=_heat(mine, every, snapshot) if drawn else None,
    )  # fmt: skip


def _heat(mine: Sequence[Row], every: Sequence[Row], snapshot: Snapshot) -> Heat | None:
    """Scores of each group of samples, beside the reference's."""
    if mine[0].run.family != CACHE:
        return None
    beside = [row for row in every if row.run.method == "reference" and row not in mine]
    return heat.board([*beside, *mine], snapshot, _to_run)


def _to_run(row: Row) -> str:
    return f"../{run_path(row.run.id)}"


def _beside(method: str, mine: list[Row], every: list[Row]) -> list[Row]:
    """What a chart of the method shows: its curve, the reference and the two baselines."""
    good = [row for row in mine if row.run.status == "ok"]
    if method == "reference" or len(good) < 2 or not layout(row.run for row in good).scored:
        return []
    beside = [each.id for each in family(mine[0].run.family).baselines]
    others = ("reference", *(name for name in beside if name != method))
    return [row for row in every if row.run.method in others] + mine


def _curve_of(shown: Sequence[Row], snapshot: Snapshot) -> dict[str, str]:
    """By row id, the curve that a row is on: a chart joins no others."""
    found: dict[str, str] = {}
    for method in dict.fromkeys(row.run.method for row in shown):
        mine = [row for row in shown if row.run.method == method]
        for name, curve in curves(mine, dial(method, snapshot)).items():
            found |= {row.id: name for row in curve}
    return found


_SPENT = {
    DECODING: ("acceptance_length", Column(name="Accepted", unit="tokens a pass", first="d")),
    CACHE: ("kv_physical_ratio", Column(name="Held", unit="% of cache")),
}
_TOKENS_KEPT = ("tokens_kept", Column(name="Tokens", unit="% kept"))


def _heads(spent: Column) -> tuple[Column, ...]:
    return (
        Column(name="Setting", words=True),
        Column(name="Task", words=True, filter="task"),
        Column(name="Calls", words=True, filter="calls"),
        Column(name="Seed"),
        Column(name="Accuracy", unit="% [95 %]", first="d"),
        Column(name="Speed-up", unit="times [95 %]", first="d"),
        spent,
        Column(name="Started", unit="UTC", words=True, first="d"),
        Column(name="State", words=True, filter="state"),
        Column(name="Run", words=True, filter="run"),
    )


def _runs(mine: Sequence[Run], snapshot: Snapshot) -> Table:
    kept = sorted(mine, key=lambda run: run.order, reverse=True)[:MOST_RUNS]
    names = {run.family for run in mine}
    spent, column = _SPENT.get(names.pop(), _TOKENS_KEPT) if len(names) == 1 else _TOKENS_KEPT
    lines = tuple(_line(run, spent, state(run, snapshot)) for run in kept)
    caption = f"Runs of {snapshot.title(mine[0].method)}, newest first"
    return Table(caption=caption, columns=_heads(column), lines=lines, live=True)


def _line(run: Run, spent: str, counts: str) -> Line:
    cells = (
        Cell(text=setting(run.params) or "as it is"),
        Cell(text=run.task_ref),
        Cell(text=f"{run.scenario}, batch {run.batch_size}"),
        Cell(text=str(run.seed)),
        figure_cell(run, "accuracy"),
        figure_cell(run, "speed_up"),
        figure_cell(run, spent, spans=False),
        Cell(text=minute(run.started)),
        Cell(text=counts, kind="" if counts == "current" else "warn"),
        Cell(text=meanings.STATUS[run.status], href=f"../{run_path(run.id)}"),
    )
    return Line(cells=cells)


def _left_out(mine: Sequence[Run]) -> str:
    over = len(mine) - MOST_RUNS
    return f"{words.plural(over, 'older run')} not listed." if over > 0 else ""
