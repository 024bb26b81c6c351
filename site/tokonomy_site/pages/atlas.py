"""The map of the field as a page: each work's state follows from cards and runs, not from words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tokonomy_site import links, words
from tokonomy_site.atlas import FAMILIES, Work, here, state, works
from tokonomy_site.page import Page
from tokonomy_site.snapshot import Snapshot, method_path
from tokonomy_site.tables import Cell, Column, Line, Table

COLUMNS = (
    Column(name="Work", words=True, wide=True),
    Column(name="Idea", words=True, wide=True),
    Column(name="Family", words=True, filter="family"),
    Column(name="Enters as", words=True, filter="entry"),
    Column(name="State", words=True, filter="state"),
    Column(name="Here", words=True, wide=True),
    Column(name="Code", words=True),
    Column(name="Id", words=True),
)


def pages(snapshot: Snapshot) -> Iterator[Page]:
    """The one page."""
    known = here(snapshot.methods.values())
    measured = {run.method for run in snapshot.results if run.status == "ok"}
    states = {work.id: state(known.get(work.id, ()), measured) for work in works()}
    counts = Counter(states.values())
    yield Page(
        path="atlas.html",
        title="Atlas",
        template="atlas.html",
        section="atlas.html",
        live=True,
        values={
            "counts": ", ".join(f"{counts[name]} {name}" for name in sorted(counts)),
            "total": len(works()),
            "table": Table(
                caption=f"{words.plural(len(works()), 'published work')}",
                columns=COLUMNS,
                lines=tuple(
                    _line(work, states[work.id], known.get(work.id, ()), snapshot)
                    for work in works()
                ),
                live=True,
            ),
        },
    )


def _line(work: Work, standing: str, methods: Sequence[str], snapshot: Snapshot) -> Line:
    first = next(iter(methods), None)
    others = ", ".join(snapshot.title(name) for name in methods[1:])
    kind = {"measured": "good", "not here yet": "soft"}.get(standing, "")
    return Line(
        id=work.id.lower(),
        cells=(
            Cell(text=work.name, sub=work.title if work.title != work.name else ""),
            Cell(text=work.idea),
            Cell(text=FAMILIES.get(work.family, work.family)),
            Cell(text=work.entry),
            Cell(text=standing, kind=kind),
            Cell(text=snapshot.title(first), href=method_path(first), sub=others)
            if first
            else Cell(text="", kind="soft"),
            Cell(text=work.code, href=links.repository(work.code)),
            Cell(text=work.id),
        ),
    )
