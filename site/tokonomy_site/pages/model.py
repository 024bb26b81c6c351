"""A model's page: what it is, what its weights are good for, what was measured with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokonomy.catalog.cards import ModelCard
from tokonomy_site import words
from tokonomy_site.cells import figure_cell
from tokonomy_site.figures import known, significant
from tokonomy_site.page import FAMILIES, Page
from tokonomy_site.pages.leaderboard import Board, boards
from tokonomy_site.snapshot import Run, Snapshot, model_name, model_path, run_path, task_path
from tokonomy_site.tables import Cell, Column, Line, Table

COLUMNS = (
    Column(name="Task", words=True),
    Column(name="Score", unit="% [95 %]", first="d"),
    Column(name="Samples"),
    Column(name="Precision", words=True),
    Column(name="Device", words=True),
)


def pages(snapshot: Snapshot) -> Iterator[Page]:
    """A page per model that is installed or was run."""
    found = boards(snapshot)
    refs = {*snapshot.models, *(run.model_ref for run in snapshot.runs)}
    for ref in sorted(refs):
        runs = [run for run in snapshot.results if run.model_ref == ref]
        peers = [board for each in found.values() for board in each if board.runs[0] in runs]
        yield _page(ref, runs, peers, snapshot)


def _page(ref: str, runs: Sequence[Run], peers: Sequence[Board], snapshot: Snapshot) -> Page:
    card = snapshot.models.get(ref)
    title = snapshot.model_title(ref)
    return Page(
        path=model_path(ref),
        title=title,
        template="model.html",
        values={
            "title": title,
            "card": card,
            "facts": list(_facts(ref, card, runs, snapshot)),
            "figures": [
                (name, significant(value)) for name, value in snapshot.trained.get(ref, {}).items()
            ],
            "plain": _plain(runs, snapshot),
            "places": [
                Cell(
                    text=snapshot.task_title(board.group.task),
                    sub=board.group.sentence,
                    href=f"../{board.path}",
                )
                for board in peers
            ],
        },
    )


def _facts(
    ref: str, card: ModelCard | None, runs: Sequence[Run], snapshot: Snapshot
) -> Iterator[tuple[str, Cell]]:
    yield "Id", Cell(text=model_name(ref))
    if card:
        yield "Family", Cell(text=", ".join(FAMILIES.get(name, name) for name in card.families))
        yield (
            "Made for",
            Cell(text=snapshot.task_title(card.task), href=f"../{task_path(card.task)}"),
        )
        yield "Licence", Cell(text=card.licence)
        yield "Recipe", Cell(text=card.recipe)
    hashes = dict.fromkeys(run.weights_hash for run in runs)
    for digest in hashes:
        yield "Weights as measured", Cell(text=f"SHA-256 {digest}")
    if not hashes:
        yield "Weights as measured", Cell(text="not measured yet")


def _plain(runs: Sequence[Run], snapshot: Snapshot) -> Table | None:
    """Scores of the unmodified model, from the newest run of each task that counts."""
    newest = {
        (run.task_ref, run.data_hash, run.weights_hash, run.precision, run.device): run
        for run in runs
        if run.counts and known(run.figure("reference_accuracy"))
    }
    lines = tuple(
        _line(run, snapshot)
        for run in sorted(newest.values(), key=lambda run: (run.task_ref, run.order))
    )
    caption = f"The unmodified model on {words.plural(len(lines), 'task')}"
    return Table(caption=caption, columns=COLUMNS, lines=lines) if lines else None


def _line(run: Run, snapshot: Snapshot) -> Line:
    return Line(
        cells=(
            Cell(text=snapshot.task_title(run.task_ref), href=f"../{task_path(run.task_ref)}"),
            figure_cell(run, "reference_accuracy"),
            Cell(text=str(run.samples), href=f"../{run_path(run.id)}"),
            Cell(text=run.precision),
            Cell(text=run.device),
        )
    )
