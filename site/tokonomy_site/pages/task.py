"""A task's page: what is asked of which data, a few of them to look at, what came out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokonomy.catalog.cards import TaskCard
from tokonomy_site import families, samples, words
from tokonomy_site.cells import CAPPED, SIGNS, cached_cell, figure_cell, held_cell, lossless_cell
from tokonomy_site.families import CACHE, DECODING
from tokonomy_site.figures import known, percent, span
from tokonomy_site.page import FAMILIES, Page
from tokonomy_site.pages.leaderboard import Board, boards
from tokonomy_site.snapshot import Run, Snapshot, method_path, run_path, setting, task_path
from tokonomy_site.tables import Cell, Column, Line, Table


def pages(snapshot: Snapshot) -> Iterator[Page]:
    """A page per task that is installed or was run."""
    peers = [board for found in boards(snapshot).values() for board in found]
    cards = {name: card for name, card in snapshot.tasks.items() if not card.parameters}
    refs = {*cards, *(run.task_ref for run in snapshot.results)}
    for ref in sorted(refs):
        runs = [run for run in snapshot.results if run.task_ref == ref]
        yield _page(ref, runs, [b for b in peers if b.group.task == ref], snapshot)


def _page(ref: str, runs: Sequence[Run], mine: Sequence[Board], snapshot: Snapshot) -> Page:
    card = snapshot.tasks.get(ref) or (snapshot.tasks.get(runs[0].task) if runs else None)
    shown = samples.some(card) if card and ref in snapshot.tasks else []
    return Page(
        path=task_path(ref),
        title=snapshot.task_title(ref),
        template="task.html",
        live=bool(mine),
        values={
            "title": snapshot.task_title(ref),
            "card": card,
            "facts": list(_facts(ref, card, runs)),
            "samples": shown,
            "samples_note": samples.NOTES.get(ref, ""),
            "sign": SIGNS[CAPPED],
            "tables": _tables(mine, snapshot),
        },
    )


def _facts(ref: str, card: TaskCard | None, runs: Sequence[Run]) -> Iterator[tuple[str, Cell]]:
    yield "Id", Cell(text=ref)
    if card:
        yield "Family", Cell(text=", ".join(FAMILIES.get(name, name) for name in card.families))
        yield "Metric", Cell(text=card.metric)
        yield "Data", Cell(text=card.source)
        yield "Licence", Cell(text=card.licence)
        yield "Split", Cell(text=card.split)
        yield "Revision", Cell(text=card.revision)
        chance = "depends on the data" if card.chance is None else f"{percent(card.chance)} %"
        yield "Chance", Cell(text=chance)
    for digest in dict.fromkeys(run.data_hash for run in runs):
        sizes = sorted({run.samples for run in runs if run.data_hash == digest})
        many = " or ".join(words.plural(size, "sample") for size in sizes)
        yield "Data as measured", Cell(text=f"{many}, SHA-256 {digest}")
    if not runs:
        yield "Data as measured", Cell(text="not measured yet")
    yield from _references(runs)


def _references(runs: Sequence[Run]) -> Iterator[tuple[str, Cell]]:
    """The unmodified model's accuracy, from the newest run of each model that counts."""
    newest = {
        (r.model_ref, r.weights_hash): r
        for r in runs
        if r.counts and known(r.figure("reference_accuracy"))
    }
    for run in newest.values():
        figure = run.figure("reference_accuracy")
        text = f"{percent(figure.value or 0.0)} % [{span(figure, percent)}], {run.model_ref}"
        yield "Reference", Cell(text=text, href=f"../{run_path(run.id)}")


