"""A family's leaderboard: one page per comparability class, that with the most methods first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tokonomy_site import epochs, words
from tokonomy_site.axes import Offer, numbers, offer
from tokonomy_site.board import Row, no_energy, rows, table
from tokonomy_site.columns import Layout, layout
from tokonomy_site.families import CACHE, family
from tokonomy_site.groups import Group, grouped, training
from tokonomy_site.links import slug
from tokonomy_site.notes import notes
from tokonomy_site.page import FAMILIES, Page
from tokonomy_site.plots import charts
from tokonomy_site.ranks import ranks
from tokonomy_site.sections import heat
from tokonomy_site.sections.choices import aspects
from tokonomy_site.sentences import why_not_faster
from tokonomy_site.snapshot import Run, Snapshot, method_path, model_path, setting

PART = 120  # rows of one page: with two charts this stays below 250 KiB
PART_ENERGY = 90  # the same with a third chart and its columns
PART_HEAT = 75  # the same with scores of each group of samples
SCRIPTS = ("static/limits.js", "static/share.js", "static/axes.js")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A class or a part to go to."""

    title: str
    href: str
    size: str = ""
    current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What is to be said of a method, and where it leads."""

    title: str
    href: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A class with its current runs and its file."""

    group: Group
    runs: tuple[Run, ...]
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What all pages of a class share.

    Attributes:
        kind: Its columns.
        offered: What can be drawn and limited.
        every: Its rows.
        numbers: Numbers of each row, by id.
        ranks: Ranks of each row, by id.
    """

    kind: Layout
    offered: Offer
    every: list[Row]
    numbers: Mapping[str, str]
    ranks: Mapping[str, tuple[str, str]]


def boards(snapshot: Snapshot) -> dict[str, list[Board]]:
    """Classes by family, the one to show first at the front."""
    found: dict[str, list[Board]] = {}
    groups = grouped(snapshot.current, snapshot.kinds)
    for group in sorted(groups, key=lambda g: _first(g, groups[g], snapshot)):
        peers = found.setdefault(group.family, [])
        name = slug(group.family) if not peers else group.name
        runs = tuple(sorted(groups[group], key=lambda run: run.order))
        peers.append(Board(group=group, runs=runs, path=f"leaderboard/{name}.html"))
    return found


def _first(group: Group, runs: Sequence[Run], snapshot: Snapshot) -> tuple[object, ...]:
    """What sets a class before others.

    Installed, scored, newest protocol, most methods that are not stale, published weights, most
    tokens, batch 1.
    """
    methods = len({run.method for run in runs if not snapshot.stale(run)})
    tokens = max((run.figure("tokens_mean").value or 0.0 for run in runs), default=0.0)
    slow = group.scenario != "stream"
    apart = (group.training == "not known", not layout(runs).scored)
    return (*apart, -group.protocol, -methods, group.embedded, -round(tokens), slow, repr(group))


def pages(snapshot: Snapshot) -> Iterator[Page]:
    """Pages of every class."""
    for peers in boards(snapshot).values():
        for board in peers:
            yield from _class_pages(board, peers, snapshot)


def _parts(shown: list[Row], most: int) -> list[list[Row]]:
    """Rows cut at methods' ends into pieces that fit a page; each has the reference."""
    if len(shown) <= most:
        return [shown]
    lead = [row for row in shown if row.run.method == "reference"]
    parts: list[list[Row]] = [list(lead)]
    for method in dict.fromkeys(row.run.method for row in shown[len(lead) :]):
        block = [row for row in shown if row.run.method == method]
        for start in range(0, len(block), most - len(lead)):
            piece = block[start : start + most - len(lead)]
            if len(parts[-1]) + len(piece) > most:
                parts.append(list(lead))
            parts[-1] += piece
    return parts


def _class_pages(board: Board, peers: Sequence[Board], snapshot: Snapshot) -> Iterator[Page]:
    most = PART_ENERGY if layout(board.runs).boundary else PART
    most = PART_HEAT if any(run.groups for run in board.runs) else most
    every = rows(board.runs, snapshot)
    kind = layout(board.runs)
    offered = offer(every, kind)
    given = _Given(
        kind=kind,
        offered=offered,
        every=every,
        numbers=numbers(every, offered, kind),
        ranks=ranks(every, snapshot, family(board.group.family).ranked),
    )
    parts = _parts(every, most)
    paths = [board.path]
    paths += [board.path.replace(".html", f"-{i}.html") for i in range(2, len(parts) + 1)]
    for part, path in zip(parts, paths, strict=True):
        links = [
            Choice(title=_from_to(p), href=_leaf(q), current=q == path)
            for p, q in zip(parts, paths, strict=True)
        ]
        yield _page(board, peers, snapshot, part, path, links, given)


def _from_to(part: Sequence[Row]) -> str:
    """A part's first and last method, the reference apart."""
    first = next((row for row in part if row.run.method != "reference"), part[0])
    return f"{first.title} to {part[-1].title}"


