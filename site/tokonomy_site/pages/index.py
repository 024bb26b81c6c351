"""The first page: what is measured, how much of it there is, and a front per family."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokonomy.store.epochs import REFERENCE
from tokonomy_site.board import Row, rows
from tokonomy_site.cells import mark
from tokonomy_site.charts import Chart, front, stands
from tokonomy_site.downloads import Download
from tokonomy_site.families import Spec, family
from tokonomy_site.links import slug
from tokonomy_site.marks import Sign
from tokonomy_site.news import Item as News
from tokonomy_site.news import news
from tokonomy_site.page import FAMILIES, Page
from tokonomy_site.pages.leaderboard import Board, boards
from tokonomy_site.plots import picture, points
from tokonomy_site.snapshot import Snapshot, method_path, model_path, task_path
from tokonomy_site.standing import ROLE_MEANING
from tokonomy_site.words import plural

NEWEST = 8  # of what changed, that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A link with a few words."""

    title: str
    href: str
    text: str = ""
    sign: Sign | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family's card."""

    id: str
    title: str
    place: str
    chart: Chart | None
    lead: str
    front: tuple[Item, ...]
    may: str
    size: str


def pages(snapshot: Snapshot, downloads: Sequence[Download]) -> Iterator[Page]:
    """The one page."""
    found = boards(snapshot)
    refs = sorted({*_cards(snapshot), *(run.task_ref for run in snapshot.results)})
    models = sorted({*snapshot.models, *(run.model_ref for run in snapshot.results)})
    methods = sorted(
        {run.method for run in snapshot.results} | {*snapshot.shown_methods},
        key=lambda m: (snapshot.title(m).lower(), m),
    )
    yield Page(
        path="index.html",
        title="Token-efficient transformers, measured",
        template="index.html",
        section="index.html",
        values={
            "coverage": coverage(snapshot),
            "since": since(snapshot),
            "families": [_family(name, found[name], snapshot) for name in sorted(found)],
            "tasks": [Item(title=snapshot.task_title(r), href=task_path(r)) for r in refs],
            "models": [Item(title=snapshot.model_title(r), href=model_path(r)) for r in models],
            "methods": [
                Item(title=snapshot.title(m), href=method_path(m), sign=snapshot.sign(m))
                for m in methods
            ],
            "downloads": downloads,
        },
    )


def _cards(snapshot: Snapshot) -> list[str]:
    return [name for name, card in snapshot.tasks.items() if not card.parameters]


def coverage(snapshot: Snapshot) -> str:
    """How much was measured, from the records themselves."""
    runs = [run for run in snapshot.results if run.trust.level != "withdrawn"]
    if not runs:
        return "Nothing is measured yet." + apart(snapshot)
    counts = (
        (len({r.family for r in runs}), "family", "families"),
        (len({r.method for r in runs} - {REFERENCE}), "method", ""),
        (len({r.task_ref for r in runs}), "task", ""),
        (len({r.model_ref for r in runs}), "model", ""),
        (len({r.device for r in runs}), "device", ""),
        (len(runs), "run", ""),
    )
    said = ", ".join(plural(number, noun, many) for number, noun, many in counts)
    versions = sorted({run.version for run in runs})
    plain = "version" if len(versions) == 1 else "versions"
    return (
        f"Measured so far: {said}; newest result {snapshot.newest[:10]}, harness {plain} "
        f"{', '.join(versions)}.{apart(snapshot)}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """What happened since a release, in a sentence, and the newest of it."""

    text: str
    items: tuple[News, ...]


def since(snapshot: Snapshot) -> Since | None:
    """What came since the newest run's version of the harness was first used; None before any."""
    if not snapshot.results:
        return None
    version = snapshot.results[-1].version
    first = next(run.started for run in snapshot.results if run.version == version)
    found = [item for item in news(snapshot) if item.at >= first]
    changes = [item for item in found if item.kind in ("better", "worse")]
    results = sum(
        run.started >= first and run.trust.level != "withdrawn" for run in snapshot.results
    )
    worse = sum(item.kind == "worse" for item in changes)
    said = f"{plural(len(changes), 'figure')} changed beyond chance, {worse} for the worse"
    return Since(
        text=f"Since harness {version} was first used, on {first[:10]}: "
        f"{plural(results, 'result')} came in; {said if changes else 'no figure changed'}.",
        items=tuple(sorted(found, key=lambda item: item.kind == "results")[:NEWEST]),
    )


def apart(snapshot: Snapshot) -> str:
    """How many runs are no results, and what they are; empty where there are none."""
    roles = Counter(run.role for run in snapshot.runs if run.role != "result")
    said = "; ".join(f"{plural(roles[name], 'run')} {ROLE_MEANING[name]}" for name in sorted(roles))
    return f" Not counted: {said}." if said else ""


def _family(name: str, peers: Sequence[Board], snapshot: Snapshot) -> Family:
    board, own = peers[0], family(name)
    shown = rows(board.runs, snapshot)
    spec = own.specs[0]
    chart = picture(
        points(shown, snapshot, spec, lambda row: f"{board.path}#{row.id}"),
        spec,
        f"{spec.title}: {board.group.place}",
        height=330,
    )
    classes = plural(len(peers), "comparability class", "comparability classes")
    cells = sum(len(peer.runs) for peer in peers)
    return Family(
        id=slug(name),
        title=FAMILIES.get(name, name),
        place=f"Shown: {snapshot.task_title(board.group.task)}, {board.group.model}, "
        f"{board.group.calls}, {board.group.device}",
        chart=chart,
        lead=f"On the front, {own.cheapest} first: nothing in this class beats these settings on "
        f"both {own.both}.",
        front=tuple(_front(shown, snapshot, own.ranked)),
        may=_may(shown, snapshot, own.ranked),
        size=f"{plural(cells, 'cell')} in {classes}; rows of different classes are never mixed.",
    )


def _may(shown: Sequence[Row], snapshot: Snapshot, spec: Spec) -> str:
    """How many settings beside those named may be on the front, given their intervals."""
    placed = points(shown, snapshot, spec, lambda row: row.id)
    named = {point.href for point in front(placed)}
    places = stands(placed)
    more = [p for p in placed if places.get(id(p)) == "possibly" and p.href not in named]
    said = f"{plural(len(more), 'more setting')} may be on it, given the intervals."
    return said if more else ""


def _front(shown: Sequence[Row], snapshot: Snapshot, spec: Spec) -> Iterator[Item]:
    """Methods on the front with their settings there, in the order of their cheapest.

    A setting that is on it wherever the truth lies in the intervals is said to be throughout.
    """
    placed = points(shown, snapshot, spec, lambda row: row.id)
    by_id = {row.id: row for row in shown}
    settings: dict[str, list[str]] = {}
    places = stands(placed)
    for point in front(placed):
        row = by_id[point.href]
        sure = " (throughout)" if places[id(point)] == "on" else ""
        settings.setdefault(row.run.method, []).append(
            row.setting + mark(row.run, spec.cost) + sure
        )
    for method, texts in settings.items():
        yield Item(
            title=snapshot.title(method),
            href=method_path(method),
            text="; ".join(text for text in texts if text),
            sign=snapshot.sign(method),
        )