_HEADS = (
    Column(name="Method", words=True, filter="method"),
    Column(name="Class", words=True, filter="class"),
    Column(name="Settings", unit="ok / run"),
)
COLUMNS = {
    "": (
        Column(name="Accuracy", unit="%, most tokens", first="d"),
        Column(name="Accuracy", unit="%, fewest tokens", first="d"),
        Column(name="Tokens", unit="% kept, fewest"),
        Column(name="Speed-up", unit="times at fewest", first="d"),
    ),
    DECODING: (
        Column(name="Lossless", unit="claimed, fewest seen", words=True),
        Column(name="Accepted", unit="tokens a pass, fewest", first="d"),
        Column(name="Accepted", unit="tokens a pass, most", first="d"),
        Column(name="Speed-up", unit="times at fewest", first="d"),
        Column(name="Speed-up", unit="times at most", first="d"),
    ),
    CACHE: (
        Column(name="Score", unit="%, largest cache", first="d"),
        Column(name="Score", unit="%, smallest cache", first="d"),
        Column(name="Cached", unit="% of ref., smallest"),
        Column(name="Held", unit="% of ref. there"),
        Column(name="Speed-up", unit="times there", first="d"),
    ),
}


def _tables(mine: Sequence[Board], snapshot: Snapshot) -> list[Table]:
    """A table for each family; the first can be sorted."""
    names = sorted({board.group.family for board in mine})
    found: list[Table] = []
    for name in names:
        boards_ = [board for board in mine if board.group.family == name]
        caption = "Each method on this task: gentlest and hardest setting"
        caption = f"{FAMILIES.get(name, name)}. {caption}" if len(names) > 1 else caption
        found.append(
            Table(
                caption=caption,
                columns=(*_HEADS, *COLUMNS.get(name, COLUMNS[""]), *_against(name)),
                lines=tuple(line for board in boards_ for line in _lines(board, snapshot)),
                live=not found,
            )
        )
    return found


def _against(name: str) -> Iterator[Column]:
    for each in families.family(name).baselines:
        yield Column(name=f"vs {each.name}", unit="beats / even / loses", words=True)


def _lines(board: Board, snapshot: Snapshot) -> Iterator[Line]:
    by_method: dict[str, list[Run]] = {}
    for run in board.runs:
        by_method.setdefault(run.method, []).append(run)
    for method in sorted(by_method, key=lambda m: (snapshot.title(m).lower(), m)):
        yield _line(method, by_method[method], board, snapshot)


def _line(method: str, runs: Sequence[Run], board: Board, snapshot: Snapshot) -> Line:
    good = [run for run in runs if run.status == "ok"]
    good.sort(key=lambda r: (-(r.spent or 0.0), snapshot.swept(r), setting(r.params), r.id))
    cells = (
        Cell(text=snapshot.title(method), href=f"../{method_path(method)}",
             mark=snapshot.sign(method)),
        Cell(text=f"{board.group.model}, {board.group.calls}", href=f"../{board.path}"),
        Cell(text=f"{len(good)} / {len(runs)}"),
        *_figures(method, good or runs[:1], board.group.family, snapshot),
    )  # fmt: skip
    return Line(cells=cells)


def _figures(method: str, runs: Sequence[Run], family: str, snapshot: Snapshot) -> Iterator[Cell]:
    """Of the gentlest and the hardest of a method's runs."""
    first, last = runs[0], runs[-1]
    if family == DECODING:
        worst = min(runs, key=lambda run: run.figure("agreement").value or 0.0)
        yield lossless_cell(worst, snapshot.claim(method))
        for name in ("acceptance_length", "speed_up"):
            yield from (figure_cell(run, name) for run in (first, last))
        return
    yield from (figure_cell(run, "accuracy") for run in (first, last))
    if family == CACHE:
        yield cached_cell(last)
        yield held_cell(last, snapshot.effect(last))
    else:
        yield figure_cell(last, "tokens_kept", spans=False)
    yield figure_cell(last, "speed_up")
    yield from (_tally(runs, method, each.id) for each in families.family(family).baselines)


def _tally(good: Sequence[Run], method: str, baseline: str) -> Cell:
    found = [run.verdicts[baseline].word for run in good if baseline in run.verdicts]
    if method in (baseline, "reference") or not found:
        return Cell(text="not applicable", kind="soft")
    counts = (found.count(word) for word in ("beats", "no difference", "loses"))
    return Cell(text=" / ".join(map(str, counts)))