def _leaf(path: str) -> str:
    return path.rpartition("/")[2]


def _page(
    board: Board,
    peers: Sequence[Board],
    snapshot: Snapshot,
    shown: list[Row],
    path: str,
    parts: list[Choice],
    given: _Given,
) -> Page:
    title = FAMILIES.get(board.group.family, board.group.family)
    kind, own, offered = given.kind, family(board.group.family), given.offered
    drawn = charts(shown, snapshot, _to_row, every=given.every) if kind.scored else []
    alike = "" if kind.told else ", all self-reported"
    caption = f"{len(shown)} rows{alike}: {board.group.place}"
    made = table(shown, snapshot, caption, kind, given.ranks, given.numbers)
    return Page(
        path=path,
        title=f"{title}: {board.group.place}",
        template="leaderboard.html",
        section=peers[0].path,
        live=True,
        scripts=SCRIPTS,
        values={
            "family": {"title": title},
            "group": board.group,
            "model": model_path(board.group.model),
            "heading": _heading(board.group, snapshot),
            "newest": max(run.started for run in board.runs),
            "choices": [_choice(peer, board, snapshot) for peer in peers],
            "parts_of": parts,
            "charts": drawn,
            "legend": legend(shown, snapshot) if drawn else [],
            "table": replace(made, figures=offered.figures, limits=offered.limits),
            "offered": offered,
            "apart": aspects(board.group, {p.group: _leaf(p.path) for p in peers}, snapshot),
            "scored": kind.scored,
            "no_energy": no_energy(board.runs),
            "mixed": epochs.mixed(board.runs, snapshot),
            "not_run": not_run(board, snapshot),
            "reasons": reasons(shown),
            "broken": broken(shown, snapshot) if kind.scored else [],
            "heat": heat.board(shown, snapshot, _to_row) if kind.family == CACHE else None,
            "slow": own.slow,
            "beyond": own.beyond,
            "notes": notes(kind),
        },
    )


def _to_row(row: Row) -> str:
    return f"#{row.id}"


def _heading(group: Group, snapshot: Snapshot) -> str:
    family = FAMILIES.get(group.family, group.family)
    title = snapshot.task_title(group.task).removeprefix(f"{family}: ")
    return f"{title}, {group.calls}"


def _choice(peer: Board, board: Board, snapshot: Snapshot) -> Choice:
    methods = len({run.method for run in peer.runs})
    return Choice(
        title=f"{snapshot.task_title(peer.group.task)}: {peer.group.sentence}",
        href=_leaf(peer.path),
        size=f"{words.plural(methods, 'method')}, {words.plural(len(peer.runs), 'cell')}",
        current=peer is board,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Legend:
    """A method's entry below the charts."""

    title: str
    href: str
    style: str
    shape: str


def legend(shown: Sequence[Row], snapshot: Snapshot) -> list[Legend]:
    """Every method of a chart, in the order of the table."""
    return [
        Legend(
            title=snapshot.title(method),
            href=f"../{method_path(method)}",
            style=snapshot.sign(method).style,
            shape=snapshot.sign(method).shape,
        )
        for method in dict.fromkeys(row.run.method for row in shown)
    ]


def not_run(board: Board, snapshot: Snapshot) -> str:
    """Default settings of the family's methods without a run in this class."""
    missing = []
    for name, card in snapshot.methods.items():
        if board.group.family not in card.families or card.kind == "control":
            continue
        if training(card.kind) != board.group.training:
            continue
        done = [run.params for run in board.runs if run.method == name]
        open_ = [s for s in card.sweep if not any(s.items() <= d.items() for d in done)]
        if len(open_) == len(card.sweep) and card.sweep:
            missing.append(f"{card.title} (all {words.plural(len(open_), 'setting')})")
        elif open_:
            missing.append(f"{card.title} ({'; '.join(setting(s) for s in open_)})")
    return ", ".join(missing)


def broken(shown: Sequence[Row], snapshot: Snapshot) -> list[Reason]:
    """Rows whose method claims to be exact and was seen not to be."""
    return [
        Reason(title=row.name, href=f"#{row.id}", text=words.equal(row.run.figure("agreement")))
        for row in shown
        if words.broken(snapshot.claim(row.run.method), row.run.figure("agreement"))
    ]


def reasons(shown: Sequence[Row]) -> list[Reason]:
    """For each method that has one: how many settings are not faster, and the strongest case."""
    found = []
    for method in dict.fromkeys(row.run.method for row in shown):
        mine = [row for row in shown if row.run.method == method and row.run.status == "ok"]
        slow = [row for row in mine if why_not_faster(row.run)]
        if not slow or method == "reference":
            continue
        row = min(slow, key=lambda r: (r.run.spent or 1.0, r.id))
        text = f"not faster at {len(slow)} of {words.plural(len(mine), 'setting')}. At "
        found.append(
            Reason(
                title=row.title,
                href=f"#{row.id}",
                text=f"{text}{row.setting or 'its setting'} it {why_not_faster(row.run)}",
            )
        )
    return found
